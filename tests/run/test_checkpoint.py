"""A checkpoint is whole or not there; damage is noticed; loading runs no code."""

import os
import pickle
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from seq2seq.config.errors import RunError, UserError
from seq2seq.run import checkpoint as module
from seq2seq.run.checkpoint import (
    Checkpoint,
    DamagedError,
    find_checkpoint,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    trainable_state,
)


def sample(value=1.0, step=3):
    return Checkpoint(
        {"w": torch.full((3, 2), value)}, {"0.exp_avg": torch.ones(3, 2)}, {"step": step, "deep": [1, {"a": 2.5}]}
    )


def test_round_trip(tmp_path):
    save_checkpoint(tmp_path / "last", sample())
    loaded = load_checkpoint(tmp_path / "last")
    assert loaded.state == sample().state
    torch.testing.assert_close(loaded.model["w"], sample().model["w"], rtol=0, atol=0)
    torch.testing.assert_close(loaded.optimizer["0.exp_avg"], torch.ones(3, 2), rtol=0, atol=0)


def test_two_generations_are_kept(tmp_path):
    for step in (1, 2, 3):
        save_checkpoint(tmp_path / "last", sample(step=step))
    assert load_checkpoint(tmp_path / "last").state["step"] == 3
    assert load_checkpoint(tmp_path / "last.previous").state["step"] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last", "last.previous"]


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("how", ["flip", "truncate", "empty", "remove"])
def test_damage_is_noticed_and_the_previous_one_used(tmp_path, name, how):
    save_checkpoint(tmp_path / "last", sample(step=1))
    save_checkpoint(tmp_path / "last", sample(step=2))
    path = tmp_path / "last" / name
    data = bytearray(path.read_bytes())
    if how == "flip":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif how == "truncate":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    with pytest.raises(DamagedError):
        load_checkpoint(tmp_path / "last")
    found, complaints = find_checkpoint(tmp_path / "last")
    assert found.state["step"] == 1
    assert "passed over" in complaints[0]


def test_nothing_there_is_no_complaint(tmp_path):
    assert find_checkpoint(tmp_path / "last") == (None, [])


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (self.path,))


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_a_hostile_pickle_is_data(tmp_path, name):
    """A pickle that would make a folder, renamed to each file of a checkpoint: refused, and no folder appears."""
    target = tmp_path / "it ran"
    save_checkpoint(tmp_path / "last", sample())
    payload = pickle.dumps(Bomb(str(target)))
    (tmp_path / "last" / name).write_bytes(payload)
    with pytest.raises(DamagedError):
        load_checkpoint(tmp_path / "last")
    assert not target.exists()
    pickle.loads(payload)  # the bomb is live
    assert target.exists()


def test_the_loading_path_has_no_pickle():
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert "torch.load" not in source
    assert "pickle" not in source


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_keeps_the_last_good_one(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "last", sample(step=1))

    def full(tensors, path):
        with Path("/dev/full").open("wb", buffering=0) as file:
            file.write(b"x")

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(RunError, match=r"No space left on device.*last complete one is kept"):
        save_checkpoint(tmp_path / "last", sample(step=2))
    assert load_checkpoint(tmp_path / "last").state["step"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


def model():
    return nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))


def test_weights_must_fit():
    there = trainable_state(model())
    load_weights(model(), there, "here")
    with pytest.raises(UserError, match=r"here: missing weights '1\.bias'"):
        load_weights(model(), {k: v for k, v in there.items() if k != "1.bias"}, "here")
    with pytest.raises(UserError, match="unexpected weights 'extra'"):
        load_weights(model(), {**there, "extra": torch.ones(1)}, "here")
    with pytest.raises(UserError, match=r"'0.weight' has shape \(5, 3\), this model's is \(2, 3\)"):
        load_weights(model(), {**there, "0.weight": torch.ones(5, 3)}, "here")


def test_a_shared_weight_is_stored_once():
    tied = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    tied[1].weight = tied[0].weight
    assert list(trainable_state(tied)) == ["0.weight"]
