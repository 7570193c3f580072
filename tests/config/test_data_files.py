import pytest

from seq2seq.config import data_files
from seq2seq.config.errors import UserError


def test_the_checkout_comes_first():
    assert data_files.data_path("grammar", "nouns.yaml").read_text(encoding="utf-8").startswith("#")


def test_the_installed_copy_is_found_without_a_checkout(tmp_path, monkeypatch):
    installed = tmp_path / "share" / "seq2seq" / "data" / "cards"
    installed.mkdir(parents=True)
    monkeypatch.setattr(data_files, "__file__", str(tmp_path / "site-packages" / "seq2seq" / "config" / "data_files.py"))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert data_files.data_path("cards") == installed


def test_missing_data_name_both_places(tmp_path, monkeypatch):
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(UserError, match=r"no/such\.yaml: not in .*data \(a checkout\) nor in .*share/seq2seq/data"):
        data_files.data_path("no", "such.yaml")


def test_pip_install_target_puts_data_beside_the_packages(tmp_path, monkeypatch):
    cards = tmp_path / "share" / "seq2seq" / "data" / "cards"
    cards.mkdir(parents=True)
    monkeypatch.setattr(data_files, "__file__", str(tmp_path / "seq2seq" / "config" / "data_files.py"))
    assert data_files.data_path("cards") == cards


def test_pip_install_user_puts_data_below_the_home_folder(tmp_path, monkeypatch):
    cards = tmp_path / "share" / "seq2seq" / "data" / "cards"
    cards.mkdir(parents=True)
    monkeypatch.setattr(data_files, "__file__", str(tmp_path / "site-packages" / "seq2seq" / "config" / "data_files.py"))
    monkeypatch.setattr("site.USER_BASE", str(tmp_path))
    assert data_files.data_path("cards") == cards
