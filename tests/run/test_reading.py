"""Subwords, put together to the words that a person reads."""

from seq2seq.run.reading import group_words


def test_subwords_become_words():
    words, word_of = group_words(["▁Mäd", "chen", "▁", "l", "acht", "<0xC3>", "<0xA4>", "</s>"])
    assert (words, word_of) == (["Mädchen", "lachtä", "(end)"], [0, 0, 1, 1, 1, 1, 1, 2])
    assert group_words(["a", "b"]) == (["a", "b"], [0, 1])
