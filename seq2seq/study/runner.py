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

from seq2seq.config.errors import RunError, UserError
from seq2seq.config.study import Study
from seq2seq.corpus.prepare import prepare
from seq2seq.run.folder import RunFolder, dump_yaml, write_aside
from seq2seq.run.processes import is_first_process, join_processes
from seq2seq.run.progress import PLAIN
from seq2seq.run.train import train_run
from seq2seq.scoring.metrics import check_tokenizer
from seq2seq.study.matching import match_study


@dataclass(frozen=True)
class Task:
    """One run to be made."""

    system: str
    seed: int
    folder: RunFolder


def list_tasks(study: Study, out: Path, systems: Sequence[str], seeds: Sequence[int]) -> list[Task]:
    """Return the runs asked for, each once, seed by seed, so that an interrupted study has whole seeds."""
    chosen = dict.fromkeys(systems or study.systems)
    tasks = [
        Task(system, seed, RunFolder(out / system / f"seed-{seed}"))
        for system in chosen
        for seed in dict.fromkeys(seeds or study.systems[system].training.seeds)
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
    if at_once > 1:
        _prepare_once(study, todo)
        return _side_by_side(todo, at_once, study, out)
    return _one_by_one(todo, study, arguments)


def begin_study(study: Study, out: Path, systems: Sequence[str], seeds: Sequence[int]) -> tuple[Study, list[Task]]:
    """Match widths, write `study.yaml`, and say which runs are finished; returns the matched study and the runs to be made."""
    processes = join_processes()
    for tokenizer in {study.bleu_tokenizer(name) for name in study.systems}:
        check_tokenizer(tokenizer)
    matched = match_study(study, systems)
    study = matched.study
    processes.on_first(lambda: write_study(study, out))
    for match in matched.matches if processes.first else ():
        print(match, file=sys.stderr)
    tasks = list_tasks(study, out, systems, seeds)
    todo = [task for task in tasks if not processes.on_first(task.folder.is_finished)]
    for task in tasks:
        if task not in todo:
            settings = study.systems[task.system].model_dump(mode="json")
            processes.on_first(partial(task.folder.claim, settings))
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
            settings, tokenizer = study.systems[task.system], study.bleu_tokenizer(task.system)
            if not train_run(settings, seed=task.seed, path=task.folder.path, arguments=arguments, bleu_tokenizer=tokenizer):
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


def _side_by_side(todo: Sequence[Task], at_once: int, study: Study, out: Path) -> bool:
    """Run each task in a process of its own, `at_once` at a time, with the cores shared out among them."""
    waiting = deque(todo)
    failed: list[tuple[Task, int]] = []
    interrupted: list[Task] = []
    lock = threading.Lock()
    let_children_import()
    environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, cores() // at_once)), PLAIN: "1"}
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
