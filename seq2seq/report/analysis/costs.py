"""Cost of a trained run: training tokens a second, decoding time and memory by source length, FLOPs per target token.

Decoding by length is measured with the reference fed step by step, as many steps as it has pieces: the same work for every
system, so that a model that never stops is not charged for it. It is measured after training, with as many sentences at a time
for every system, the best of three: the time of the search that wrote the hypotheses depends on what else the machine did.
"""

import time
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from seq2seq.attention.gates import HeadGates
from seq2seq.attention.mechanisms import AdaptiveSpanAttention
from seq2seq.config.errors import counted
from seq2seq.corpus.batching import Batch, collate
from seq2seq.corpus.prepare import EncodedSplit, EvaluationData
from seq2seq.models.budget import BACKWARD, flops_per_token
from seq2seq.models.interface import Model
from seq2seq.report.analysis.store import cached
from seq2seq.run.environment import processor
from seq2seq.run.trained import TrainedRun

LENGTHS = (10, 20, 30, 40, 50, 60)
"""Source words at which decoding is measured, where the test set has such sentences."""
AT_ONCE = 8
"""Sentences in a measured batch, at most; a length is measured on whole batches of this size or not at all."""
REPEATS = 3


def measure_costs(run: TrainedRun, data: EvaluationData, *, decoding: bool = True) -> dict[str, Any]:
    """Measure a run in `analysis/costs.json`, or keep that; `decoding` need not be measured for each seed of a system."""
    name, split = next(iter(data.tests.items()))
    lengths = of_length(split) if decoding else {}
    hardware = f"{processor()}, {counted(torch.get_num_threads(), 'thread')}"

    def measure() -> dict[str, Any]:
        return {
            "training_tokens_per_second": run.folder.read_summary().get("tokens_per_second"),
            "flops_per_token": BACKWARD * flops_per_token(run.settings, 25, 25),
            "heads_used": share_used(run.model, HeadGates),
            "positions_used": share_used(run.model, AdaptiveSpanAttention),
            "by_length": [cost_at(run, split, chosen, length) for length, chosen in lengths.items()],
            "hardware": hardware,
        }

    return cached(run, data, name, "costs", measure, hardware=hardware, **({} if decoding else {"decoding": False}))


def share_used(model: nn.Module, kind: type[HeadGates] | type[AdaptiveSpanAttention]) -> float | None:
    """The mean share that parts of a kind keep in use, 0 to 1; None where there are none."""
    found = [part.used() for part in model.modules() if isinstance(part, kind)]
    return sum(found) / len(found) if found else None


def of_length(split: EncodedSplit) -> dict[int, list[int]]:
    """The sentences nearest to each of `LENGTHS`, at most a tenth away; lengths that too few sentences have are left out."""
    words = np.array([split.length(i) for i in range(len(split))])
    found = {}
    for length in LENGTHS:
        distance = np.abs(words - length)
        nearest = np.argsort(distance, kind="stable")[:AT_ONCE]
        if len(nearest) == AT_ONCE and distance[nearest].max() <= length / 10:
            found[length] = nearest.tolist()
    return found


def cost_at(run: TrainedRun, split: EncodedSplit, sentences: Sequence[int], length: int) -> dict[str, Any]:
    """Time and peak memory of decoding some sentences of one length together."""
    batch = collate(split, np.asarray(sentences)).to(run.model.device)
    seconds = min(_seconds(run, batch) for _ in range(REPEATS))  # the minimum: what else the machine did is no cost
    return {
        "length": length,
        "ms_per_sentence": 1000 * seconds / len(sentences),
        "peak_bytes": peak_bytes(run, batch),
        "sentences": len(sentences),
    }


@torch.no_grad()
def decode_forced(model: Model, batch: Batch) -> None:
    """Encode, then one step for each column of the reference, logits included."""
    state = model.start(model.encode(batch.source, batch.source_mask))
    for tokens in batch.inputs.unbind(dim=1):
        output = model.step(tokens, state)
        state = output.state


def _seconds(run: TrainedRun, batch: Batch) -> float:
    wait = torch.cuda.synchronize if run.model.device.type == "cuda" else lambda _: None
    wait(run.model.device)
    began = time.perf_counter()
    decode_forced(run.model, batch)
    wait(run.model.device)
    return time.perf_counter() - began


def peak_bytes(run: TrainedRun, batch: Batch) -> int:
    """Most bytes that decoding a batch holds at once, beside weights and inputs."""
    if run.model.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(run.model.device)
        before = torch.cuda.memory_allocated(run.model.device)
        decode_forced(run.model, batch)
        return int(torch.cuda.max_memory_allocated(run.model.device) - before)
    with LiveBytes(run.model) as live:
        decode_forced(run.model, batch)
    return int(live.peak)


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the tensors that operations make inside the block, until they are freed; those of `model` are not counted."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        tensors: list[Tensor] = [*model.parameters(), *model.buffers()]
        self._known = {tensor.untyped_storage()._cdata for tensor in tensors}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        output = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(output):
            if isinstance(leaf, Tensor) and leaf.untyped_storage()._cdata not in before:
                self._made(leaf.untyped_storage())
        return output

    def _made(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata in self._known:
            return
        self._known.add(storage._cdata)
        self.live += storage.nbytes()
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._freed, storage._cdata, storage.nbytes())

    def _freed(self, address: int, size: int) -> None:
        self._known.discard(address)
        self.live -= size
