"""The learning rate at the steps that a person can work out."""

import pytest

from seq2seq.config.training import TrainingSettings
from seq2seq.run.schedule import learning_rate


def settings(**changes):
    return TrainingSettings(**{"learning_rate": 0.1, "warmup_steps": 10, "max_steps": 110, **changes})


@pytest.mark.parametrize("schedule", ["inverse_root", "linear", "cosine", "constant"])
def test_warms_up_linearly_to_the_peak(schedule):
    chosen = settings(schedule=schedule)
    assert learning_rate(1, chosen) == pytest.approx(0.01)
    assert learning_rate(5, chosen) == pytest.approx(0.05)
    assert learning_rate(10, chosen) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        ("inverse_root", 40, 0.05),
        ("linear", 60, 0.05),
        ("linear", 110, 0.0),
        ("cosine", 60, 0.05),
        ("cosine", 110, 0.0),
        ("constant", 5000, 0.1),
        ({"kind": "linear", "final": 0.2}, 110, 0.02),
        ({"kind": "cosine", "final": 0.2}, 500, 0.02),
    ],
)
def test_after_warmup(schedule, step, expected):
    assert learning_rate(step, settings(schedule=schedule)) == pytest.approx(expected)


def test_no_warmup_starts_at_the_peak():
    assert learning_rate(1, settings(warmup_steps=0)) == pytest.approx(0.1)
