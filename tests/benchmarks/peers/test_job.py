import sys
import time
from pathlib import Path

import pytest

from benchmarks.peers.job import Clock, Job, call_before, lengths, run_command


class Trainer:
    def step(self, number, *, twice=False):
        time.sleep(0.01)
        return number * (2 if twice else 1)


def test_calls_are_seen_and_answered(monkeypatch):
    seen = []
    monkeypatch.setattr(Trainer, "step", Trainer.step)  # put back afterwards
    call_before(Trainer, "step", lambda _, number, **named: seen.append((number, named)))
    clock = Clock(Trainer, "step")
    assert Trainer().step(3, twice=True) == 6
    assert seen == [(3, {"twice": True})]
    assert 0.01 <= clock.seconds < 1


def test_a_command_gets_its_arguments_and_may_exit_well(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["before"])

    def main():
        assert sys.argv == ["train", "--steps", "3"]
        raise SystemExit(0)

    run_command(main, "train", "--steps", 3)
    with pytest.raises(SystemExit, match="wrong"):
        run_command(lambda: sys.exit("wrong"), "train")


def test_files_of_a_job(tmp_path):
    job = Job(peer="onmt", model="A2", pieces=tmp_path, work=tmp_path, threads=1)
    assert job.write_config({"steps": 3}) == tmp_path / "onmt-A2.json"
    (tmp_path / "out").write_text("▁a b\n\n▁c\n", encoding="utf-8")
    assert lengths(Path(tmp_path / "out")) == [2, 0, 1]
