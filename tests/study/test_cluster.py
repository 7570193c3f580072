"""A study's runs as jobs: on submitit's local executor everywhere, on a real Slurm where one answers."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seq2seq.cli import main
from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_study
from seq2seq.run.checkpoint import load_checkpoint
from seq2seq.study.cluster import RunJob, submit_study
from seq2seq.study.runner import train_study
from tests.faults.table import TABLE
from tests.tiny import tiny_study, write_study

pytest.importorskip("submitit")


def slurm_answers():
    try:
        return subprocess.run(["sinfo", "-h", "-t", "idle,mix,alloc"], capture_output=True, timeout=10).stdout != b""
    except (OSError, subprocess.TimeoutExpired):
        return False


needs_slurm = pytest.mark.skipif(not slurm_answers(), reason="no Slurm answers here")


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    study = tiny_study(training={"max_steps": 4})
    study["systems"]["broken"] = {
        "training": {"learning_rate": 100, "warmup_steps": 0, "clip_norm": 1e30},
        "model": {"attention": {"score": "cosine"}},  # whose temperature is an exponential
    }
    return write_study(tmp_path, study)


def check(study, out, kind, capfd):
    """One system works, another one cannot: the first is finished, the second named, the exit status tells."""
    arguments = ["train", str(study), "--system", "additive", "--system", "broken", "--out", str(out)]
    arguments += ["--cluster-option", "timeout_min=10", "--cluster", kind]
    assert main(arguments) == 1
    output = capfd.readouterr().err
    assert re.search(r"\[additive seed 1\] is job \w+, output in ", output)
    assert "[additive seed 1] is finished" in output
    assert "[broken seed 1] failed" in output
    assert "is not finite" in output
    assert "1 of the runs failed: broken seed 1; any others are finished" in output
    assert main([*arguments[:4], *arguments[6:]]) == 0
    assert "[additive seed 1] is finished; skipped" in capfd.readouterr().err


@pytest.mark.slow
def test_a_study_as_local_jobs(study, tmp_path, capfd):
    check(study, tmp_path / "runs", "local", capfd)


def test_a_job_is_its_command_and_saves_when_the_machine_wants_it_back(tmp_path):
    assert RunJob([sys.executable, "-c", "raise SystemExit(3)"], str(tmp_path))() == 3
    job = RunJob(["sh", "-c", "trap 'touch saved; exit' TERM; touch begun; while true; do sleep 0.05; done"], str(tmp_path))
    job._child = subprocess.Popen(job.command, cwd=tmp_path)  # what the call starts; a signal handler then asks for the rest
    while not (tmp_path / "begun").exists():
        time.sleep(0.05)
    again = job.checkpoint()
    assert job._child.wait() == 0
    assert (tmp_path / "saved").exists()
    assert again.function.command == job.command


@needs_slurm
@pytest.mark.slow
def test_a_study_as_a_slurm_job_array(study, tmp_path, capfd):
    check(study, tmp_path / "runs", "slurm", capfd)
    scripts = list((tmp_path / "runs" / "cluster").glob("*/*.sh"))
    assert "#SBATCH --array=0-1" in scripts[0].read_text()


@needs_slurm
@pytest.mark.slow
def test_a_job_that_slurm_takes_back_goes_on_later(study, tmp_path):
    """The warning of a pre-emption in the middle: the run saves, queues again, resumes, and ends as an uninterrupted one."""
    out = tmp_path / "runs"
    long = ["--set", "training.max_steps=120", "--set", "training.save_every=1000", "--set", "training.validate_every=100"]
    command = [sys.executable, "-m", "seq2seq", "train", str(study), "--system", "additive", "--out", str(out), *long]
    child = subprocess.Popen(
        [*command, "--cluster", "slurm", "--cluster-option", "timeout_min=10"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    log = out / "additive" / "seed-1" / "log.jsonl"
    until = time.monotonic() + 200
    while not (log.exists() and log.stat().st_size > 200):
        assert time.monotonic() < until
        time.sleep(0.1)
    job = next(path.parent.name for path in (out / "cluster").glob("*/*_submitted.pkl"))
    subprocess.run(["scancel", "--signal=USR2", job], check=True)
    with TABLE.trying("Slurm takes a job back (warning, requeue)"):
        errors = child.communicate(timeout=400)[1]
        assert child.returncode == 0, errors
        told = "".join(path.read_text() for path in (out / "cluster").glob("*/*log.*"))
        assert re.search(r"stopped at step \d+, everything is saved", told)
        assert re.search(r"resumes at step \d+", told)
        loaded = load_study(study, [text for text in long if "=" in text])
        train_study(loaded, out=tmp_path / "whole", systems=["additive"], arguments=[])
        assert (tmp_path / "whole/additive/seed-1/log.jsonl").read_bytes() == log.read_bytes()
        one, two = (load_checkpoint(folder / "additive/seed-1/checkpoints/last") for folder in (out, tmp_path / "whole"))
        assert all((one.model[name] == two.model[name]).all() for name in two.model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cluster", "pbs"], "expected slurm or local"),
        (["--cluster", "local", "--cluster-option", "gpus"], "expected KEY=VALUE"),
        (["--cluster", "local", "--cluster-option", "gpu=1"], "gpu"),
    ],
)
def test_mistakes(study, tmp_path, capfd, options, message):
    assert main(["train", str(study), "--out", str(tmp_path / "runs"), *options]) == 2
    assert re.search(f"error: .*{message}", capfd.readouterr().err)


def test_no_slurm(study, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"--cluster slurm: .*srun"):
        submit_study(load_study(study), out=tmp_path / "runs", kind="slurm")
