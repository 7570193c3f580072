"""One run from its settings to a finished folder: claimed, trained or resumed, translated, summed up."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from seq2seq.config.errors import RunError
from seq2seq.config.study import RunSettings
from seq2seq.corpus.prepare import EncodedSplit, PreparedData, prepare
from seq2seq.models.interface import Model, count_parameters
from seq2seq.run.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from seq2seq.run.environment import describe_environment
from seq2seq.run.folder import RunFolder, write_json
from seq2seq.run.loop import Interrupted, Position, Trainer
from seq2seq.run.machine import Machine, prepare_machine
from seq2seq.run.processes import Processes, join_processes
from seq2seq.run.progress import Progress, duration
from seq2seq.run.trained import load_run, translate_tests, write_attention, write_tokenizers

SHOWCASE = 8
"""Test sentences whose attention is kept, the same for every system."""


def train_run(settings: RunSettings, *, seed: int, path: Path, arguments: list[str], bleu_tokenizer: str | None = None) -> bool:
    """Train one run, or go on with it, or skip it when it is finished.

    Args:
        settings: of the system.
        seed: of the run.
        path: the run's folder.
        arguments: the command line, for the record.
        bleu_tokenizer: sacreBLEU's, for BLEU at validation; None for the usual one of the target language.

    Returns:
        Whether the run is finished; False when the person interrupted it.

    Raises:
        UserError: the folder belongs to another config or another process; the corpus cannot be had.
        RunError: the run could not finish; what it had is kept.
    """
    folder, processes = RunFolder(path), join_processes()
    progress = Progress(
        total=settings.training.max_steps,
        label=f"[{folder.system} seed {seed}]",
        stream=None if processes.first else StringIO(),
    )
    try:
        with ExitStack() as held:
            processes.on_first(lambda: held.enter_context(folder.locked()))
            return _train_locked(settings, seed, folder, processes, progress, arguments, bleu_tokenizer)
    except OSError as error:
        raise RunError(
            f"{processes.named()}{error.filename or folder.path}: {error.strerror or error}; what was saved is kept. Free "
            "space or mend the permissions, then run the same command again"
        ) from error


def _train_locked(
    settings: RunSettings,
    seed: int,
    folder: RunFolder,
    processes: Processes,
    progress: Progress,
    arguments: list[str],
    bleu_tokenizer: str | None,
) -> bool:
    if processes.on_first(lambda: _claim(folder, settings)):
        progress.say("is finished; skipped")
        return True
    training = settings.training
    machine = prepare_machine(training.precision, deterministic=training.deterministic, device=processes.device)
    processes.on_first(lambda: _prepare(settings, folder, arguments, progress))  # the others find it in the cache
    data = prepare(settings.data, settings.tokenizer, report=lambda _: None)
    progress.say(f"{machine.describe()}; {len(data.train):,} training pairs{_shared(processes)}")
    trainer = Trainer(
        settings=settings,
        seed=seed,
        data=data,
        machine=machine,
        folder=folder,
        progress=progress,
        processes=processes,
        bleu_tokenizer=bleu_tokenizer,
    )
    try:
        with _stops_gently(trainer):
            position = trainer.train()
    except Interrupted:
        progress.say(f"stopped at step {trainer.position.step}, everything is saved; the same command goes on from here")
        return False
    except RunError as error:
        if processes.first:
            with suppress(OSError):  # a full disk cannot take the summary either; the error itself is told
                _write_summary(folder, trainer.model, trainer.position, "failed", str(error))
        raise
    processes.on_first(lambda: _finish(folder, data, machine, trainer.model, position))
    progress.say(f"finished: {position.step} steps, {position.target_tokens:,} target tokens, {duration(position.seconds)}")
    return True


def _claim(folder: RunFolder, settings: RunSettings) -> bool:
    """Make the folder this run's; returns whether the run is finished."""
    folder.claim(settings.model_dump(mode="json"))
    return folder.is_finished()


def _prepare(settings: RunSettings, folder: RunFolder, arguments: list[str], progress: Progress) -> None:
    """Fill the cache and write down what the run is made with."""
    data = prepare(settings.data, settings.tokenizer, report=progress.say)
    folder.check_fingerprints(data.fingerprints)
    write_json(folder.environment, {**describe_environment(arguments), "fingerprints": data.fingerprints})
    write_tokenizers(folder, data)


def _shared(processes: Processes) -> str:
    return f", shared by {processes.world} processes" if processes.world > 1 else ""


@contextmanager
def _stops_gently(trainer: Trainer) -> Iterator[None]:
    """Turn the first Ctrl-C or termination into a request to save and stop; a second Ctrl-C acts at once."""

    def request(_number: int, _frame: FrameType | None) -> None:
        trainer.stop_requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _finish(folder: RunFolder, data: PreparedData, machine: Machine, model: Model, position: Position) -> None:
    if recent := folder.recent_checkpoints():
        average_checkpoints(recent, folder.best.with_name("averaged"))
    run = load_run(folder, machine.device, allow_code=True)  # the study file asked for it
    translate_tests(run, data, machine.device)
    for name, split in data.tests.items():
        write_attention(run, name, split, showcase(split), machine.device)
    _write_summary(folder, model, position, "finished", None)


def average_checkpoints(places: list[Path], target: Path) -> None:
    """Write the mean of several checkpoints' weights (Vaswani et al. 2017, section 6.1)."""
    loaded = [load_checkpoint(place) for place in places]
    weights = {
        name: torch.stack([c.model[name].double() for c in loaded]).mean(dim=0).to(value.dtype)
        for name, value in loaded[-1].model.items()
    }
    save_checkpoint(target, Checkpoint(weights, {}, {"step": loaded[-1].state["step"], "averaged": len(loaded)}))


def showcase(split: EncodedSplit, count: int = SHOWCASE) -> list[int]:
    """Choose sentences for heat maps: evenly spaced over the lengths of the split, the same for every system."""
    order = sorted(range(len(split)), key=lambda i: (split.length(i), i))
    if len(order) <= count:
        return order
    return [order[round(k * (len(order) - 1) / (count - 1))] for k in range(count)]


def _write_summary(folder: RunFolder, model: Model, position: Position, status: str, error: str | None) -> None:
    blocks = count_parameters(model)
    summary: dict[str, Any] = {
        "status": status,
        "parameters": sum(blocks.values()),
        "parameters_by_block": blocks,
        "steps": position.step,
        "target_tokens": position.target_tokens,
        "seconds": round(position.seconds, 1),
        "tokens_per_second": round(position.target_tokens / position.seconds) if position.seconds else None,
        "best_step": position.best_step,
        "skipped_updates": position.skipped,
        "learning_still_rising": still_rising(position.scores),
        "error": error,
    }
    write_json(folder.summary, summary)


def still_rising(scores: list[float]) -> bool:
    """Whether validation was still improving at the end: its best lies in the last tenth, more than 1 % above that before.

    Args:
        scores: of all validations in order, higher is better.
    """
    tail = max(1, len(scores) // 10)
    if len(scores) < 2:
        return True
    before, end = max(scores[:-tail]), max(scores[-tail:])
    return end > before + 0.01 * abs(before)
