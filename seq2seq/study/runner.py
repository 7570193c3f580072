"""A study's runs: which are to do, side by side where that is faster, one failure not ending the others."""

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from seq2seq.attention.custom import load_score
from seq2seq.config.errors import RunError, UserError
from seq2seq.config.loading import imported_class
from seq2seq.config.study import Study
from seq2seq.corpus.prepare import prepare
from seq2seq.run.decision import decide_arithmetic
from seq2seq.run.folder import RunFolder, dump_yaml, write_aside
from seq2seq.run.processes import is_first_process, join_processes
from seq2seq.run.progress import PLAIN
from seq2seq.run.train import train_run
from seq2seq.study.matching import match_study


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
    text = dump_yaml({"name": study.name, **header, "systems": list(study.systems), "changes": study.changes})
    try:
        write_aside(out / "study.yaml", text)
    except OSError as error:
        raise UserError(f"{out}: cannot be written to ({error.strerror}); give --out DIR for another place") from None


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
    processes = join_processes()
    study, todo = begin_study(study, out, systems, seeds)
    at_once = min(len(todo), jobs or _jobs(study)) if processes.world == 1 else 1
    threads = threads_of_a_run(study, jobs)
    if at_once > 1:
        _prepare_once(study, todo, threads)
        return _side_by_side(todo, at_once, study, out, threads)
    return _one_by_one(todo, study, arguments, threads)


def begin_study(study: Study, out: Path, systems: Sequence[str], seeds: Sequence[int]) -> tuple[Study, list[Task]]:
    """Match widths, write `study.yaml`, and say which runs are finished; returns the matched study and the runs to be made."""
    processes = join_processes()
    matched = match_study(study, systems)
    study = matched.study
    tasks = list_tasks(study, out, systems, seeds)
    configs = {name: settings.model_dump(mode="json") for name, settings in study.systems.items()}
    for config in configs.values():  # refusals before anything is written
        if path := imported_class(config):
            load_score(path)
    for task in tasks:
        processes.on_first(partial(task.folder.check, configs[task.system]))
    processes.on_first(lambda: write_study(study, out))
    for match in matched.matches if processes.first else ():
        print(match, file=sys.stderr)
    todo = [task for task in tasks if not processes.on_first(partial(task.folder.is_done, configs[task.system]))]
    for task in tasks:
        if task not in todo:
            processes.on_first(partial(task.folder.claim, configs[task.system]))
            if processes.first:
                print(f"[{task.system} seed {task.seed}] is finished; skipped", file=sys.stderr)
    return study, todo


def _jobs(study: Study) -> int:
    if study.header.jobs != "auto":
        return study.header.jobs
    import torch

    return 1 if torch.cuda.is_available() else cores()


def cores() -> int:
    """Return the number of processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_of_a_run(study: Study, jobs: int | None = None) -> int:
    """Share the cores out among the runs of a study that stand side by side, however many of them are left.

    Args:
        study: all its runs count, since losses depend on threads and must not depend on which runs are asked for first.
        jobs: runs side by side; None lets the study or the machine say.
    """
    import torch

    runs = sum(len(settings.training.seeds) for settings in study.systems.values())
    return max(1, min(torch.get_num_threads(), cores() // min(runs, jobs or _jobs(study))))


def _prepare_once(study: Study, todo: Sequence[Task], threads: int) -> None:
    """Fill the corpus cache, and let the first run decide the study's arithmetic, before several processes want them."""
    seen = set()
    training = [task for task in todo if not task.folder.is_finished()]  # a finished run only translates
    for task in training:
        settings = study.systems[task.system]
        key = (settings.data, settings.tokenizer)
        if key not in seen:
            seen.add(key)
            data = prepare(settings.data, settings.tokenizer, report=lambda text: print(text, file=sys.stderr))
            if task is training[0]:
                decide_arithmetic(task.folder, settings, data, threads=threads)


def _one_by_one(todo: Sequence[Task], study: Study, arguments: list[str], threads: int) -> bool:
    failed = []
    for task in todo:
        settings, path = study.systems[task.system], task.folder.path
        try:
            if not train_run(settings, seed=task.seed, path=path, arguments=arguments, threads=threads):
                return False
        except RunError as error:
            if len(todo) == 1:
                raise
            if str(error):  # told by one process only
                print(f"[{task.system} seed {task.seed}] failed: {error}", file=sys.stderr)
            failed.append(task)
    complain(failed)
    return True


def complain(failed: Sequence[Task]) -> None:
    """Raise a RunError that names the runs that failed, if any did."""
    if failed:
        names = ", ".join(f"{task.system} seed {task.seed}" for task in failed)
        text = f"{len(failed)} of the runs failed: {names}; the others are finished"
        raise RunError(text if is_first_process() else "")


def _side_by_side(todo: Sequence[Task], at_once: int, study: Study, out: Path, threads: int) -> bool:
    """Run each task in a process of its own, `at_once` at a time."""
    waiting = deque(todo)
    failed: list[tuple[Task, int]] = []
    interrupted: list[Task] = []
    lock = threading.Lock()
    let_children_import()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), PLAIN: "1"}
    children: list[subprocess.Popen[bytes]] = []

    def work() -> None:
        while True:
            with lock:
                if not waiting or interrupted:
                    return
                task = waiting.popleft()
                command = [sys.executable, "-m", "seq2seq", *single_run(study, task, out)]
                child = subprocess.Popen(command, env=environment)
                children.append(child)
            status = child.wait()
            if status in (130, -2, -15):
                interrupted.append(task)
            elif status:
                failed.append((task, status))

    workers = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in workers:
        thread.start()
    try:
        for thread in workers:
            thread.join()
    except KeyboardInterrupt:  # the terminal sends it to the children as well: they save and end
        interrupted.append(todo[0])
        for thread in workers:
            thread.join()
    if any(status == 2 for _, status in failed):
        raise UserError(f"{study.path}: not started; the message above says why")
    complain([task for task, _ in failed])
    return not interrupted


def let_children_import() -> None:
    """Make `python -m seq2seq` work in child processes and jobs even where the package is a checkout elsewhere."""
    root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if root not in known:
        os.environ["PYTHONPATH"] = os.pathsep.join([root, *filter(None, known)])


def single_run(study: Study, task: Task, out: Path) -> list[str]:
    """Return the arguments of the command that makes one run."""
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
