"""Which runs a command asks for."""

import json
from pathlib import Path

import pytest

from seq2seq.config.loading import load_study
from seq2seq.study.runner import list_runs


@pytest.mark.parametrize(
    ("systems", "seeds", "runs"),
    [
        ((), (), ["none 1", "dot 1", "none 2"]),  # seed by seed
        ((), (2,), ["none 2"]),  # a seed of the study: of those that have it
        ((), (2, 1), ["none 2", "none 1", "dot 1"]),
        ((), (7,), ["none 7", "dot 7"]),  # a new one: of all
        (("dot",), (2,), ["dot 2"]),
        (("dot", "dot"), (), ["dot 1"]),
    ],
)
def test_seeds_asked_for(tmp_path, systems, seeds, runs):
    study = {
        "base": {"data": {"corpus": "grammar", "source": "en", "target": "de"}, "training": {"max_steps": 1}},
        "systems": {
            "none": {"model": {"attention": {"score": "none"}}, "training": {"seeds": [1, 2]}},
            "dot": {"model": {"attention": {"score": "dot"}}, "training": {"seeds": [1]}},
        },
    }
    (tmp_path / "study.yaml").write_text(json.dumps(study))
    found = list_runs(load_study(tmp_path / "study.yaml"), Path("runs"), systems, seeds)
    assert [f"{run.system} {run.seed}" for run in found] == runs
