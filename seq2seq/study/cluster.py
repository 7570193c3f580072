"""A study's runs as jobs of a cluster, through submitit: a Slurm job array, or processes of this machine to try it out.

A job is the command of one run: when Slurm wants the machine back or time is up, the run saves, and its job queues again.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.config.errors import RunError, UserError
from seq2seq.config.study import Study
from seq2seq.run.environment import cores
from seq2seq.run.folder import RunFolder
from seq2seq.run.signals import Interrupted
from seq2seq.study.runner import begin_study, complain, let_children_import, single_run

_GRACE = 80.0  # seconds a run is given to save; Slurm warns 90 seconds ahead
_POLL = 0.2
_RESTARTS = 1000  # how often a job whose time is up may queue again


class RunJob:
    """The command of one run, to be started in `folder`, in a form that submitit can send, stop and send again."""

    def __init__(self, command: Sequence[str], folder: str) -> None:
        self.command, self.folder = list(command), folder
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Run the command; returns its exit status."""
        self._child = subprocess.Popen(self.command, cwd=self.folder, preexec_fn=_ignore_warnings)
        while (status := self._child.poll()) is None:  # not wait(): a signal handler could not look at the child then
            time.sleep(_POLL)
        return status

    def checkpoint(self) -> Any:
        """Let the run save and end; returns what submitit queues again."""
        from submitit.helpers import DelayedSubmission

        if self._child is not None:
            pid, look = self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
            os.kill(pid, signal.SIGTERM)
            until = time.monotonic() + _GRACE
            while time.monotonic() < until and os.waitid(os.P_PID, pid, look) is None:
                time.sleep(_POLL)
        return DelayedSubmission(RunJob(self.command, self.folder))


def _ignore_warnings() -> None:
    """Slurm's warning goes to every process of a job; the one that starts the run takes care of it."""
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def submit_study(
    study: Study, *, out: Path, kind: str, systems: Sequence[str] = (), seeds: Sequence[int] = (), options: Sequence[str] = ()
) -> None:
    """Hand every run of a study that is not finished to a cluster, and wait for all of them.

    `kind` is slurm, or local: processes of this machine, as many as it has cores at a time. `out` lies on a disk that the
    machines share; `systems` and `seeds` choose some runs; `options` are `KEY=VALUE` texts for submitit, such as
    gpus_per_node=1. A `RunError` if some runs failed; the others are finished. An interruption ends the waiting, not the jobs.
    """
    if kind not in ("slurm", "local"):
        raise UserError(f"--cluster {kind}: expected slurm or local")
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise RunError("--cluster starts the processes of each run itself; leave torchrun out")
    parameters = {"timeout_min": 24 * 60, "name": study.name, **_read_options(options)}
    out = out.absolute()
    study, todo = begin_study(study, out, systems, seeds)
    if not todo:
        return
    let_children_import()
    logging.getLogger("submitit").setLevel(logging.ERROR)  # it warns once a minute where a cluster keeps no accounts
    executor = _executor(out / "cluster", kind, parameters)
    start = [sys.executable, "-m"]
    if (processes := int(parameters.get("gpus_per_node", 1))) > 1:
        start += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
    jobs = {run: RunJob([*start, "seq2seq", *single_run(study, run, out)], str(Path.cwd())) for run in todo}
    try:
        failed = _wait_for(executor, jobs, at_once=len(jobs) if kind == "slurm" else cores())
    except Interrupted:
        print("no longer waiting; the same command says what is finished", file=sys.stderr)
        raise
    complain(failed)


def _read_options(options: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in options:
        key, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not key:
            raise UserError(f"--cluster-option {text}: expected KEY=VALUE, for example --cluster-option slurm_partition=gpu")
        found[key] = int(value) if value.isdecimal() else value
    return found


def _executor(folder: Path, kind: str, parameters: dict[str, Any]) -> Any:
    try:
        import submitit

        executor = submitit.AutoExecutor(folder=str(folder / "%j"), cluster=kind, slurm_max_num_timeout=_RESTARTS)
        executor.update_parameters(**parameters)
    except ModuleNotFoundError:
        raise UserError("--cluster: submitit is not installed; install it with: pip install 'seq2seq[cluster]'") from None
    except OSError as error:
        raise UserError(f"{folder}: cannot be written to ({error.strerror}); give --out DIR for another place") from None
    except (RuntimeError, NameError, TypeError, ValueError, AssertionError) as error:
        raise UserError(f"--cluster {kind}: {' '.join(str(error).split())[:300]}") from None
    return executor


def _wait_for(executor: Any, jobs: Mapping[RunFolder, RunJob], at_once: int) -> list[RunFolder]:
    """Submit jobs, `at_once` at a time, and print how each ends; returns the runs that are not finished."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    waiting, failed = list(jobs), []
    running: dict[RunFolder, Any] = {}
    while waiting or running:
        now = waiting[: at_once - len(running)]
        del waiting[: len(now)]
        try:
            if now:
                with executor.batch():  # one array; jobs are submitted themselves, since their `checkpoint` is looked for
                    submitted = {run: executor.submit(jobs[run]) for run in now}
                for run, job in submitted.items():
                    print(f"[{run.name}] is job {job.job_id}, output in {job.paths.stdout}", file=sys.stderr)
                running |= submitted
        except (FailedJobError, FailedSubmissionError) as error:
            raise RunError(f"--cluster: the jobs were not taken: {' '.join(str(error).split())[:300]}") from None
        time.sleep(1.0)
        for run, job in [entry for entry in running.items() if entry[1].done()]:
            del running[run]
            finished = run.is_finished()
            print(f"[{run.name}] {'is finished' if finished else 'failed'}", file=sys.stderr)
            if not finished:
                print(f"  {_last_line(job)}; more in {job.paths.stderr}", file=sys.stderr)
                failed.append(run)
    return failed


def _last_line(job: Any) -> str:
    try:
        lines = Path(job.paths.stderr).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "it has written nothing"
    return next((line for line in reversed(lines) if line.startswith("error:")), lines[-1] if lines else "no message")
