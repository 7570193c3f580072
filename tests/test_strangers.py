"""A run folder from somebody else: reading it runs nothing that it brings, whatever its files are called."""

import pickle

import pytest
import torch

from seq2seq.cli import main
from seq2seq.config.data import TokenizerSettings
from seq2seq.config.loading import imported_class, load_study
from seq2seq.corpus.tokenizer import Tokenizer
from seq2seq.run.checkpoint import Checkpoint, save_checkpoint
from seq2seq.run.folder import RunFolder, dump_yaml
from seq2seq.run.replay import main as replay
from tests.run.test_checkpoint import Bomb
from tests.tiny import tiny_study, write_study

FILES = ("checkpoints/best/model.safetensors", "checkpoints/best/state.json", "tokenizer/source.model", "config.yaml")


@pytest.fixture
def downloaded(tmp_path):
    """A run folder that could have come from anywhere; its weights fit no model, which no test here gets to know."""
    folder = RunFolder(tmp_path / "runs" / "additive" / "seed-1")
    settings = load_study(write_study(tmp_path, tiny_study())).systems["additive"]
    folder.claim(settings.model_dump(mode="json"))
    tokenizer = Tokenizer.train((f"ein Satz {i}" for i in range(100)), TokenizerSettings(vocabulary_size=280))
    folder.tokenizers.mkdir()
    for side in ("source", "target"):
        tokenizer.save(folder.tokenizers / f"{side}.model")
    save_checkpoint(folder.best, Checkpoint({"w": torch.ones(2)}, {}, {"step": 1}))
    return folder


def refused(command, capsys):
    """The command ends with one line, and says it is the user's to mend."""
    assert command() == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line]
    assert sum(line.startswith("error: ") for line in errors) == 1
    assert not any("Traceback" in line for line in errors)
    return " ".join(errors)


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_pickle_in_place_of_any_file(tmp_path, downloaded, capsys, name):
    payload = pickle.dumps(Bomb(str(tmp_path / "it ran")))
    (downloaded.path / name).write_bytes(payload)
    refused(lambda: main(["translate", str(downloaded.path)]), capsys)
    assert not (tmp_path / "it ran").exists()
    pickle.loads(payload)  # the bomb is live
    assert (tmp_path / "it ran").exists()


@pytest.mark.parametrize("place", ["attention", "encoder"])
def test_a_class_that_the_config_names_is_not_imported(tmp_path, downloaded, capsys, monkeypatch, place):
    """The module lies beside the run and on the path, as for somebody who works in the folder he has downloaded."""
    ran = tmp_path / "it ran"
    score = f"brought_along_{place}:MyScore"  # a name of its own: a module is imported once in a process
    (tmp_path / f"brought_along_{place}.py").write_text(f"import pathlib\npathlib.Path({str(ran)!r}).mkdir()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    study = tiny_study()
    if place == "encoder":
        study["base"]["model"]["encoder"] = {
            "kind": "transformer",
            "hidden_size": 16,
            "self_attention": {"score": score},
        }
    else:
        study["systems"]["additive"]["model"]["attention"]["score"] = score
    settings = load_study(write_study(tmp_path, study)).systems["additive"].model_dump(mode="json")
    downloaded.config.write_text(dump_yaml(settings))
    save_checkpoint(downloaded.accident, Checkpoint({"w": torch.ones(2)}, {}, {}))
    for command in (lambda: main(["translate", str(downloaded.path)]), lambda: replay([str(downloaded.path)])):
        assert f"imports {score}, which runs code; give --allow-code" in refused(command, capsys)
        assert not ran.exists()
    main(["translate", str(downloaded.path), "--allow-code"])
    assert ran.exists()  # asked for, it runs


def test_a_class_is_found_however_deep_it_hides():
    assert imported_class({"a": [{"b": ({"kind": "custom", "path": "m:C"},)}]}) == "m:C"
    assert imported_class({"a": [{"b": "m:C"}]}) is None
