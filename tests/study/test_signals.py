"""A signal to a study reaches every run: each saves and ends, and the exit status says which signal it was."""

import os
import signal
import time
from pathlib import Path

import pytest

from seq2seq.run.checkpoint import load_checkpoint
from seq2seq.run.folder import RunFolder
from tests.faults.child import Command
from tests.faults.table import TABLE
from tests.tiny import tiny_study, write_study

LONG = {"max_steps": 1_000_000, "validate_every": 1_000_000, "save_every": 1_000_000, "log_every": 5}
SYSTEMS = ("none", "additive")


class Pair(Command):
    """Both systems of a study, side by side."""

    def __init__(self, folder, study):
        super().__init__(write_study(folder, study), folder / "runs", folder / "cache")
        self.arguments = ["train", str(self.study), "--out", str(self.out), "--jobs", "2"]
        self.folders = [RunFolder(self.out / name / "seed-1") for name in SYSTEMS]

    def wait(self, child, ready):
        until = time.monotonic() + 500  # on a machine that has other things to do
        while not ready():
            assert child.exitcode is None, self.output.read_text()
            assert time.monotonic() < until, self.output.read_text()
            time.sleep(0.05)

    def end(self, child):
        child.join(300)
        assert child.exitcode is not None, f"hangs: {self.output.read_text()}"
        return child.exitcode, self.output.read_text()


def trains(folder):
    return folder.log.exists() and b"train" in folder.log.read_bytes()


def saved(folder):
    """The run let go of its folder, with all its steps."""
    with folder.locked():
        return load_checkpoint(folder.last).state["position"]["step"]


def children(pid):
    return [int(number) for place in Path(f"/proc/{pid}/task").glob("*/children") for number in place.read_text().split()]


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGHUP, signal.SIGINT))]
)
def test_a_signal_to_the_study_ends_and_saves_every_run(tmp_path, number, times):
    study = Pair(tmp_path, tiny_study(training=LONG))
    child = study.start()
    study.wait(child, lambda: all(map(trains, study.folders)))
    with TABLE.trying("a signal to a study"):
        for _ in range(times):
            os.kill(child.pid, number)
            time.sleep(0.3)
        status, output = study.end(child)
        assert status == 128 + number, output
        assert "stopped; every run is saved" in output
        assert output.count("everything is saved; the same command resumes here") == 2
        assert all(saved(folder) >= 5 for folder in study.folders)


def test_a_study_that_is_killed_leaves_no_run_behind(tmp_path):
    study = Pair(tmp_path, tiny_study(training=LONG))
    child = study.start()
    study.wait(child, lambda: all(map(trains, study.folders)))
    runs = children(child.pid)
    assert len(runs) >= 2
    with TABLE.trying("kill -9 to a study"):
        os.kill(child.pid, signal.SIGKILL)
        until = time.monotonic() + 100
        while any(Path(f"/proc/{pid}").exists() for pid in runs) and time.monotonic() < until:
            time.sleep(0.1)
        assert all(saved(folder) >= 5 for folder in study.folders)


@pytest.mark.slow
def test_a_signal_to_one_run_leaves_the_others_alone(tmp_path):
    content = tiny_study(training={"max_steps": 5})
    content["systems"]["additive"]["training"] = LONG
    study = Pair(tmp_path, content)
    child = study.start()
    study.wait(child, lambda: trains(study.folders[1]))
    last = children(child.pid)[-1]
    with TABLE.trying("a signal to one run of a study"):
        os.kill(last, signal.SIGTERM)
        status, output = study.end(child)
        assert status == 1, output
        assert "additive seed 1" in output.splitlines()[-1]
        assert "the same command resumes" in output.splitlines()[-1]
        assert study.folders[0].is_finished()
        assert saved(study.folders[1]) >= 5
