"""A study's runs: which are to do, side by side where that is faster, one failure not ending the others."""

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.config.study import Study
from seq2seq.corpus.prepare import prepare
from seq2seq.errors import RunError, UserError
from seq2seq.run_folder import RunFolder, dump_yaml, write_aside
from seq2seq.training_run import train_run


@dataclass(frozen=True)
class Task:
    """One run to be made."""

    system: str
    seed: int
    folder: RunFolder


def list_tasks(study: Study, out: Path, systems: Sequence[str], seeds: Sequence[int]) -> list[Task]:
    """Return the runs asked for, seed by seed, so that an interrupted study has whole seeds."""
    chosen = list(systems) or list(study.systems)
    tasks = [
        Task(system, seed, RunFolder(out / system / f"seed-{seed}"))
        for system in chosen
        for seed in (seeds or study.systems[system].training.seeds)
    ]
    return sorted(tasks, key=lambda task: list(dict.fromkeys(t.seed for t in tasks)).index(task.seed))


def write_study(study: Study, out: Path) -> None:
    """Write `study.yaml`: what the report needs to know beside the runs."""
    header = study.header.model_dump(mode="json")
    write_aside(
        out / "study.yaml",
        dump_yaml({"name": study.name, **header, "systems": list(study.systems), "changes": study.changes}),
    )


def train_study(
    study: Study,
    *,
    out: Path,
    systems: Sequence[str] = (),
    seeds: Sequence[int] = (),
    jobs: int | None = None,
    arguments: list[str],
) -> bool:
    """Train every run of a study that is not finished.

    Args:
        study: the study.
        out: its folder of runs.
        systems: only these; empty for all.
        seeds: only these; empty for the config's.
        jobs: runs side by side; None lets the study or the machine say.
        arguments: the command line, for the record.

    Returns:
        Whether all are finished; False when the person interrupted.

    Raises:
        RunError: some runs failed; the others are finished.
    """
    write_study(study, out)
    tasks = list_tasks(study, out, systems, seeds)
    todo = [task for task in tasks if not task.folder.is_finished()]
    for task in tasks:
        if task not in todo:
            task.folder.claim(study.systems[task.system].model_dump(mode="json"))
            print(f"[{task.system} seed {task.seed}] is finished; skipped", file=sys.stderr)
    at_once = min(len(todo), jobs or _jobs(study))
    if at_once > 1:
        _prepare_once(study, todo)
        return _side_by_side(todo, at_once, study, out)
    return _one_by_one(todo, study, arguments)


def _jobs(study: Study) -> int:
    if study.header.jobs != "auto":
        return study.header.jobs
    import torch

    return 1 if torch.cuda.is_available() else cores()


def cores() -> int:
    """Return the number of processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _prepare_once(study: Study, todo: Sequence[Task]) -> None:
    """Fill the corpus cache before several processes want it."""
    seen = set()
    for task in todo:
        settings = study.systems[task.system]
        key = (settings.data, settings.tokenizer)
        if key not in seen:
            seen.add(key)
            prepare(settings.data, settings.tokenizer, report=lambda text: print(text, file=sys.stderr))


def _one_by_one(todo: Sequence[Task], study: Study, arguments: list[str]) -> bool:
    failed = []
    for task in todo:
        try:
            if not train_run(study.systems[task.system], seed=task.seed, path=task.folder.path, arguments=arguments):
                return False
        except RunError as error:
            if len(todo) == 1:
                raise
            print(f"[{task.system} seed {task.seed}] failed: {error}", file=sys.stderr)
            failed.append(task)
    _complain(failed)
    return True


def _complain(failed: Sequence[Task]) -> None:
    if failed:
        names = ", ".join(f"{task.system} seed {task.seed}" for task in failed)
        raise RunError(f"{len(failed)} of the runs failed: {names}; the others are finished")


def _side_by_side(todo: Sequence[Task], at_once: int, study: Study, out: Path) -> bool:
    """Run each task in a process of its own, `at_once` at a time, with the cores shared out among them."""
    waiting = deque(todo)
    failed: list[tuple[Task, int]] = []
    interrupted: list[Task] = []
    lock = threading.Lock()
    environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, cores() // at_once))}
    children: list[subprocess.Popen[bytes]] = []

    def work() -> None:
        while True:
            with lock:
                if not waiting or interrupted:
                    return
                task = waiting.popleft()
                command = [sys.executable, "-m", "seq2seq", *_single(study, task, out)]
                child = subprocess.Popen(command, env=environment)
                children.append(child)
            status = child.wait()
            if status in (130, -2, -15):
                interrupted.append(task)
            elif status:
                failed.append((task, status))

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:  # the terminal sends it to the children as well: they save and end
        interrupted.append(todo[0])
        for thread in threads:
            thread.join()
    if any(status == 2 for _, status in failed):
        raise UserError(f"{study.path}: not started; the message above says why")
    _complain([task for task, _ in failed])
    return not interrupted


def _single(study: Study, task: Task, out: Path) -> list[str]:
    """The command line of one run."""
    overrides = [part for text in study.overrides for part in ("--set", text)]
    return [
        "train",
        study.path,
        "--system",
        task.system,
        "--seed",
        str(task.seed),
        "--out",
        str(out),
        "--jobs",
        "1",
        *overrides,
    ]
