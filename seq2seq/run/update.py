"""One optimiser update: gradients of a group of batches, and what to do when memory runs out or a number is not finite."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from seq2seq.attention.gates import penalty_of
from seq2seq.config.errors import RunError
from seq2seq.corpus.batching import Batch, collate
from seq2seq.corpus.encoded import EncodedSplit
from seq2seq.models.interface import Model
from seq2seq.models.output import Loss, linear_cross_entropy, real_positions
from seq2seq.models.pretraining import PretrainedModel
from seq2seq.run.machine import Machine
from seq2seq.run.sharding import Whole


class Update(NamedTuple):
    """Result of an update; the same in every process."""

    nats: float
    """Summed over the target tokens of all processes; 0 where the update was left out."""
    predicted: int
    """Target tokens of all processes over which the nats are summed."""
    tokens: int
    """Tokens of all processes that count in a budget: these, and those of a masked text that were not to be predicted."""
    seconds: float
    """Mean over the processes of what each passed in."""
    stop: bool
    """Whether any process was asked to stop."""
    not_finite: str | None
    """What was not finite, in words; the weights are then as they were."""
    norm: float
    """Of the gradient, before clipping."""


@dataclass(kw_only=True, eq=False)
class Updater:
    """Makes updates.

    `seed`, with step, batch and process, determines dropout, so that nothing random has to be kept between updates. A process
    without a share of a batch has to go through the motions with one sentence of `train` in some modes. `say` hears about
    memory.
    """

    sharing: Whole
    machine: Machine
    seed: int
    train: EncodedSplit
    say: Callable[[str], None]

    def __call__(self, step: int, group: list[Batch], *, rate: float, stop: bool, seconds: Callable[[], float]) -> Update:
        """Make update number `step`, from 1, over this process's shards of a group of batches.

        `rate` is the learning rate, `stop` whether this process was asked to stop, `seconds` its time, asked when gradients are
        ready. A `RunError` if memory ran out, or another process has ended.
        """
        predicted = sum(batch.global_target_tokens for batch in group)
        tokens = sum(batch.global_tokens for batch in group)
        self.sharing.model.train()
        nats = self._gradients(step, group, predicted)
        self.sharing.combine_gradients()
        norm = self.sharing.clip(self.sharing.training.clip_norm)
        nats, stops, spent = self.sharing.processes.sum(nats, float(stop), seconds())
        update = Update(nats, predicted, tokens, spent / self.sharing.processes.world, stops > 0, None, norm)
        if not math.isfinite(nats) or not math.isfinite(norm):
            self.sharing.optimizer.zero_grad(set_to_none=True)
            return update._replace(nats=0.0, not_finite=f"step {step}: loss {nats} (summed nats), gradient norm {norm}")
        for parameters in self.sharing.optimizer.param_groups:
            parameters["lr"] = rate
        self.sharing.optimizer.step()
        return update

    def _gradients(self, step: int, group: list[Batch], tokens: int) -> float:
        """Compute gradients, in halves where memory runs out and the settings say so; returns this process's nats."""
        while True:
            self.sharing.optimizer.zero_grad(set_to_none=True)
            try:
                return sum(self._backward(batch, tokens, (step, place)) for place, batch in enumerate(group))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                group = self._halves(step, group, error)
            if self.machine.device.type == "cuda":
                torch.cuda.empty_cache()

    def _backward(self, batch: Batch, tokens: int, place: tuple[int, int]) -> float:
        share = 1.0
        if not len(batch.indices):
            if self.sharing.uneven:
                return 0.0
            batch, share = collate(self.train, np.zeros(1, np.int64)), 0.0
        torch.manual_seed(dropout_seed(self.seed, *place, self.sharing.processes.rank))
        batch = batch.to(self.machine.device)
        model = self.sharing.model
        with self.machine.autocast():
            loss = loss_of(model, batch, self.sharing.training.label_smoothing)
        priced = not isinstance(model, PretrainedModel)  # which does not use all of its parts
        in_use = penalty_of(model) * batch.target_tokens if priced else 0.0  # once an update, whatever shares it out
        ((loss.smoothed + in_use) * (share / tokens)).backward()  # type: ignore[no-untyped-call]
        return float(loss.nats) * share

    def _halves(self, step: int, group: list[Batch], error: Exception) -> list[Batch]:
        """Split every batch in two, or stop with advice."""
        training = self.sharing.training
        tokens = max(batch.target_tokens for batch in group)
        splits = any(len(batch.indices) > 1 for batch in group)
        where = f"{self.sharing.processes.named()}step {step}: out of memory with {tokens:,} target tokens in a batch"
        if not (training.halve_on_oom and self.sharing.uneven and splits):
            half, twice = max(1, training.batch_tokens // 2), 2 * training.accumulate
            raise RunError(
                f"{where}; set training.batch_tokens={half} and training.accumulate={twice} for updates of the same size (with "
                "--out DIR, since it is another run), or go on here with training.halve_on_oom=true"
            ) from error
        self.say(f"{where}; each batch is split in two for this update, its gradient is the same")
        return [half for batch in group for half in halves(batch)]


def loss_of(model: Model, batch: Batch, smoothing: float) -> Loss:
    """Feed a batch's targets to a model and score what it predicts at real positions; `smoothing` is of labels, 0 to 1."""
    features = model(batch.source, batch.source_mask, batch.inputs).features
    kept, wanted = real_positions(features, batch.targets, batch.target_mask)
    return linear_cross_entropy(kept, wanted, model.output, smoothing)


def dropout_seed(seed: int, step: int, place: int, rank: int) -> int:
    """Return a seed that no other batch of any run shares but by chance in 2**63."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {step} {place} {rank}".encode(), digest_size=8).digest(), "big") >> 1


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, on an accelerator or on the CPU, where torch has no class for it."""
    words = ("can't allocate memory", "not enough memory", "bad_alloc")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in str(error) for word in words)


def halves(batch: Batch) -> list[Batch]:
    """Split a batch by rows, which are of similar length, so that no column is cut; one row stays as it is."""
    middle = (len(batch.indices) + 1) // 2
    parts = [slice(middle), slice(middle, None)] if len(batch.indices) > 1 else [slice(None)]
    return [batch.part(rows) for rows in parts]
