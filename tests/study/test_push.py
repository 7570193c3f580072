"""What is published on the hub, and read from there, with a folder in the hub's place."""

import io
import json
import shutil

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.errors import LocalTokenNotFoundError

from seq2seq.cli import main
from seq2seq.run.folder import RunFolder
from seq2seq.run.trained import local_path, read_settings
from seq2seq.study import push as pushing
from tests.tiny import tiny_study, write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of two systems, trained for three steps, with its report."""
    folder = tmp_path_factory.mktemp("study")
    config = write_study(folder, tiny_study(training={"max_steps": 3, "validate_every": 3, "seeds": [1]}))
    assert main(["train", str(config), "--out", str(folder / "runs")]) == 0
    if not (folder / "runs" / "report").exists():
        assert main(["report", str(folder / "runs")]) == 0
    return folder / "runs"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub that is a folder."""

    class Hub:
        def create_repo(self, name, private, exist_ok):
            (tmp_path / "hub" / name).mkdir(parents=True, exist_ok=exist_ok)
            return f"https://hub.example/{name}"

        def upload_folder(self, repo_id, folder_path, commit_message):
            shutil.copytree(folder_path, tmp_path / "hub" / repo_id, dirs_exist_ok=True)

    monkeypatch.setattr(pushing, "HfApi", Hub)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, allow_patterns: str(tmp_path / "hub" / name))
    return tmp_path / "hub"


@pytest.mark.slow
def test_a_run_goes_to_the_hub_and_translates_from_there(study, hub, monkeypatch, capsys):
    run = study / "additive" / "seed-1"
    assert main(["push", str(run), "me/additive-tiny", "--license", "mit"]) == 0
    assert "https://hub.example/me/additive-tiny" in capsys.readouterr().out
    place = hub / "me" / "additive-tiny"
    files = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    weights = {path for path in files if path.startswith("checkpoints/")}
    assert {path.rpartition("/")[2] for path in weights} == {"model.safetensors", "state.json"}
    assert files - weights == {
        "README.md",
        "config.yaml",
        "environment.json",
        "summary.json",
        "tokenizer/source.model",
        "tokenizer/target.model",
    }
    card = ModelCard.load(place / "README.md")
    report = json.loads((study / "report" / "report.json").read_text())
    (result,) = card.data.eval_results
    assert (result.metric_type, result.dataset_split) == ("sacrebleu", "test")
    assert result.metric_value == pytest.approx(report["systems"]["additive"]["seed_bleu"][0], abs=0.005)
    assert result.metric_args == {"signature": report["signature"]}
    assert (card.data.license, card.data.language) == ("mit", ["en", "de"])
    assert "v . tanh(W_q q + W_k k)" in card.content
    assert "hub:me/additive-tiny <" in card.content

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"the old man\n")))
    assert main(["translate", "hub:me/additive-tiny"]) == 0
    from_hub = capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"the old man\n")))
    assert main(["translate", str(run)]) == 0
    assert capsys.readouterr().out == from_hub


@pytest.mark.slow
def test_a_study_is_written_to_a_folder_and_keeps_its_shape(study, hub, tmp_path):
    assert main(["push", str(study), "me/tiny", "--folder", str(tmp_path / "out")]) == 0
    assert not hub.exists()
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert len(card.data.eval_results) == 2
    assert (tmp_path / "out" / "none" / "seed-1" / "config.yaml").is_file()
    assert main(["push", str(study), "me/tiny", "--folder", str(tmp_path / "out")]) == 2


@pytest.mark.slow
@pytest.mark.slow
def test_the_folder_of_a_corpus_stays_at_home(study, monkeypatch, tmp_path):
    settings = read_settings(RunFolder(study / "additive" / "seed-1"))
    at_home = settings.model_copy(update={"data": settings.data.model_copy(update={"path": "/home/me/corpora"})})
    monkeypatch.setattr("seq2seq.study.publish.read_settings", lambda run: at_home)
    assert main(["push", str(study / "additive" / "seed-1"), "me/tiny", "--folder", str(tmp_path / "out")]) == 0
    written = (tmp_path / "out" / "config.yaml").read_text(encoding="utf-8")
    assert "path: null" in written
    assert "/home/me" not in written


class NoConnection(Exception):
    """An error of an HTTP client, which is no OSError."""


@pytest.mark.parametrize("kind", [LocalTokenNotFoundError, NoConnection])
def test_a_hub_that_refuses_is_one_line(study, hub, monkeypatch, capsys, kind):
    def refuse(self, name, private, exist_ok):
        raise kind("Token is required\nand much more")

    monkeypatch.setattr(pushing.HfApi, "create_repo", refuse)
    assert main(["push", str(study), "me/tiny"]) == 2
    assert "not published (Token is required); `hf auth login`" in capsys.readouterr().err


def test_what_cannot_be_pushed_or_named(tmp_path, capsys):
    (tmp_path / "additive" / "seed-1").mkdir(parents=True)
    (tmp_path / "additive" / "seed-1" / "config.yaml").touch()
    assert main(["push", str(tmp_path), "me/x"]) == 2
    assert "no finished run" in capsys.readouterr().err
    for name in ("hub:me", "hub:me/x/../../etc", "hub:"):
        assert main(["translate", name]) == 2
        assert "not a name on the hub" in capsys.readouterr().err
    assert local_path(tmp_path) == tmp_path


def test_a_run_of_a_study_is_read_by_the_name_of_any_system(hub):
    for system in ("gates-0.01", "a+b", "größe"):
        assert local_path(f"hub:me/tiny/{system}/seed-1") == hub / "me" / "tiny" / system / "seed-1"


def test_a_hub_out_of_reach_is_one_line(monkeypatch, capsys):
    def fail(name, allow_patterns):
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    assert main(["translate", "hub:me/x"]) == 2
    assert "hub:me/x: cannot be downloaded (no route)" in capsys.readouterr().err
