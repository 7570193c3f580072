"""A study's runs: which are to do, side by side where that is faster, one failure not ending the others."""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import torch

from seq2seq.attention.custom import own_code
from seq2seq.config.errors import RunError, UserError
from seq2seq.config.loading import imported_class
from seq2seq.config.study import Study
from seq2seq.corpus.prepare import prepare
from seq2seq.report.runs import refuse_published
from seq2seq.run.decision import decide_arithmetic
from seq2seq.run.environment import cores
from seq2seq.run.folder import RunFolder, dump_yaml, write_aside
from seq2seq.run.processes import join_processes
from seq2seq.run.progress import EVENTS, Screen, forward, open_screen
from seq2seq.run.signals import ENDING, Interrupted, end_with_parent, on_signals
from seq2seq.run.train import train_run
from seq2seq.scoring.metrics import check_tokenizer
from seq2seq.study.matching import match_study

_LAST_WORDS = 0.2  # seconds in which everything that a process wrote is shown after its end


def list_runs(study: Study, out: Path, systems: Sequence[str], seeds: Sequence[int]) -> list[RunFolder]:
    """Return the runs asked for, each once, seed by seed, so that an interrupted study has whole seeds.

    A seed of the study is for the systems that have it; one that none has is a new one, for all.
    """
    planned = {system: study.systems[system].training.seeds for system in systems or study.systems}
    known = {seed for some in planned.values() for seed in some}
    runs = [
        RunFolder(out / system / f"seed-{seed}")
        for system, own in planned.items()
        for seed in dict.fromkeys(seeds or own)
        if seed in own or seed not in known
    ]
    order = list(dict.fromkeys(run.seed for run in runs))
    return sorted(runs, key=lambda run: order.index(run.seed))


def write_study(study: Study, out: Path) -> None:
    """Write `study.yaml`: what the report needs to know beside the runs."""
    header = study.header.model_dump(mode="json")
    text = dump_yaml({"name": study.name, **header, "systems": list(study.systems)})
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
) -> None:
    """Train every run of a study that is not finished; a `RunError` names those that failed, the others are finished.

    `systems` and `seeds` choose some; `jobs` run side by side, as many as study or machine say if None; `arguments` are the
    command line, for the record. Where a signal ends it every run is saved.
    """
    if EVENTS in os.environ:
        end_with_parent()
    processes = join_processes()
    study, todo = begin_study(study, out, systems, seeds)
    at_once = min(len(todo), jobs or _jobs(study)) if processes.world == 1 else 1
    threads = threads_of_a_run(study, jobs)
    with open_screen({run.name: study.systems[run.system].training.max_steps for run in todo}) as screen:
        if at_once > 1:
            _prepare_once(study, todo, threads, screen)
            _side_by_side(todo, at_once, study, out, threads, screen)
        else:
            _one_by_one(todo, study, arguments, threads, screen)


def begin_study(study: Study, out: Path, systems: Sequence[str], seeds: Sequence[int]) -> tuple[Study, list[RunFolder]]:
    """Match widths, write `study.yaml`, and say which runs are finished; returns the matched study and the runs to be made."""
    for tokenizer in {study.bleu_tokenizer(name) for name in study.systems}:
        check_tokenizer(tokenizer)
    study, matches = match_study(study, systems)
    runs = list_runs(study, out, systems, seeds)
    return study, join_processes().on_first(lambda: _unfinished(study, out, runs, matches))


def _unfinished(study: Study, out: Path, runs: Sequence[RunFolder], matches: Sequence[str]) -> list[RunFolder]:
    refuse_published(out)
    configs = {name: settings.model_dump(mode="json") for name, settings in study.systems.items()}
    code = {name: own_code(config) for name, config in configs.items()}  # refusals before anything is written
    for run in runs:
        run.check(configs[run.system])
    write_study(study, out)
    for match in matches if EVENTS not in os.environ else ():
        print(match, file=sys.stderr)
    todo = []
    for run in runs:
        config = configs[run.system]
        if not run.is_done(config):
            todo.append(run)
            continue
        run.claim(config)
        other = run.fingerprints().get("code") not in (None, code[run.system].get("code"))
        why = f" ({imported_class(config)} was written otherwise then; give --out DIR to train what it is now)" * other
        print(f"[{run.name}] is finished; skipped{why}", file=sys.stderr)
    return todo


def _jobs(study: Study) -> int:
    if study.header.jobs != "auto":
        return study.header.jobs
    return 1 if torch.cuda.is_available() else cores()


def threads_of_a_run(study: Study, jobs: int | None = None) -> int:
    """Share the cores out among the runs of a study that stand side by side, however many of them are left.

    All its runs count, since losses depend on threads and must not depend on which runs are asked for first.
    """
    runs = sum(len(settings.training.seeds) for settings in study.systems.values())
    return max(1, min(torch.get_num_threads(), cores() // min(runs, jobs or _jobs(study))))


def _prepare_once(study: Study, todo: Sequence[RunFolder], threads: int, screen: Screen) -> None:
    """Fill the corpus cache, and let the first run decide the study's arithmetic, before several processes want them."""
    seen = set()
    training = [run for run in todo if not run.is_finished()]  # a finished run only translates
    for run in training:
        settings = study.systems[run.system]
        key = (settings.data, settings.tokenizer)
        if key not in seen:
            seen.add(key)
            data = prepare(settings.data, settings.tokenizer, report=lambda text: screen.show("", {"status": text}))
            if run is training[0]:
                decide_arithmetic(run, settings, data, threads=threads)
    screen.show("", {"done": ""})


def _one_by_one(todo: Sequence[RunFolder], study: Study, arguments: list[str], threads: int, screen: Screen) -> None:
    failed = []
    for run in todo:
        try:
            train_run(
                study.systems[run.system],
                seed=run.seed,
                path=run.path,
                arguments=arguments,
                threads=threads,
                bleu_tokenizer=study.bleu_tokenizer(run.system),
                screen=screen,
            )
        except RunError as error:
            if len(todo) == 1:
                raise
            if str(error):  # told by one process only
                screen.show(run.name, {"done": f"failed: {error}"})
            failed.append(run)
    complain(failed)


def complain(failed: Sequence[RunFolder], stopped: Sequence[RunFolder] = ()) -> None:
    """Raise a RunError that names the runs that failed, and those that a signal of their own stopped, if there are any."""
    told = {f"{len(failed)} of the runs failed": failed, "stopped by a signal, the same command resumes": stopped}
    parts = [f"{what}: {', '.join(run.name for run in runs)}" for what, runs in told.items() if runs]
    if parts:
        raise RunError("; ".join([*parts, "any others are finished"]) if join_processes().first else "")


def _side_by_side(todo: Sequence[RunFolder], at_once: int, study: Study, out: Path, threads: int, screen: Screen) -> None:
    """Make each run in a process of its own; a signal is passed on to all, one's own signal ends no other."""
    let_children_import()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), EVENTS: "1"}
    children: list[subprocess.Popen[bytes]] = []
    signals: list[int] = []

    def pass_on(number: int) -> None:
        signals.append(number)
        for child in children:
            child.terminate()

    def make(run: RunFolder) -> int:
        """Return the exit status of the process that makes a run; 0 where a signal came before it began."""
        if signals:
            return 0
        command = [sys.executable, "-m", "seq2seq", *single_run(study, run, out)]
        pipe = subprocess.PIPE  # input that ends when this process does
        child = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT)
        children.append(child)
        if signals:  # one came while it was started
            child.terminate()
        reader = Thread(target=forward, args=(child.stdout, run.name, screen), daemon=True)
        reader.start()
        status = child.wait()
        reader.join(_LAST_WORDS)
        if status:
            screen.show(run.name, {"done": ""})
        return status

    with on_signals(pass_on), ThreadPoolExecutor(at_once) as pool:
        statuses = dict(zip(todo, pool.map(make, todo), strict=True))
    if signals:
        screen.show("", {"say": "stopped; every run is saved, the same command resumes them"})
        raise Interrupted(signals[0])
    if 2 in statuses.values():
        raise UserError(f"{study.path}: not started; the message above says why")
    stopped = {128 + number for number in ENDING} | {-number for number in ENDING}
    failed = [run for run, status in statuses.items() if status and status not in stopped]
    complain(failed, [run for run, status in statuses.items() if status in stopped])


def let_children_import() -> None:
    """Make `python -m seq2seq` work in child processes and jobs even where the package is a checkout elsewhere."""
    root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if root not in known:
        os.environ["PYTHONPATH"] = os.pathsep.join([root, *filter(None, known)])


def single_run(study: Study, run: RunFolder, out: Path) -> list[str]:
    """Return the arguments of the command that makes one run."""
    overrides = [part for text in study.overrides for part in ("--set", text)]
    which = ["--system", run.system, "--seed", str(run.seed)]
    return ["train", study.path, *which, "--out", str(out), "--jobs", "1", *overrides]
