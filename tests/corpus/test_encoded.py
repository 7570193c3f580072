"""Splits as arrays of pieces beside their text."""

import datasets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.config.data import TokenizerSettings
from seq2seq.corpus.encoded import EncodedSplit, PairTexts, TokenArrays, batched, encode_lines, token_writer
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.tokenizer import Tokenizer

PIECES = st.lists(st.lists(st.integers(0, 300), max_size=5), max_size=20)


@given(sentences=PIECES, cut=st.integers(1, 5), size=st.sampled_from([301, 100_000]))
def test_what_is_written_is_mapped_unchanged(tmp_path_factory, sentences, cut, size):
    folder = tmp_path_factory.mktemp("tokens")
    with token_writer(folder, "source", size) as write:
        for batch in batched(sentences, cut):
            write(batch)
    mapped, plain = TokenArrays.open(folder, "source", size), TokenArrays.from_lists(sentences)
    assert mapped.tokens.dtype == (np.uint16 if size == 301 else np.int32)
    for arrays in (mapped, plain):
        assert arrays.lengths.tolist() == [len(ids) for ids in sentences]
        assert arrays.tokens.tolist() == [i for ids in sentences for i in ids]


def test_texts_and_links_come_back_and_datasets_reads_the_same_file(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.corpus.encoded._ROWS", 100)
    pairs = [SentencePair("a é", "b", ((0, 0), (1, 0))), SentencePair("c", "d 你"), SentencePair("e", "f", ())] * 70
    PairTexts.write(tmp_path / "pairs.arrow", pairs)
    texts = PairTexts(tmp_path / "pairs.arrow")
    for row in (0, 1, 2, 99, 100, len(pairs) - 1):
        assert texts[row] == pairs[row]
    assert [line for batch in texts.sentences("target") for line in batch] == [pair.target for pair in pairs]
    assert datasets.Dataset.from_file(str(tmp_path / "pairs.arrow"))[100]["source"] == pairs[100].source


def test_lines_to_translate_are_a_split_without_targets():
    lines = ["b a", "", "a\u2028a"]
    tokenizer = Tokenizer.train(["a b", "b a a"], TokenizerSettings(vocabulary_size=264))
    split = encode_lines(lines, tokenizer, tokenizer, reverse_source=True)
    assert len(split) == 3
    assert [split.source(i) for i in range(3)] == lines
    assert [split.source_tokens(i) for i in range(3)] == [tokenizer.encode(line) for line in lines]
    assert [split.target_tokens(i) for i in range(3)] == [[], [], []]
    assert split.pair(0).links is None
    assert split.target(1) == ""
    assert split.reverse_source
    for i in (-1, 3):
        with pytest.raises(IndexError):
            split.pair(i)


def test_tokens_are_counted_slice_by_slice(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.corpus.encoded._SLICE", 3)
    sentences = [[5, 6], [5], [], [9, 5, 5, 5]]
    with token_writer(tmp_path, "target", 11) as write:
        write(sentences)
    for pieces in (TokenArrays.from_lists(sentences), TokenArrays.open(tmp_path, "target", 11)):
        split = EncodedSplit(pieces, pieces, [])
        assert split.target_counts(11).tolist() == [0, 0, 0, 4, 0, 5, 1, 0, 0, 1, 0]
