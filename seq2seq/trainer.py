"""The training loop: from prepared data to a trained run, interruptible at any moment without losing or changing a bit."""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.batching import Batch, Batches
from seq2seq.checkpoint import Checkpoint, find_checkpoint, load_weights, save_checkpoint, trainable_state
from seq2seq.config.study import RunSettings
from seq2seq.corpus.prepare import PreparedData
from seq2seq.errors import RunError
from seq2seq.loss import linear_cross_entropy, real_positions
from seq2seq.machine import Machine
from seq2seq.models.build import build_model
from seq2seq.models.interface import Model
from seq2seq.monitor import Monitor
from seq2seq.optimizer import build_optimizer, optimizer_tensors, restore_optimizer
from seq2seq.progress import Progress
from seq2seq.run_folder import JsonLines, RunFolder
from seq2seq.schedule import learning_rate
from seq2seq.validation import Validation, first_attention, validate


@dataclass
class Position:
    """Where a run stands; with weights, optimiser and random state it determines everything that follows."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    """Batches of this epoch already used."""
    target_tokens: int = 0
    """Real target tokens trained on."""
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


class Interrupted(Exception):
    """The person asked to stop; everything is saved."""


class Trainer:
    """Trains one run.

    Args:
        settings: the run's resolved settings.
        seed: determines initial weights, dropout and the order of batches.
        data: prepared corpus.
        machine: what to compute with.
        folder: where everything is written.
        progress: what the person sees.
    """

    def __init__(
        self, *, settings: RunSettings, seed: int, data: PreparedData, machine: Machine, folder: RunFolder, progress: Progress
    ) -> None:
        self.settings, self.training, self.seed = settings, settings.training, seed
        self.data, self.machine, self.folder, self.progress = data, machine, folder, progress
        torch.manual_seed(seed)
        self.model: Model = build_model(
            settings.model,
            source_vocabulary=data.source_tokenizer.vocabulary_size,
            target_vocabulary=data.target_tokenizer.vocabulary_size,
        ).to(machine.device)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = build_optimizer(self.parameters, self.training)
        self.batches = Batches(data.train, batch_tokens=self.training.batch_tokens, seed=seed)
        self.position = Position()
        self.stop_requested = False

    def train(self) -> Position:
        """Train to the end, from wherever the folder stands.

        Raises:
            Interrupted: `stop_requested` was set; the run is saved and can go on.
            RunError: the loss is not finite, memory ran out, or the disk is full.
        """
        self.log = JsonLines(self.folder.log, keep=self._resume())
        self.timing = JsonLines(self.folder.timing)
        self.monitor = Monitor(self.folder.tensorboard, first_step=self.position.step)
        self.timing.write(event="begin", step=self.position.step, time=time.time(), machine=self.machine.describe())
        try:
            self._loop()
        finally:
            self.timing.write(event="end", step=self.position.step, time=time.time(), seconds=self.position.seconds)
            for open_file in (self.log, self.timing, self.monitor):
                open_file.close()
        return self.position

    def _loop(self) -> None:
        training, position = self.training, self.position
        batches = self._batches()
        while not self._finished():
            began = time.perf_counter()
            group = []
            for _ in range(training.accumulate):
                position.epoch, position.batch, batch = next(batches)
                group.append(batch)
            nats, tokens = self._update(group)
            position.step += 1
            position.target_tokens += tokens
            position.window_nats += nats
            position.window_tokens += tokens
            position.seconds += time.perf_counter() - began
            self.progress.update(position.step, nats / tokens, position.target_tokens / position.seconds)
            if position.step % training.log_every == 0:
                self._log_window()
            if position.step % training.validate_every == 0:
                self._validate()
            if position.step % training.save_every == 0:
                self._save()
            if self.stop_requested:
                self._save()
                raise Interrupted
        if position.validated != position.step:
            self._validate()
        self._save()

    def _finished(self) -> bool:
        training, position = self.training, self.position
        if position.step >= training.max_steps:
            return True
        if training.max_target_tokens is not None and position.target_tokens >= training.max_target_tokens:
            return True
        if training.max_minutes is not None and position.seconds >= training.max_minutes * 60:
            return True
        return training.patience is not None and position.waiting >= training.patience

    def _batches(self) -> Iterator[tuple[int, int, Batch]]:
        """Yield (epoch, batches used of it with this one, batch), endlessly, from where the run stands."""
        epoch, start = self.position.epoch, self.position.batch
        while True:
            for used, batch in enumerate(self.batches.epoch(epoch, start=start), start=start + 1):
                yield epoch, used, batch
            epoch, start = epoch + 1, 0

    def _update(self, group: list[Batch]) -> tuple[float, int]:
        """One optimiser update over a group of batches; returns the sum of nats and the number of target tokens."""
        step = self.position.step + 1
        tokens = sum(batch.global_target_tokens for batch in group)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        nats = sum(self._backward(batch, tokens) for batch in group)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.training.clip_norm)
        if not math.isfinite(nats) or not math.isfinite(float(norm)):
            self._not_finite(step, group, nats, float(norm))
            return 0.0, tokens
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = learning_rate(step, self.training)
        self.optimizer.step()
        return nats, tokens

    def _backward(self, batch: Batch, tokens: int) -> float:
        batch = batch.to(self.machine.device)
        with self.machine.autocast():
            features = self.model(batch.source, batch.source_mask, batch.inputs).features
            kept, wanted = real_positions(features, batch.targets, batch.target_mask)
            loss = linear_cross_entropy(kept, wanted, self.model.output, self.training.label_smoothing)
        (loss.smoothed / tokens).backward()  # type: ignore[no-untyped-call]
        return float(loss.nats)

    def _not_finite(self, step: int, group: list[Batch], nats: float, norm: float) -> None:
        rows = [int(index) for batch in group for index in batch.indices]
        what = f"step {step}: loss {nats} (summed nats), gradient norm {norm}"
        self.timing.write(event="not_finite", step=step, nats=str(nats), norm=str(norm), rows=rows)
        if self.training.non_finite == "stop":
            raise RunError(
                f"{self.folder.path}: {what} is not finite; the batch's {len(rows)} training rows are in {self.folder.timing}. "
                "Lower training.learning_rate, or set training.non_finite=skip"
            )
        self.position.skipped += 1
        self.progress.say(f"{what} is not finite; the batch was left out ({self.position.skipped} so far)")

    def _log_window(self) -> None:
        position = self.position
        if not position.window_tokens:
            return
        loss = position.window_nats / position.window_tokens
        rate = learning_rate(position.step, self.training)
        self.log.write(event="train", step=position.step, loss=loss, target_tokens=position.target_tokens, learning_rate=rate)
        speed = position.target_tokens / position.seconds
        self.timing.write(event="train", step=position.step, seconds=position.seconds, tokens_per_second=speed)
        self.monitor.scalars(position.step, {"train/loss": loss, "train/learning_rate": rate, "train/tokens_per_second": speed})
        position.window_nats, position.window_tokens = 0.0, 0

    def _validate(self) -> None:
        position, training = self.position, self.training
        result = validate(self.model, self.data, device=self.machine.device, bleu_sentences=training.validation_bleu_sentences)
        score = -result.loss if training.best_by == "loss" else (result.bleu or 0.0)
        position.scores.append(score)
        position.validated = position.step
        better = score > position.best_score
        self.log.write(event="validation", step=position.step, target_tokens=position.target_tokens, **asdict(result))
        self.monitor.validation(position.step, result)
        weights = first_attention(self.model, self.data, self.machine.device)
        if weights is not None:
            self.monitor.picture(position.step, weights)
        self.progress.say(f"step {position.step}: {_summary(result)}{' (best so far)' if better else ''}")
        if better:
            position.best_score, position.best_step, position.waiting = score, position.step, 0
            self._save_weights(self.folder.best)
        else:
            position.waiting += 1
        if training.average_last:
            self._keep_for_average()

    def _save_weights(self, path: Any) -> None:
        save_checkpoint(path, Checkpoint(trainable_state(self.model), {}, {"step": self.position.step, "seed": self.seed}))

    def _keep_for_average(self) -> None:
        recent = self.folder.last.parent / "recent"
        self._save_weights(recent / f"step-{self.position.step:09d}")
        for old in sorted(recent.glob("step-*"))[: -self.training.average_last]:
            for file in old.iterdir():
                file.unlink()
            old.rmdir()

    def _save(self) -> None:
        tensors = optimizer_tensors(self.optimizer)
        tensors["random.cpu"] = torch.get_rng_state()
        if self.machine.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.machine.device)
        state = {"position": asdict(self.position), "seed": self.seed, "log_bytes": self.log.size()}
        save_checkpoint(self.folder.last, Checkpoint(trainable_state(self.model), tensors, state))

    def _resume(self) -> int:
        """Continue from the last checkpoint if there is one; returns how many bytes of the log belong to it."""
        found = find_checkpoint(self.folder.last)
        for complaint in found.complaints:
            self.progress.say(complaint)
        if found.checkpoint is None:
            return 0
        model, tensors, state = found.checkpoint
        load_weights(self.model, model, str(self.folder.last))
        random = {name: tensors.pop(name) for name in list(tensors) if name.startswith("random.")}
        restore_optimizer(self.optimizer, tensors)
        self.position = Position(**state["position"])
        _restore_random(random, self.machine.device)
        self.progress.say(f"resumes at step {self.position.step}")
        return int(state["log_bytes"])


def _restore_random(random: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(random["random.cpu"])
    if device.type == "cuda" and "random.cuda" in random:
        torch.cuda.set_rng_state(random["random.cuda"], device)


def _summary(result: Validation) -> str:
    bleu = "" if result.bleu is None else f", BLEU {result.bleu:.1f}"
    accuracy = f"accuracy {100 * result.token_accuracy:.1f} %"
    return f"validation loss {result.loss:.3f}, perplexity {result.perplexity:.2f}, {accuracy}{bleu}"
