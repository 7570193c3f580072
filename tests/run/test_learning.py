"""Whether a run was done learning, by hand-made logs."""

import json

import pytest

from seq2seq.run.learning import learning, learning_of


def log(losses, rates):
    """A validation every 100 updates, after a training line at that rate."""
    records = []
    for index, (loss, rate) in enumerate(zip(losses, rates, strict=True), start=1):
        records.append({"event": "train", "step": 100 * index, "loss": loss, "learning_rate": rate})
        records.append({"event": "validation", "step": 100 * index, "loss": loss})
    return records


FALLING = [5.0, 4.0, 3.0, 2.5, 2.3, 2.25, 2.24]
COSINE = [1.0, 0.9, 0.75, 0.5, 0.25, 0.1, 0.0]
FLAT = [2.3, 2.3, 2.3, 2.3, 2.3, 2.3, 2.3]


@pytest.mark.parametrize(
    ("losses", "rates", "state"),
    [
        (FALLING[:5], COSINE[:5], "still improving"),
        (FALLING, COSINE, "at rest because the rate is zero"),  # 2.25 to 2.24 at rate 0; 3.0 to 2.5 while it could move
        (FLAT, COSINE, "at rest"),
        (FALLING, [1.0] * 7, "at rest"),  # the rate could have moved it, and did not
        ([2.5, 2.3, 2.3], [1.0, 0.2, 0.0], "at rest because the rate is zero"),  # one validation before the decay shows nothing
        ([2.3], [1.0], "not known"),
        ([], [], "not known"),
    ],
)
def test_states(losses, rates, state):
    assert learning(log(losses, rates)).state == state


def test_which_validations_decided_is_said():
    assert learning(log(FALLING, COSINE)).judged_by == (
        "the validation loss before the decay, 4 validations at half of the highest rate or more"
    )
    assert learning(log(FALLING, [1.0] * 7)).judged_by.endswith("at 100% of the highest rate")


def test_a_log_is_read_up_to_the_line_that_was_cut_short(tmp_path):
    path = tmp_path / "log.jsonl"
    assert learning_of(path).state == "not known"
    path.write_text("".join(json.dumps(record) + "\n" for record in log(FALLING, COSINE)) + '{"event": "val')
    assert learning_of(path).state == "at rest because the rate is zero"
