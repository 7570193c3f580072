"""A set of texts in 16 bytes each."""

from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpus import seen as module
from seq2seq.corpus.seen import Seen


@given(st.lists(st.text(alphabet="abé", max_size=4), max_size=300))
def test_new_means_what_it_means_to_a_set(texts):
    seen, known = Seen(), set()
    for text in texts:
        assert seen.add(text) == (text not in known)
        known.add(text)
        assert len(seen) == len(known)


def test_a_hundred_thousand_texts_and_their_bytes():
    seen = Seen()
    for number in range(100_000):
        assert seen.add(f"sentence {number}")
        if number > 10_000 and number % 500 == 0:
            assert sum(table.itemsize * len(table) for table in seen._tables) <= 16 * len(seen)
    assert not any(seen.add(f"sentence {number}") for number in range(0, 100_000, 7))
    assert len(seen) == 100_000


def test_equal_hashes_are_taken_for_equal_texts_and_zero_is_a_hash(monkeypatch):
    """What happens in the one case in a million and a half: a new text counts as met; nothing else goes wrong."""

    class Same:
        def __init__(self, *_, **__):
            pass

        def digest(self):
            return bytes(8)

    monkeypatch.setattr(module.hashlib, "blake2b", Same)
    seen = Seen()
    assert [seen.add("one"), seen.add("another"), seen.add("one")] == [True, False, False]
