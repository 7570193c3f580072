import pytest

from seq2seq.config import data_files
from seq2seq.config.errors import UserError


def test_a_checkout_has_its_files_at_the_top():
    assert data_files.data_path("grammar", "nouns.yaml").read_text(encoding="utf-8").startswith("#")
    assert "demo" in data_files.shipped_studies()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package that was installed beside others, one of which brings a `data` of its own."""
    package = tmp_path / "seq2seq"
    (package / "data").mkdir(parents=True)
    (package / "configs").mkdir()
    (package / "configs" / "multi30k.yaml").write_text("")
    (package / "data" / "card.yaml").write_text("ours")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "card.yaml").write_text("somebody else's")
    monkeypatch.setattr(data_files, "_PACKAGE", package)
    return package


def test_an_installed_package_has_its_files_inside(installed):
    assert data_files.data_path("card.yaml").read_text() == "ours"
    assert data_files.shipped_studies() == {"multi30k": installed / "configs" / "multi30k.yaml"}


def test_missing_data_name_both_places(installed):
    with pytest.raises(UserError, match=r"no/such\.yaml: neither in .*seq2seq \(an installation\) nor in .* \(a checkout\)"):
        data_files.data_path("no", "such.yaml")


def test_a_study_is_a_file_or_a_name(installed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped, own = installed / "configs" / "multi30k.yaml", tmp_path / "multi30k"
    assert data_files.find_study(type(own)("multi30k")) == shipped
    own.mkdir()  # a folder of that name is no study
    assert data_files.find_study(type(own)("multi30k")) == shipped
    (tmp_path / "mine.yaml").write_text("")
    assert data_files.find_study(type(own)("mine.yaml")).is_file()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("multi30", r"multi30: no such file, and no study of this name ships .*; did you mean multi30k\?"),
        ("configs/multi30k.yaml", r"no such file; the study that ships with the package is called by its name, multi30k"),
        ("own.yaml", r"own.yaml: no such file; did you mean owm.yaml\?"),
        ("unlike", r"seq2seq studies lists them\)$"),
    ],
)
def test_a_study_that_is_not_there_suggests_one(installed, tmp_path, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owm.yaml").write_text("")
    with pytest.raises(UserError, match=said):
        data_files.find_study(type(tmp_path)(given))
