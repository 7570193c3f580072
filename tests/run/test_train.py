"""What follows the last update: which weights are evaluated, and that their steps are named."""

import json

import pytest
import torch

from seq2seq.config.loading import load_study
from seq2seq.run.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from seq2seq.run.folder import RunFolder
from seq2seq.run.train import average_checkpoints, train_run
from tests.tiny import tiny_study, write_study


def test_an_average_is_the_mean_of_its_steps(tmp_path):
    for step, value in ((10, 1.0), (20, 4.0), (30, 7.0)):
        save_checkpoint(tmp_path / f"{step}", Checkpoint({"w": torch.tensor([value, -value])}, {}, {"step": step}))
    average = average_checkpoints([tmp_path / "10", tmp_path / "20", tmp_path / "30"])
    assert average.model["w"].tolist() == [4.0, -4.0]
    assert average.state == {"step": 30, "averaged": 3, "steps": [10, 20, 30]}


def trained(tmp_path, **training):
    training = {"validate_every": 3, "max_steps": 12, "average_last": 3, "precision": "fp32", **training}
    settings = load_study(write_study(tmp_path, tiny_study(training=training))).systems["additive"]
    folder = RunFolder(tmp_path / "run" / "additive" / "seed-1")
    train_run(settings, seed=1, path=folder.path, arguments=[])
    log = [json.loads(line) for line in folder.log.read_text().splitlines()]
    return folder, {record["step"]: record["loss"] for record in log if record["event"] == "validation"}


@pytest.mark.parametrize(
    ("learning", "average_wins"),
    [
        ({"learning_rate": 0.003, "warmup_steps": 0}, False),  # learning fast: the mean lags behind the last
        ({"learning_rate": 1.0, "warmup_steps": 0, "max_steps": 24}, True),  # jumping about: the mean lies between
    ],
)
def test_the_better_of_average_and_best_translates_and_is_named(tmp_path, capsys, learning, average_wins):
    folder, losses = trained(tmp_path, **learning)
    summary, facts = folder.read_summary(), json.loads(folder.hypotheses("test").with_suffix(".json").read_text())
    best = min(losses, key=losses.get)
    assert summary["best_step"] == best
    last = list(losses)[-3:]
    expected = f"average of steps {', '.join(map(str, last))}" if average_wins else f"step {best}"
    assert (summary["evaluated"], facts["weights"]) == (expected, expected)
    assert facts["step"] == (last[-1] if average_wins else best)
    assert folder.averaged.exists() == average_wins
    if average_wins:
        assert load_checkpoint(folder.averaged).state["steps"] == last
    assert f"average of steps {', '.join(map(str, last))}: validation loss" in capsys.readouterr().err
