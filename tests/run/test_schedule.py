"""The learning rate at the steps that a person can work out."""

import pytest

from seq2seq.config.training import TrainingSettings
from seq2seq.run.schedule import is_exhausted, learning_rate


def settings(**changes):
    return TrainingSettings(**{"learning_rate": 0.1, "warmup_steps": 10, "max_steps": 110, **changes})


@pytest.mark.parametrize("schedule", ["inverse_root", "linear", "cosine", "constant", "plateau"])
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


@pytest.mark.parametrize(
    ("scores", "rate", "exhausted"),
    [
        ([], 0.1, False),
        ([-3.0, -2.0, -1.0], 0.1, False),
        ([-3.0, -2.0, -2.0], 0.1, False),
        ([-3.0, -2.0, -2.0, -2.5], 0.05, False),  # an equal score is no improvement
        ([-3.0, -2.0, -2.0, -1.9, -2.5], 0.1, False),  # the count starts again with an improvement
        ([-3.0, -2.0, -2.0, -2.5, -2.1, -2.0], 0.025, False),
        ([-3.0, -2.0, -2.0, -2.5, -1.5, -2.0], 0.05, False),  # what was lowered stays low
        ([-3.0, -2.0, -2.0, -2.5, -2.1, -2.0, -2.0, -2.0], 0.0125, True),
    ],
)
def test_a_plateau_halves_after_two_validations_without_improvement(scores, rate, exhausted):
    chosen = settings(schedule={"kind": "plateau", "factor": 0.5, "patience": 2, "reductions": 2})
    assert learning_rate(5000, chosen, scores) == pytest.approx(rate)
    assert is_exhausted(scores, chosen) == exhausted
    assert not is_exhausted(scores, settings(schedule="constant"))


def test_small_improvements_do_not_count_but_add_up():
    chosen = settings(schedule={"kind": "plateau", "patience": 3, "threshold": 0.1})
    assert learning_rate(5000, chosen, [-2.0, -1.95, -1.9, -1.85]) == pytest.approx(0.1)  # together they are above 0.1
    assert learning_rate(5000, chosen, [-2.0, -1.99, -1.98, -1.97]) == pytest.approx(0.05)
