"""Where a corpus is looked for, in which order, and what is said when it is nowhere."""

import json
import shutil

import pytest

from seq2seq.config.data import DataSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.embedded import GrammarCorpus
from seq2seq.corpus.files import FileCorpus
from seq2seq.corpus.hub import HubCorpus
from seq2seq.corpus.lookup import open_corpus

CARD = "# Corpus card\nname: mine\ndescription: d\nlanguages: [en, xx]\nsource: s\nlicence: l\n"


def find(said, **changes):
    return open_corpus(DataSettings(**{"corpus": "toy", "source": "en", "target": "xx", **changes}), report=said.append)


def test_the_data_folder(corpus_folder, said):
    corpus = find(said)
    assert isinstance(corpus, FileCorpus)
    assert corpus.splits() == ("test", "train", "valid")
    assert said == [f"corpus toy: files in {corpus_folder}"]


def test_a_path_comes_first(corpus_folder, tmp_path, said):
    shutil.copytree(corpus_folder, tmp_path / "copy")
    assert find(said, path=str(tmp_path / "copy")).folder == tmp_path / "copy"


def test_a_path_that_is_not_there_is_not_replaced_by_another_place(corpus_folder, tmp_path, said):
    with pytest.raises(UserError, match=r"corpus 'toy' was not found; tried data.path .*nowhere \(no such folder\)"):
        find(said, path=str(tmp_path / "nowhere"))
    assert said == []


def test_a_card_of_ones_own_stands_beside_its_files(corpus_folder, said):
    (corpus_folder / "mine.yaml").write_text(CARD)
    corpus = find(said, corpus=str(corpus_folder / "mine.yaml"))
    assert (corpus.folder, corpus.card.name) == (corpus_folder, "mine")
    (corpus_folder.parent / "mine.yaml").write_text(CARD + "folder: toy\n")
    assert find(said, corpus=str(corpus_folder.parent / "mine.yaml")).folder.samefile(corpus_folder)


def test_a_card_cannot_lead_out_through_a_link(tmp_path, said):
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "door").symlink_to(tmp_path)
    (tmp_path / "cards" / "mine.yaml").write_text(CARD + "folder: door\n")
    with pytest.raises(UserError, match="leads out of"):
        find(said, corpus=str(tmp_path / "cards" / "mine.yaml"))


def test_a_missing_card_file_is_said(tmp_path, said):
    with pytest.raises(UserError, match=r"nothing\.yaml: no such file"):
        find(said, corpus=str(tmp_path / "nothing.yaml"))


@pytest.mark.parametrize("name", ["../outside", "/etc", "a/../../b", "..", "."])
def test_a_name_cannot_lead_out_of_the_data_folder(corpus_folder, said, name):
    with pytest.raises(UserError, match="is neither a name nor the path of a card"):
        find(said, corpus=name)


def test_a_person_may_link_a_corpus_folder(corpus_folder, tmp_path, said):
    corpus_folder.rename(tmp_path / "elsewhere")
    corpus_folder.symlink_to(tmp_path / "elsewhere")
    assert next(find(said).pairs("train")).source


def test_the_hub_is_last_and_the_places_before_it_are_said(tmp_path, monkeypatch, said):
    monkeypatch.setenv("SEQ2SEQ_DATA", str(tmp_path))
    corpus = find(said, corpus="multi30k", source="de", target="en")
    assert isinstance(corpus, HubCorpus)
    assert said == ["corpus multi30k: hub bentrevett/multi30k; not at $SEQ2SEQ_DATA/multi30k (no such folder)"]
    monkeypatch.delenv("SEQ2SEQ_DATA")
    find(said, corpus="multi30k", source="de", target="en")
    assert said[1].endswith("; not at $SEQ2SEQ_DATA (not set)")


def test_a_folder_laid_out_as_on_the_hub(tmp_path, said, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "hf"))
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "train.jsonl").write_text(json.dumps({"en": "a", "de": "b"}) + "\n")
    corpus = find(said, corpus="multi30k", target="de", path=str(tmp_path / "mirror"))
    assert [tuple(pair) for pair in corpus.pairs("train")] == [("a", "b", None)]
    assert said == [f"corpus multi30k: files in {tmp_path / 'mirror'}"]


def test_a_corpus_that_is_nowhere_comes_with_the_ways_to_get_it(monkeypatch, said, tmp_path):
    monkeypatch.delenv("SEQ2SEQ_DATA", raising=False)
    with pytest.raises(UserError) as caught:
        find(said, corpus="europarl-en-frr")
    message = str(caught.value)
    for part in (
        "'europarl-en-frr' was not found; did you mean 'europarl-en-fr'?",
        "$SEQ2SEQ_DATA (not set)",
        "train.en[.gz]",
        "grammar",
    ):
        assert part in message
    assert "\n" not in message
    monkeypatch.setenv("SEQ2SEQ_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"tried \$SEQ2SEQ_DATA/canada-laws-en-fr .*Department of Justice"):
        find(said, corpus="canada-laws-en-fr", target="fr")


def test_a_language_the_corpus_does_not_have(said):
    with pytest.raises(UserError, match=r"data.target: corpus multi30k has no 'xx'; it has en, de, fr"):
        find(said, corpus="multi30k")


def test_the_embedded_corpus_needs_nothing(said):
    corpus = find(said, corpus="grammar", target="de", grammar={"train_pairs": 5, "valid_pairs": 3, "test_pairs": 4})
    assert isinstance(corpus, GrammarCorpus)
    assert said == ["corpus grammar: embedded"]
    pairs = list(corpus.pairs("test"))
    assert len(pairs) == 4
    turned = find(
        said, corpus="grammar", source="de", target="en", grammar={"train_pairs": 5, "valid_pairs": 3, "test_pairs": 4}
    )
    for pair, other in zip(pairs, turned.pairs("test"), strict=True):
        assert (other.source, other.target) == (pair.target, pair.source)
        assert set(other.links) == {(t, s) for s, t in pair.links}
    assert corpus.fingerprint("test") == corpus.fingerprint("test") != turned.fingerprint("test")
    assert corpus.fingerprint("train") != corpus.fingerprint("test")
    for call in (corpus.fingerprint, lambda split: list(corpus.pairs(split))):
        with pytest.raises(UserError, match="no split 'dev'; it has train, valid, test"):
            call("dev")
