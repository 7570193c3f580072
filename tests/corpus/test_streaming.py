"""`data.streaming: true`, from a folder of the hub's shape to encoded splits: the same data, and never all of it in memory."""

import gc
from pathlib import Path

import pytest

from seq2seq.config.data import DataSettings, TokenizerSettings
from seq2seq.corpus.prepare import prepare
from tests.corpus.test_hub import hub_corpus

CARD = """\
name: toy
description: d
languages: [en, de]
source: s
licence: l
hub: {id: o/n, columns: {en: translation.en, de: translation.de}, splits: {train: "train[30:]", valid: "train[:30]", test: test}}
"""


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    """Where `datasets` keeps what it has read whole."""
    folder = tmp_path / "hf"
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    return folder


def write(folder, sides, name):
    """A parquet file of row groups of 1,000, one column of structs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(exist_ok=True)
    rows = [{"en": source, "de": target} for source, target in sides]
    pq.write_table(pa.table({"translation": rows}), folder / f"{name}-00000-of-00001.parquet", row_group_size=1000)
    return folder


def kept(folder):
    return list(folder.rglob("*.arrow"))


def test_a_stream_is_prepared_to_the_same_data_and_every_row_is_counted(tmp_path, downloads):
    sides = [(f"house number {i} é", f"Haus Nummer {i} ü") for i in range(400)]
    sides[100], sides[101], sides[102], sides[103] = ("", "nichts"), sides[99], ("a\x00b", "ab"), ("two  words", "zwei Wörter")
    folder = write(tmp_path / "rows", sides, "train")
    write(folder, sides[200:220], "test")
    (tmp_path / "toy.yaml").write_text(CARD)
    found = {}
    for streaming in (True, False):
        data = DataSettings(corpus=str(tmp_path / "toy.yaml"), path=str(folder), streaming=streaming)
        tokens = TokenizerSettings(vocabulary_size=320)
        found[streaming] = prepare(data, tokens, report=lambda _: None, cache=tmp_path / f"cache{streaming}")
        assert not kept(downloads)  # files of a folder are read row by row, and `datasets` keeps no copy of them
    stream, whole = found[True], found[False]
    counts = stream.counts["train"]
    assert (counts.lines, counts.kept) == (370, 367)
    assert +counts.dropped == {"empty": 1, "duplicate": 1, "control_characters": 1}
    assert counts.mended == {"spacing_or_unicode_form": 1}
    assert (len(stream.train), len(stream.valid), len(stream.tests["test"])) == (367, 30, 20)
    assert stream.fingerprints == whole.fingerprints
    assert stream.counts == whole.counts


def resident():
    """Resident memory of this process now, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


@pytest.mark.slow
def test_a_stream_is_never_whole_in_memory(tmp_path, downloads):
    """200 MB of text go by while the process grows by less than a fifth of it."""
    text = "x" * 1000
    folder = write(tmp_path / "rows", ((f"{i} {text}", f"{i} {text}") for i in range(100_000)), "train")
    columns = {"en": "translation.en", "de": "translation.de"}
    corpus = hub_corpus(folder, columns=columns, streaming=True)
    pairs = corpus.pairs("train")
    for _ in range(2000):  # imports and buffers
        next(pairs)
    gc.collect()
    before = most = resident()
    characters = 0
    for number, pair in enumerate(pairs):
        characters += len(pair.source) + len(pair.target)
        if number % 500 == 0:
            most = max(most, resident())
    assert characters > 190e6
    assert most - before < 40
