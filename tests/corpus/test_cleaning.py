"""What is dropped, what is mended, and that every line is accounted for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from seq2seq.config.data import DataSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.cleaning import CleaningCounts, clean_training, normalise_evaluation
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.tokenizer import normalise


def settings(**changes):
    return DataSettings(corpus="toy", source="en", target="xx", **changes)


def clean(pairs, **changes):
    counts = CleaningCounts()
    kept = list(clean_training([SentencePair(*pair) for pair in pairs], settings(**changes), counts))
    return [(pair.source, pair.target) for pair in kept], counts


@pytest.mark.parametrize(
    ("pair", "changes", "reason"),
    [
        (("", "x"), {}, "empty"),
        (("a", " \t\u200b\u2028"), {}, "empty"),
        (("a\udcff", "x"), {}, "invalid_utf8"),
        (("a", "x\ufffd"), {}, "invalid_utf8"),
        (("a\x00b", "x y"), {}, "control_characters"),
        (("a b c", "x"), {"max_words": 2, "max_ratio": None}, "too_many_words"),
        (("x", "a b c"), {"max_words": 2, "max_ratio": None}, "too_many_words"),
        (("abcd", "abcdefghij"), {"max_ratio": 2}, "length_ratio"),
        (("a" * 1_000_000, "b" * 1_000_000), {}, "too_many_pieces"),
    ],
)
def test_a_training_pair_is_dropped_for_its_reason(pair, changes, reason):
    kept, counts = clean([("good", "line"), pair, ("last", "one")], **changes)
    assert kept == [("good", "line"), ("last", "one")]
    assert counts.dropped == {reason: 1}
    assert (counts.lines, counts.kept) == (3, 2)


def test_limits_are_inclusive():
    kept, counts = clean([("a b", "c d"), ("abcd", "ab")], max_words=2, max_ratio=2, max_tokens=1)
    assert counts.kept == len(kept) == 2


def test_duplicates_are_of_both_sides_after_normalising():
    pairs = [("a", "x"), ("a", "y"), (" a ", "x\r"), ("e\u0301", "z"), ("é", "z")]
    kept, counts = clean(pairs)
    assert kept == [("a", "x"), ("a", "y"), ("é", "z")]
    assert counts.dropped == {"duplicate": 2}
    assert clean(pairs, drop_duplicates=False)[1].kept == 5


@pytest.mark.parametrize(
    ("raw", "text", "what"),
    [
        ("a  b\r", "a b", "spacing_or_unicode_form"),
        ("a\u2028b", "a b", "spacing_or_unicode_form"),
        ("e\u0301", "é", "spacing_or_unicode_form"),
        ("a\u200bb\ufeff", "ab", "invisible_characters"),
    ],
)
def test_what_is_mended_is_counted(raw, text, what):
    kept, counts = clean([(raw, "target"), ("untouched", "target")])
    assert kept[0] == (text, "target")
    assert counts.mended == {what: 1}


def test_right_to_left_and_combining_text_is_left_alone():
    pair = ("\u200fשלום עולם", "नमस्ते a\u0323\u0302")
    kept, counts = clean([pair])
    assert kept[0][0] == pair[0]
    assert counts.dropped.total() == 0


def test_only_the_first_pairs_are_read():
    kept, counts = clean([("", "x"), ("a", "x"), ("b", "y"), ("c", "z")], max_pairs=2)
    assert kept == [("a", "x"), ("b", "y")]
    assert counts.lines == 3


TEXT = st.text(st.sampled_from(list("ab é\u0301\u200b\x00\udcff\t")), max_size=6)


@given(pairs=st.lists(st.tuples(TEXT, TEXT), max_size=30), words=st.none() | st.integers(1, 3), duplicates=st.booleans())
def test_kept_and_dropped_add_up_to_the_lines_read(pairs, words, duplicates):
    kept, counts = clean(pairs, max_words=words, drop_duplicates=duplicates)
    assert counts.lines == len(pairs) == len(kept) + counts.dropped.total()
    assert counts.kept == len(kept)
    assert all(source and target for source, target in kept)
    assert TypeAdapter(CleaningCounts).validate_json(json.dumps(vars(counts))) == counts


def test_counts_are_one_readable_line():
    _, counts = clean([("a", "x"), ("a", "x"), ("", "x"), ("b  b", "y")])
    assert counts.describe() == "4 pairs read, 2 kept; dropped: 1 duplicate, 1 empty; mended: 1 spacing or unicode form"


def evaluate(pairs):
    counts = CleaningCounts()
    return list(normalise_evaluation([SentencePair(*pair) for pair in pairs], settings(), counts, "toy, split 'test'")), counts


@given(pairs=st.lists(st.tuples(TEXT, TEXT), max_size=20))
def test_evaluation_keeps_every_line_or_refuses(pairs):
    if not all(normalise(text) for pair in pairs for text in pair):
        with pytest.raises(UserError, match="has no text in"):
            evaluate(pairs)
        return
    kept, counts = evaluate(pairs)
    assert len(kept) == counts.lines == counts.kept == len(pairs)


def test_evaluation_lines_are_kept_whatever_training_would_say():
    pairs = [("a", "x"), ("a", "x"), ("b " * 500, "y"), ("c\x00d", "z"), ("e\udcff", "z"), ("ok", "ok")]
    kept, counts = evaluate(pairs)
    assert [pair.source for pair in kept] == ["a", "a", ("b " * 500).strip(), "c d", "e\ufffd", "ok"]
    assert counts.mended == {"control_characters": 1, "invalid_utf8": 1, "spacing_or_unicode_form": 1}


@pytest.mark.parametrize(("pair", "language"), [(("", "x"), "en"), (("a", "\u200b \x07"), "xx")])
def test_an_evaluation_line_without_text_is_an_error(pair, language):
    with pytest.raises(UserError, match=f"toy, split 'test': line 2 has no text in '{language}'"):
        evaluate([("good", "good"), pair])


def test_lengths_follow_the_writing_of_each_side():
    """A line without spaces is as long as its characters: 1 word that was 40 characters long passed every limit."""
    settings = DataSettings(corpus="x", source="en", target="zh", max_words=10, max_ratio=3)
    good, long = "我们去学校。", "我们今天早上去了学校旁边的公园。"
    lines = [("we go to school", good), ("we went to the park", long), ("we go", long[:10]), ("we", long[:7])]
    counts = CleaningCounts()
    kept = list(clean_training([SentencePair(*pair) for pair in lines], settings, counts))
    assert [pair.target for pair in kept] == [good]
    assert counts.dropped == {"too_many_words": 1, "length_ratio": 2}
