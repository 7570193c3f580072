"""Paths in a study are those of its own folder, wherever the command is run."""

import pytest

from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_study, with_absolute_paths
from seq2seq.corpus.lookup import open_corpus

CARD = "name: mine\ndescription: d\nlanguages: [en, de]\nsource: s\nlicence: l\n"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A study's folder `a`, and the folder `b` that the command is run from."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "b")
    monkeypatch.delenv("SEQ2SEQ_DATA", raising=False)
    return tmp_path / "a", tmp_path / "b"


def fill(folder):
    folder.mkdir(exist_ok=True)
    for language in ("en", "de"):
        (folder / f"train.{language}").write_text("a\n")
    return folder


def data_of(folder, data, *overrides):
    (folder / "study.yaml").write_text(f"base:\n  data: {{{data}, source: en, target: de}}\nsystems: {{only: {{}}}}\n")
    return load_study(f"../{folder.name}/study.yaml", overrides).systems["only"].data


def opened(data):
    return open_corpus(data, report=lambda text: None).folder


def test_a_path_is_below_the_study_and_needs_no_corpus(folders):
    a, _ = folders
    data = data_of(a, "path: my-data")
    assert (data.path, data.corpus) == (str(a / "my-data"), "my-data")
    assert opened(data_of(fill(a / "my-data").parent, "path: my-data")) == a / "my-data"
    assert data_of(a, "path: .").corpus == "a"


def test_a_path_of_the_current_folder_still_works_and_one_of_the_command_line_is_meant_so(folders):
    a, b = folders
    fill(b / "here")
    assert data_of(a, "path: here").path == str(b / "here")
    fill(a / "here")
    assert data_of(a, "path: here").path == str(a / "here")
    assert data_of(a, "path: elsewhere", "data.path=here").path == str(b / "here")


def test_a_card_is_below_the_study_and_its_files_beside_it_or_in_the_data_folder(folders, monkeypatch):
    a, b = folders
    (a / "mine.yaml").write_text(CARD)
    data = data_of(a, "corpus: mine.yaml")
    assert data.corpus == str(a / "mine.yaml")
    monkeypatch.setenv("SEQ2SEQ_DATA", str(b / "data"))
    with pytest.raises(UserError) as caught:
        opened(data)
    assert f"{a} (no *.en there)" in str(caught.value)
    assert "$SEQ2SEQ_DATA/mine (no such folder)" in str(caught.value)
    (b / "data").mkdir()
    fill(b / "data" / "mine")
    assert opened(data) == b / "data" / "mine"
    assert opened(data_of(fill(a), "corpus: mine.yaml")) == a


def test_a_card_that_lacks_something_points_to_a_complete_one(folders):
    a, _ = folders
    (a / "mine.yaml").write_text("name: mine\nsource: s\n")
    with pytest.raises(UserError, match=r"mine\.yaml: description: missing; .*; see data/multi30k\.yaml"):
        opened(data_of(a, "corpus: mine.yaml"))


@pytest.mark.parametrize("path", ["/abs", "~/home", "", None, 3])
def test_what_is_no_relative_path_is_left_alone(tmp_path, path):
    settings = {"base": {"data": {"path": path, "corpus": "multi30k"}}, "systems": {"a": None}}
    assert with_absolute_paths(settings, tmp_path) == settings
