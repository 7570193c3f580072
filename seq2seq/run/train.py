"""One run from its settings to a finished folder: claimed, trained or resumed, translated, summed up."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2seq.attention.custom import own_code
from seq2seq.config.errors import FREE_SPACE, RunError, UserError
from seq2seq.config.study import RunSettings
from seq2seq.corpus.prepare import PreparedData, encode_tests, prepare
from seq2seq.models.interface import Model, count_parameters
from seq2seq.models.limits import find_limits
from seq2seq.run.arithmetic import Arithmetic
from seq2seq.run.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from seq2seq.run.decision import decide_arithmetic, evaluation_device
from seq2seq.run.environment import describe_environment
from seq2seq.run.folder import RunFolder, run_name, write_json
from seq2seq.run.hypotheses import translate_tests
from seq2seq.run.learning import learning_of
from seq2seq.run.log import open_events, write_scalars
from seq2seq.run.loop import Trainer
from seq2seq.run.machine import limit_primitives, prepare_machine
from seq2seq.run.processes import Processes, join_processes
from seq2seq.run.progress import Lines, Progress, Screen, duration
from seq2seq.run.signals import Interrupted, on_signals
from seq2seq.run.trained import TrainedRun, describe_weights, load_run, write_tokenizers
from seq2seq.run.validation import validate


def train_run(
    settings: RunSettings,
    *,
    seed: int,
    path: Path,
    arguments: list[str],
    threads: int | None = None,
    bleu_tokenizer: str = "",
    screen: Screen | None = None,
) -> None:
    """Train run `seed` in the folder `path`, or resume it, or skip it when it is finished.

    `arguments` are the command line, for the record; `threads` those of a run that begins here and whose settings leave them to
    the machine, None for the process's; `bleu_tokenizer` as for the `Trainer`. Without a `screen` plain lines on standard error
    show how it goes. What a run had is kept where a signal ends it (`Interrupted`) or it cannot finish (`RunError`); a
    `UserError` if the folder belongs to another config or process, or the corpus cannot be had.
    """
    folder, processes = RunFolder(path), join_processes()
    progress = Progress(
        total=settings.training.max_steps,
        run=run_name(folder.system, seed),
        screen=(screen or Lines()) if processes.first else None,
    )
    with _disk_errors(folder, processes), ExitStack() as held:
        processes.on_first(lambda: held.enter_context(folder.locked()))
        if processes.on_first(lambda: _claim(folder, settings, progress)):
            processes.on_first(lambda: _translate_missing(settings, folder, processes.device, progress))
            return
        limit_primitives()
        most = threads or torch.get_num_threads()
        arithmetic = processes.on_first(  # the others find the data in the cache
            lambda: _prepare(settings, folder, arguments, progress, threads=most, device=processes.device)
        )
        machine = prepare_machine(arithmetic, deterministic=settings.training.deterministic, device=processes.device)
        data = prepare(settings.data, settings.tokenizer, report=lambda _: None)
        shared = f", shared by {processes.world} processes" if processes.world > 1 else ""
        progress.status(f"{machine.describe()}; {len(data.train):,} training pairs{shared}")
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
        processes.on_first(lambda: check_lengths(trainer.model, data))
        _train(trainer)


@contextmanager
def _disk_errors(folder: RunFolder, processes: Processes) -> Iterator[None]:
    """Turn a failure of the disk into one line."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{processes.named()}{error.filename or folder.path}: {error.strerror or error}; what was saved is kept. "
            f"{FREE_SPACE.capitalize()}"
        ) from error


def _train(trainer: Trainer) -> None:
    """Train, then translate the test sets, sum up and score."""
    processes, progress = trainer.processes, trainer.progress
    try:
        with on_signals(trainer.request_stop):
            position = trainer.train()
    except Interrupted:
        progress.say(f"stopped at step {trainer.position.step}, everything is saved; the same command resumes here")
        raise
    except RunError as error:
        if processes.first:
            with suppress(OSError):  # a full disk cannot take the summary either; the error itself is told
                _write_summary(trainer, "failed", str(error))
        raise
    processes.on_first(lambda: _finish(trainer))
    scores = processes.on_first(lambda: _score(trainer))
    progress.done(
        f"finished: {position.step} steps, {position.target_tokens:,} target tokens, {duration(position.seconds)}; {scores}"
    )


def _claim(folder: RunFolder, settings: RunSettings, progress: Progress) -> bool:
    """Make the folder this run's; returns whether training has come to the end that the settings ask for."""
    if raised := folder.claim(settings.model_dump(mode="json")):
        progress.say(f"is trained longer ({'; '.join(raised)}); what it had reached before is kept")
    return folder.is_finished()


def _translate_missing(settings: RunSettings, folder: RunFolder, device: str | None, progress: Progress) -> None:
    """Translate what a finished run has not yet: a further test split, or the same ones with another search."""
    missing = folder.untranslated(settings.model_dump(mode="json"))
    if missing:
        run = load_run(folder, evaluation_device(folder, device), allow_code=True)
        data = encode_tests(settings.data, missing, run.source_tokenizer, run.target_tokenizer)
        translate_tests(run, data, again=True)
    progress.done(f"is finished; {'translated ' + ', '.join(missing) if missing else 'skipped'}")


def _prepare(
    settings: RunSettings, folder: RunFolder, arguments: list[str], progress: Progress, *, threads: int, device: str | None
) -> Arithmetic:
    """Fill the cache and write down what the run is made with; returns its arithmetic."""
    data = prepare(settings.data, settings.tokenizer, report=progress.status)
    decisive = (settings.data.train, settings.data.valid, "source_tokenizer", "target_tokenizer")
    code = own_code(settings.model_dump())
    folder.check_fingerprints({name: data.fingerprints[name] for name in decisive})
    if "code" in folder.fingerprints():  # earlier versions did not remember it
        folder.check_fingerprints(code, "code", "file")
    arithmetic = decide_arithmetic(folder, settings, data, threads=threads, device=device)
    environment = describe_environment(arguments)
    trained_by = folder.read_environment().get("revision")
    if trained_by and trained_by != environment["revision"]:  # resumed by other code: both made the weights
        environment["revision"] = " ".join(dict.fromkeys([*trained_by.split(), *str(environment["revision"] or "").split()]))
    record = {"arithmetic": arithmetic.model_dump(), "fingerprints": data.fingerprints | code, "seen_in_training": data.seen}
    write_json(folder.environment, {**environment, **record})
    write_tokenizers(folder.tokenizers, data.source_tokenizer, data.target_tokenizer)
    return arithmetic


def check_lengths(model: Model, data: PreparedData) -> None:
    """Compare every sentence with the model's limits before training; a `UserError` names split and limit."""
    limits = find_limits(model)
    splits = {"training": data.monolingual, "validation": data.valid, **data.tests}
    sizes = {}
    if data.joins is not None:
        of_source, of_target = data.joins.longest()
        sizes["joined training"] = np.array([of_source + 1], np.int32), np.array([of_target + 1], np.int32)
    sizes |= {name: (split.source_lengths + 1, split.target_lengths + 1) for name, split in splits.items()}  # end; begin
    for name, (source, target) in sizes.items():
        for side, lengths in (("source", source), ("target", target), ("both", source + target)):
            limit = getattr(limits, side)
            if limit is None or not (count := int((lengths > limit.tokens).sum())):
                continue
            what = "source and target together" if side == "both" else side
            longer = f"{count:,} of {len(lengths):,} sentences are longer ({what}, the longest {lengths.max()} tokens)"
            if name == "joined training":
                longer = f"joins may have {lengths.max()} tokens ({what})"
            shorter = "lower data.max_tokens" if "training" in name else "leave such sentences out of the files"
            raise UserError(
                f"model: {limit.setting} {limit.tokens} is too small for the {name} split: {longer}. Raise {limit.setting}, or "
                f"{shorter}"
            )


def _finish(trainer: Trainer) -> None:
    run = load_run(trainer.folder, trainer.machine.device, allow_code=True)  # the study file asked for it
    if recent := trainer.folder.recent_checkpoints():
        run = _better_of(run, average_checkpoints(recent), trainer)
    translate_tests(run, trainer.data, again=True)
    _write_summary(trainer, "finished", None, evaluated=run.weights)


def _score(trainer: Trainer) -> str:
    """Score the translations of the test sets for TensorBoard; returns BLEU in words."""
    from seq2seq.scoring.sentences import sentence_statistics

    told, metrics = [], ("bleu", "chrf")
    with open_events(trainer.folder) as events:
        for name, split in trainer.data.tests.items():
            lines = trainer.folder.hypotheses(name).read_text(encoding="utf-8").split("\n")[:-1]
            references = [split.target(i) for i in range(len(split))]
            counted = sentence_statistics(lines, references, metrics=metrics, tokenizer=trainer.bleu_tokenizer)
            scores = {metric: counted.score(metric) for metric in metrics}
            write_scalars(events, name, trainer.position.step, scores)
            told.append(f"BLEU {scores['bleu']:.1f} on {name}")
    return ", ".join(told)


def _better_of(run: TrainedRun, average: Checkpoint, trainer: Trainer) -> TrainedRun:
    """Validate the average of the last validations' weights; keep and return it if it is better than the best of them."""
    folder = run.folder
    load_weights(run.model, average.model, "the average")
    result = validate(run.model, trainer.data, trainer.settings, tokenizer=trainer.bleu_tokenizer)
    better = result.score(trainer.training.best_by) > trainer.position.best_score
    trainer.progress.status(
        f"{describe_weights(average.state)}: {result.describe()}; "
        + ("better than the best, it translates" if better else f"step {trainer.position.best_step} is better and translates")
    )
    if better:
        save_checkpoint(folder.averaged, average)
    else:
        shutil.rmtree(folder.averaged, ignore_errors=True)
    return load_run(folder, run.model.device, allow_code=True)


def average_checkpoints(places: list[Path]) -> Checkpoint:
    """Return the mean of several checkpoints' weights (Vaswani et al. 2017, section 6.1)."""
    loaded = [load_checkpoint(place) for place in places]
    weights = {
        name: torch.stack([c.model[name].double() for c in loaded]).mean(dim=0).to(value.dtype)
        for name, value in loaded[-1].model.items()
    }
    steps = [checkpoint.state["step"] for checkpoint in loaded]
    return Checkpoint(weights, {}, {"step": steps[-1], "averaged": len(loaded), "steps": steps})


def _write_summary(trainer: Trainer, status: str, error: str | None, evaluated: str | None = None) -> None:
    folder, position, blocks = trainer.folder, trainer.position, count_parameters(trainer.model)
    found = learning_of(folder.log)
    summary: dict[str, Any] = {
        "status": status,
        "parameters": sum(blocks.values()),
        "parameters_by_block": blocks,
        "steps": position.step,
        "target_tokens": position.target_tokens,
        "seconds": round(position.seconds, 1),
        "tokens_per_second": round(position.target_tokens / position.seconds) if position.seconds else None,
        "pretraining": None if trainer.training.pretrain is None else asdict(trainer.pretraining),
        "best_step": position.best_step,
        "evaluated": evaluated,
        "skipped_updates": position.skipped,
        "learning_still_rising": found.state != "at rest",
        "learning": found.state,
        "learning_judged_by": found.judged_by,
        "error": error,
    }
    if earlier := folder.read_summary().get("earlier"):  # ends of this run before it was trained longer
        summary["earlier"] = earlier
    write_json(folder.summary, summary)
