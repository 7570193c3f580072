"""Corpora in the hub's form, from folders laid out as there; no network."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from seq2seq.config.errors import UserError
from seq2seq.corpus.cache import Cache
from seq2seq.corpus.cards import Card
from seq2seq.corpus.hub import HubCorpus
from seq2seq.corpus.pairs import SentencePair

PAIRS = [(f"house {i} \u2028é", f"Haus {i} 你好") for i in range(25)]
EXPECTED = [SentencePair(*pair) for pair in PAIRS]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))


def hub_corpus(folder, *, streaming=False, **hub):
    columns = hub.pop("columns", {"en": "en", "de": "de"})
    card = Card.model_validate(
        {
            "name": "toy",
            "description": "",
            "languages": ["en", "de"],
            "source": "",
            "licence": "",
            "hub": {"id": "o/n", "columns": columns, **hub},
        }
    )
    cache = Cache(Path(os.environ["SEQ2SEQ_CACHE"]))
    return HubCorpus(card.hub, source="en", target="de", card=card, cache=cache, folder=folder, streaming=streaming)


def write_jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def columns_of(pairs):
    return [{"en": source, "de": target} for source, target in pairs]


@pytest.fixture
def multi30k_like(tmp_path):
    """Files as in bentrevett/multi30k: jsonl, a column for each language, the validation split named val."""
    folder = tmp_path / "bentrevett"
    write_jsonl(folder / "train.jsonl", columns_of(PAIRS))
    write_jsonl(folder / "val.jsonl", columns_of(PAIRS[:3]))
    return folder


@pytest.fixture
def europarl_like(tmp_path):
    """Files as in Helsinki-NLP/europarl: parquet in a folder for each pair, one column `translation` of structs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "helsinki"
    (folder / "de-en").mkdir(parents=True)
    for number, part in enumerate((PAIRS[:10], PAIRS[10:])):
        table = pa.table({"translation": columns_of(part)})
        pq.write_table(table, folder / "de-en" / f"train-0000{number}-of-00002.parquet")
    return folder


@pytest.mark.parametrize("streaming", [False, True])
def test_a_column_for_each_language(multi30k_like, streaming):
    corpus = hub_corpus(multi30k_like, splits={"valid": "validation"}, streaming=streaming)
    assert list(corpus.pairs("train")) == EXPECTED
    assert list(corpus.pairs("valid")) == EXPECTED[:3]


@pytest.mark.parametrize("streaming", [False, True])
def test_one_column_of_translations_in_several_files(europarl_like, streaming):
    columns = {"en": "translation.en", "de": "translation.de"}
    splits = {"train": "train[5:]", "valid": "train[:3]", "test": "train[3:5]", "late": "train[20:99]"}
    corpus = hub_corpus(europarl_like, config="de-en", columns=columns, splits=splits, streaming=streaming)
    assert list(corpus.pairs("train")) == EXPECTED[5:]
    assert list(corpus.pairs("valid")) == EXPECTED[:3]
    assert list(corpus.pairs("test")) == EXPECTED[3:5]
    assert list(corpus.pairs("late")) == EXPECTED[20:]


def test_missing_text_is_an_empty_side(tmp_path):
    write_jsonl(tmp_path / "f" / "train.jsonl", [{"en": "a", "de": None}, {"en": "b", "de": "c"}])
    assert list(hub_corpus(tmp_path / "f").pairs("train")) == [SentencePair("a", ""), SentencePair("b", "c")]


def test_no_word_of_a_table_is_taken_for_missing_text(tmp_path):
    (tmp_path / "train.csv").write_text('en,de\nNone,"Keine, nie"\nNA,null\n,leer\n')
    assert list(hub_corpus(tmp_path).pairs("train")) == [("None", "Keine, nie", None), ("NA", "null", None), ("", "leer", None)]


def test_wrong_columns_are_named(multi30k_like):
    with pytest.raises(UserError, match=r"no column 'german'; it has de, en; correct hub.columns"):
        list(hub_corpus(multi30k_like, columns={"en": "en", "de": "german"}).pairs("train"))
    write_jsonl(multi30k_like / "numbers.jsonl", [{"en": 1, "de": 2}])
    with pytest.raises(UserError, match="column 'en' does not hold text"):
        list(hub_corpus(multi30k_like).pairs("numbers"))
    with pytest.raises(UserError, match=r"hub.columns has no 'de'; it has en"):
        hub_corpus(multi30k_like, columns={"en": "en"})


def test_a_missing_split_and_a_damaged_file_are_said(multi30k_like):
    with pytest.raises(UserError, match="no split 'test'"):
        list(hub_corpus(multi30k_like).pairs("test"))
    (multi30k_like / "bad.parquet").write_bytes(b"not parquet")
    with pytest.raises(UserError, match="split 'bad': could not be read") as caught:
        list(hub_corpus(multi30k_like).pairs("bad"))
    assert "\n" not in str(caught.value)


def test_without_a_network_the_message_says_what_to_do(monkeypatch):
    def unreachable(*_, **__):
        raise ConnectionError("Couldn't reach 'o/n' on the Hub\nmore")

    monkeypatch.setattr("datasets.load_dataset", unreachable)
    with pytest.raises(
        UserError, match=r"hub o/n, split 'train': could not be read .*'o/n' on the Hub\).*train.en and train.de into"
    ):
        list(hub_corpus(None).pairs("train"))


def test_the_hub_is_asked_for_what_the_card_says_and_never_to_run_code(monkeypatch, multi30k_like):
    import datasets

    asked = []
    rows = datasets.load_dataset("json", data_files=str(multi30k_like / "train.jsonl"), split="train")
    monkeypatch.setattr("datasets.load_dataset", lambda *a, **k: asked.append((a, k)) or rows)
    corpus = hub_corpus(None, config="de-en", revision="abc", splits={"valid": "validation"})
    assert list(corpus.pairs("valid")) == EXPECTED
    assert asked == [(("o/n", "de-en"), {"revision": "abc", "split": "validation", "streaming": False})]


def test_a_folder_from_a_stranger_is_not_left(tmp_path):
    write_jsonl(tmp_path / "secret.jsonl", columns_of(PAIRS))
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "README.md").write_text("---\nconfigs:\n- config_name: default\n  data_files: ../secret.jsonl\n---\n")
    (folder / "f.py").write_text("raise SystemExit('this ran')\n")
    with pytest.raises(UserError, match="no split 'train'"):
        list(hub_corpus(folder).pairs("train"))
    (folder / "train.jsonl").symlink_to(tmp_path / "secret.jsonl")
    with pytest.raises(UserError, match="leads out of"):
        list(hub_corpus(folder).pairs("train"))


def test_the_fingerprint_is_of_the_bytes_and_no_row_is_read(multi30k_like, monkeypatch):
    monkeypatch.setattr(HubCorpus, "pairs", lambda *_: pytest.fail("read rows"))
    first = hub_corpus(multi30k_like).fingerprint("train")
    assert hub_corpus(multi30k_like).fingerprint("train") == first
    write_jsonl(multi30k_like / "train.jsonl", columns_of(PAIRS[1:]))
    assert hub_corpus(multi30k_like).fingerprint("train") != first


def test_the_fingerprint_on_the_hub_is_the_commit(monkeypatch):
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: pytest.fail("read rows"))
    pinned = [hub_corpus(None, revision=name).fingerprint("train") for name in ("abc", "abc", "def")]
    assert pinned[0] == pinned[1] != pinned[2]
    monkeypatch.setattr("datasets.load_dataset_builder", lambda *_: SimpleNamespace(hash="abc"))
    assert hub_corpus(None).fingerprint("train") == pinned[0]


def test_rows_are_those_of_the_file_whatever_its_date(multi30k_like):
    path = multi30k_like / "train.jsonl"
    status = path.stat()
    assert list(hub_corpus(multi30k_like).pairs("train")) == EXPECTED
    write_jsonl(path, columns_of(PAIRS[::-1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert list(hub_corpus(multi30k_like).pairs("train")) == EXPECTED[::-1]


@pytest.mark.parametrize(("known", "proxy", "offline"), [(True, False, False), (False, False, True), (False, True, False)])
def test_an_address_that_is_not_found_is_not_tried_for_long(monkeypatch, known, proxy, offline):
    import datasets

    def look_up(*_):
        if not known:
            raise OSError("name not known")

    def load(*_, **__):
        seen.append(datasets.config.HF_HUB_OFFLINE)
        raise ConnectionError("stop here")

    seen = []
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("socket.getaddrinfo", look_up)
    monkeypatch.setattr("seq2seq.corpus.hub.getproxies", lambda: {"https": "proxy"} if proxy else {})
    monkeypatch.setattr("datasets.load_dataset", load)
    before = dict(os.environ)
    with pytest.raises(UserError, match="stop here"):
        list(hub_corpus(None).pairs("train"))
    assert seen == [offline]
    assert not datasets.config.HF_HUB_OFFLINE  # the next corpus may be within reach
    assert dict(os.environ) == before
