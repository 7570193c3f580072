"""Bytes of every kind as a corpus: counted, kept or refused in a sentence, never lost and never a crash."""

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq.config.data import DataSettings, TokenizerSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.cache import Cache
from seq2seq.corpus.cleaning import CleaningCounts, clean_training, normalise_evaluation
from seq2seq.corpus.files import FileCorpus
from seq2seq.corpus.tokenizer import UNK, Tokenizer

SETTINGS = DataSettings(corpus="toy", source="en", target="xx")
FRAGMENTS = [
    b"a", b"word ", b"\n", b"\n", b"\r\n", b"\r", b"\x00", b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xc3\xa9", b"e\xcc\x81",
    b"\xe2\x80\xa8", b"\xc2\x85", b"\xe2\x80\x8b", b"\xe2\x96\x81", b"\xf0\x9f\x99\x82", b"\xe2\x80\x8f", b"\xd7\xa9", b"\t", b"\x1c", b"<s>",
    b"x" * 5000,
]  # fmt: skip
CONTENT = st.one_of(st.binary(max_size=40), st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(b"".join))


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(["word a é", "a word"], TokenizerSettings(vocabulary_size=267))


def list_or_refusal(pairs):
    try:
        return list(pairs)
    except UserError as error:
        return error


def try_out(folder, english, other, zipped, tokenizer):
    for language, content in (("en", english), ("xx", other)):
        for path in folder.glob(f"train.{language}*"):
            path.unlink()
        (folder / f"train.{language}{'.gz' if zipped else ''}").write_bytes(gzip.compress(content) if zipped else content)
    corpus = FileCorpus(folder, source="en", target="xx", card=None, cache=Cache(folder / "cache"), report=lambda text: None)
    raw = list_or_refusal(corpus.pairs("train"))
    if isinstance(raw, UserError):
        assert "\n" not in str(raw)
        return
    counts = CleaningCounts()
    kept = list(clean_training(raw, SETTINGS, counts))
    assert counts.lines == len(raw) == len(kept) + counts.dropped.total()
    for pair in kept:
        for text in (pair.source, pair.target):
            assert text == " ".join(text.split())
            pieces = tokenizer.encode(text)
            assert tokenizer.decode(pieces) == text
            assert UNK not in pieces
    evaluated = list_or_refusal(normalise_evaluation(raw, SETTINGS, CleaningCounts(), "toy"))
    if isinstance(evaluated, UserError):
        assert "has no text" in str(evaluated)
    else:
        assert len(evaluated) == len(raw)


@given(english=CONTENT, other=CONTENT, zipped=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(tmp_path, tokenizer, english, other, zipped):
    try_out(tmp_path, english, other, zipped, tokenizer)


@pytest.mark.slow
@given(english=CONTENT, other=CONTENT, zipped=st.booleans())
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_at_length(tmp_path, tokenizer, english, other, zipped):
    try_out(tmp_path, english, other, zipped, tokenizer)
