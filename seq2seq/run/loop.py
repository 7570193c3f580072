"""The training loop: from prepared data to a trained run, interruptible at any moment without losing or changing a bit."""

import math
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from seq2seq.config.errors import RunError, UserError
from seq2seq.config.languages import resolve_tokenizer
from seq2seq.config.study import RunSettings
from seq2seq.corpus.batching import Batch, Batches, Examples
from seq2seq.corpus.prepare import PreparedData
from seq2seq.models.interface import Model
from seq2seq.models.output import start_at_frequencies
from seq2seq.models.pretraining import PretrainedModel
from seq2seq.run.checkpoint import Checkpoint, find_checkpoint, save_checkpoint
from seq2seq.run.folder import RunFolder
from seq2seq.run.log import Journal
from seq2seq.run.machine import Machine, compile_forward
from seq2seq.run.pretraining import Pretraining, pretraining_task
from seq2seq.run.processes import Processes
from seq2seq.run.progress import Progress
from seq2seq.run.schedule import is_exhausted, learning_rate
from seq2seq.run.sharding import share_out
from seq2seq.run.signals import Interrupted
from seq2seq.run.trained import build_for, read_reference
from seq2seq.run.update import Updater
from seq2seq.run.validation import Validation, validate


@dataclass
class Position:
    """Progress of a run; with the weights and the optimiser's state it determines everything that follows."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    """Batches of this epoch already used."""
    target_tokens: int = 0
    """Real target tokens trained on; those of the source in a pre-training that hides some."""
    seconds: float = 0.0
    """Time spent in training steps, without validation."""
    skipped: int = 0
    """Updates left out because loss or gradient was not finite."""
    best_score: float = -math.inf
    best_step: int = 0
    waiting: int = 0
    """Validations since the best one."""
    window_nats: float = 0.0
    window_tokens: int = 0
    """Since the last log line."""
    scores: list[float] = field(default_factory=list)
    """Score of every validation, higher is better."""
    validated: int = 0
    """Step of the last validation."""


@dataclass(kw_only=True, eq=False, repr=False)
class Trainer:
    """Trains one run: what is in `folder` decides where it begins, and everything is written there.

    `seed` determines initial weights, dropout and the order of batches. `processes` share the run; None for this one alone.
    `bleu_tokenizer` is sacreBLEU's, for BLEU at validation; empty for the usual one of the target language.
    """

    settings: RunSettings
    seed: int
    data: PreparedData
    machine: Machine
    folder: RunFolder
    progress: Progress
    processes: Processes = field(default_factory=Processes)
    bleu_tokenizer: str = ""

    def __post_init__(self) -> None:
        self.training = self.settings.training
        self.bleu_tokenizer = self.bleu_tokenizer or resolve_tokenizer("auto", self.settings.data.target)
        self.pretraining = Pretraining(done=self.training.pretrain is None)
        self._prepare()
        self.position = Position()
        self.journal: Journal | None = None
        self.norm = 0.0
        """Of the gradient of the last update, before clipping."""
        self.stop_requested = 0
        """Number of the signal that asked to save and stop; 0 while none did."""

    def _prepare(self) -> None:
        """Make the model, its optimiser and its batches: those of pre-training until that is over."""
        training, data = self.training, self.data
        examples: Examples | None = data.joins
        train, put_task = data.train, lambda model: model
        if training.pretrain is not None and not self.pretraining.done:
            train, examples, put_task = pretraining_task(training.pretrain, data, self.settings.data.max_tokens)
        self.sharing = share_out(lambda: self._build(put_task), training, self.processes)
        self.update = Updater(sharing=self.sharing, machine=self.machine, seed=self.seed, train=train, say=self.progress.say)
        self.batches = Batches(
            train,
            batch_tokens=training.batch_tokens,
            seed=self.seed,
            rank=self.processes.rank,
            world=self.processes.world,
            joins=examples,
        )

    @property
    def model(self) -> Model:
        model = self.sharing.model
        return model.whole if isinstance(model, PretrainedModel) else model

    def _build(self, put_task: Callable[[Model], Model]) -> Model:
        torch.manual_seed(self.seed)
        source, target = self.data.source_tokenizer, self.data.target_tokenizer
        model = build_for(self.settings, source, target)
        start_at_frequencies(model.output, self.data.train.target_counts(target.vocabulary_size))
        model = put_task(model).to(self.machine.device)
        compile_forward(model, self.training.compile, self.machine.device)
        return model

    def train(self) -> Position:
        """Train to the end, from wherever the folder stands; what was saved is kept where it is interrupted or cannot go on."""
        keep = self._resume()
        if not self.processes.first:
            self._loop()
            return self.position
        self.journal = Journal(self.folder, keep=keep, step=self.position.step)
        self.journal.time("begin", step=self.position.step, machine=self.machine.describe(), processes=self.processes.world)
        try:
            self._loop()
            self.journal.time("end", step=self.position.step, seconds=self.position.seconds)
        finally:
            self.journal.close()
        return self.position

    def request_stop(self, number: int) -> None:
        """Save and stop after this update, since signal `number` asks for it; a second Ctrl-C acts at once."""
        if number == signal.SIGINT and self.stop_requested == signal.SIGINT:
            raise KeyboardInterrupt
        self.stop_requested = number

    def _loop(self) -> None:
        training, position, pretrain = self.training, self.position, self.training.pretrain
        batches = self._batches()
        while not self._finished():
            began, before = time.perf_counter(), position.seconds
            group = []
            for _ in range(training.accumulate):
                position.epoch, position.batch, batch = next(batches)
                group.append(batch)
            update = self.update(
                position.step + 1,
                group,
                rate=learning_rate(position.step + 1, training, position.scores),
                stop=bool(self.stop_requested),
                seconds=lambda began=began, before=before: before + time.perf_counter() - began,  # type: ignore[misc]
            )
            if update.not_finite:
                self._not_finite(update.not_finite, group)
            else:
                self.norm = update.norm
                position.target_tokens += update.tokens
                position.window_nats += update.nats
                position.window_tokens += update.predicted
                mean = update.nats / max(1, update.predicted)
                self.progress.update(position.step + 1, mean, position.target_tokens / update.seconds)
            position.step += 1
            position.seconds = update.seconds
            if pretrain is not None and not self.pretraining.done:
                self.pretraining = Pretraining(position.step, position.target_tokens, position.seconds)
                if position.step == pretrain.steps:
                    self._learn_to_translate()
                    batches = self._batches()
            self._at_intervals()
            if update.stop:
                self._save()
                raise Interrupted(self.stop_requested or signal.SIGTERM)
        if not self.pretraining.done:  # a limit came first; saved as it is, to be resumed with a higher one
            self._save()
            self._learn_to_translate()
            self._validate()
            self.progress.say("a limit ended the run within its pre-training: it has not learned to translate")
        else:
            if position.validated != position.step:
                self._validate()
            self._save()
        if any(self.processes.sum(float(self.stop_requested))):  # since the last update began
            raise Interrupted(self.stop_requested or signal.SIGTERM)

    def _learn_to_translate(self) -> None:
        """Take the pre-trained weights over into the model; its optimiser and its batches begin anew."""
        self._log_window()
        found, prefix = self.pretraining, "whole."
        kept = {name: value for name, value in self.sharing.weights().items() if name.startswith(prefix)}
        weights = {name.removeprefix(prefix): value.detach() for name, value in kept.items()}
        self.pretraining = replace(found, done=True)
        self.position.epoch, self.position.batch = 0, 0
        self._prepare()
        self.sharing.restore(weights, {}, "the pre-trained weights")
        self.progress.status(f"pre-trained: {found.steps} steps, {found.target_tokens:,} tokens; learns to translate now")

    def _at_intervals(self) -> None:
        training, step = self.training, self.position.step
        if step % training.log_every == 0:
            self._log_window()
        if step % training.validate_every == 0 and self.pretraining.done:
            self._validate()
        if step % training.save_every == 0:
            self._save()

    def _finished(self) -> bool:
        training, position = self.training, self.position
        limits = (
            (position.step, training.max_steps),
            (position.target_tokens, training.max_target_tokens),
            (position.seconds / 60, training.max_minutes),
            (position.waiting, training.patience),
        )
        reached = any(limit is not None and value >= limit for value, limit in limits)
        return reached or is_exhausted(position.scores, training)

    def _batches(self) -> Iterator[tuple[int, int, Batch]]:
        """Yield (epoch, batches used of it with this one, batch), endlessly, from where the run stands."""
        epoch, start = self.position.epoch, self.position.batch
        while True:
            for used, batch in enumerate(self.batches.epoch(epoch, start=start), start=start + 1):
                yield epoch, used, batch
            epoch, start = epoch + 1, 0

    def _not_finite(self, what: str, group: Sequence[Batch]) -> None:
        """Name the batch of an update that cannot be made, then stop or leave it out."""
        position = self.position
        pairs = [row for batch in group for row in batch.indices.tolist()]
        if self.journal:
            self.journal.time("not_finite", step=position.step + 1, epoch=position.epoch, what=what, pairs=pairs)
        shown = ", ".join(map(str, pairs[:5])) + (f" and {len(pairs) - 5} more, see {self.folder.timing}" if pairs[5:] else "")
        where = f"{what} is not finite in batch {position.batch} of epoch {position.epoch} (training pairs {shown})"
        if self.training.non_finite == "stop":
            advice = "Leave such batches out with --set training.non_finite=skip, or lower training.learning_rate"
            raise RunError(f"{self.folder.path}: {where}. {advice} in a new place (--out DIR)" if self.processes.first else "")
        position.skipped += 1
        self.progress.say(f"{where}; the update was left out ({position.skipped} so far)")

    def _log_window(self) -> None:
        position = self.position
        if position.window_tokens and self.journal:
            self.journal.train(
                "train" if self.pretraining.done else "pretrain",
                step=position.step,
                loss=position.window_nats / position.window_tokens,
                target_tokens=position.target_tokens,
                learning_rate=learning_rate(position.step, self.training, position.scores),
                gradient_norm=self.norm,
                seconds=position.seconds,
            )
        position.window_nats, position.window_tokens = 0.0, 0

    def _validate(self) -> None:
        position = self.position
        model = self.sharing.evaluation_model()
        result = self.processes.on_first(lambda: self._measure(model))
        score = result.score(self.training.best_by)
        position.scores.append(score)
        position.validated = position.step
        better = score > position.best_score
        best = " (best so far)" if better else ""
        self.progress.status(f"step {position.step}: {result.describe()}{best}", result.bleu)
        if better or not position.best_step:
            position.best_score, position.best_step, position.waiting = score, position.step, 0
            self._store(self.folder.best, {"step": position.step, "seed": self.seed})
        else:
            position.waiting += 1
        if self.training.average_last:
            self._keep_for_average()

    def _measure(self, model: Model) -> Validation:
        data, position = self.data, self.position
        result = validate(model, data, self.settings, tokenizer=self.bleu_tokenizer)
        if self.journal:
            first = read_reference(model, (data.source_tokenizer, data.target_tokenizer), data.valid, 0)
            self.journal.validation(step=position.step, target_tokens=position.target_tokens, result=result, attention=first)
        return result

    def _keep_for_average(self) -> None:
        self._store(self.folder.recent / f"step-{self.position.step:09d}", {"step": self.position.step, "seed": self.seed})
        if self.processes.first:
            for old in self.folder.recent_checkpoints()[: -self.training.average_last]:
                shutil.rmtree(old)
            for twin in self.folder.recent.glob("*.previous"):  # of a validation made twice, before and after a cut
                shutil.rmtree(twin)

    def _store(self, path: Path, state: dict[str, Any], *, with_optimizer: bool = False) -> None:
        """Save a checkpoint; all processes gather, the first one writes."""
        weights = self.sharing.weights()
        tensors = self.sharing.optimizer_tensors() if with_optimizer else {}
        self.processes.on_first(lambda: save_checkpoint(path, Checkpoint(weights, tensors, state)))

    def _save(self) -> None:
        state = {
            "position": asdict(self.position),
            "seed": self.seed,
            "log_bytes": self.journal.size() if self.journal else 0,
            "bleu_tokenizer": self.bleu_tokenizer,
        }
        if self.training.pretrain is not None:
            state["pretraining"] = asdict(self.pretraining)
        self._store(self.folder.last, state, with_optimizer=True)

    def _resume(self) -> int:
        """Continue from the last checkpoint if there is one; returns how many bytes of the log belong to it."""
        found, complaints = find_checkpoint(self.folder.last)
        for complaint in complaints:
            self.progress.say(complaint)
        if found is None:
            if complaints:
                self.progress.say("no checkpoint can be used; starts from the beginning")
            return 0
        model, tensors, state = found
        try:
            if state["position"].keys() != asdict(Position()).keys():
                raise ValueError(f"its position has {', '.join(state['position'])}")
            position, kept = TypeAdapter(Position).validate_python(state["position"]), int(state["log_bytes"])
            if self.training.pretrain is not None:
                self.pretraining = TypeAdapter(Pretraining).validate_python(state["pretraining"])
                self._prepare()
            self.sharing.restore(model, tensors, str(self.folder.last))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UserError(
                f"{self.folder.last}: not a checkpoint of this version of the program ({error}); give --out DIR for a new place"
            ) from error
        before = state.get("bleu_tokenizer", self.bleu_tokenizer)
        if self.training.best_by == "bleu" and before != self.bleu_tokenizer:
            raise UserError(
                f"{self.folder.path}: best_by: bleu compares validations, and those so far were scored with tokenizer "
                f"{before}, not {self.bleu_tokenizer}; write evaluation.tokenizer: {before}, or give --out DIR for a new place"
            )
        self.position = position
        self.progress.status(f"resumes at step {position.step}")
        there = self.folder.log.stat().st_size if self.folder.log.exists() else 0
        if there < kept:
            self.progress.say(f"{self.folder.log}: {kept - there} bytes are gone since; what they logged stays missing")
        return kept
