"""Padded batches of similar lengths under a token budget, in an order that is a pure function of seed and epoch.

So a position in training is two integers (epoch, batches used), whatever the number of threads or processes. Sentences are
ordered by the longer of their two sides and, among equals, by the difference of the sides, up and down in turns: neighbours
then agree in both lengths, and a batch cut from this order hardly pads. Ties are broken, the first cut is placed and the
batches are shuffled at random, anew in every epoch.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seq2seq.corpus.encoded import EncodedSplit, TokenArrays
from seq2seq.corpus.tokenizer import BOS, EOS, PAD

Indices = NDArray[np.int64]
T = TypeVar("T")

SOURCE_FACTOR = 2
"""Padded source positions of a batch are at most this multiple of its token budget."""
_AHEAD = 4
"""Batches made ahead by a thread."""
_JOINING = 1
"""Third part of the seed of joining, so that it does not draw the numbers that order the batches."""
_LENGTH_BITS = 16
"""Sort keys hold lengths up to 65,535; longer ones count as that long."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Padded token ids of B sentence pairs. Lengths count the end of sentence."""

    source: Tensor
    """(B, S) long, subwords then eos then padding; subwords last to first where the split says `reverse_source`."""
    source_mask: Tensor
    """(B, S), True at real tokens."""
    inputs: Tensor
    """(B, T) long, bos then pieces: what the decoder is fed."""
    targets: Tensor
    """(B, T) long, subwords then eos: what it has to say."""
    target_mask: Tensor
    """(B, T), True at real tokens."""
    indices: Indices
    """(B,), which sentences of the split these are."""
    target_tokens: int
    """Real target tokens, eos counted."""
    global_target_tokens: int
    """The same over the shards of all processes: what a summed loss is divided by."""
    global_tokens: int
    """These and, of a text in which few are to be predicted, the others: what the batch counts for in a budget."""

    def to(self, device: torch.device) -> Self:
        """Move the tensors."""
        names = ("source", "source_mask", "inputs", "targets", "target_mask")
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=True) for name in names})

    def part(self, rows: slice, source: int | None = None, target: int | None = None) -> Self:
        """Return some rows, cut after so many source and target positions; None keeps all."""
        tensors = {name: getattr(self, name)[rows, :source] for name in ("source", "source_mask")}
        tensors |= {name: getattr(self, name)[rows, :target] for name in ("inputs", "targets", "target_mask")}
        return replace(self, **tensors, indices=self.indices[rows], target_tokens=int(tensors["target_mask"].sum()))


def collate(
    split: EncodedSplit, indices: Indices, global_target_tokens: int | None = None, global_tokens: int | None = None
) -> Batch:
    """Gather and pad (B,) sentences, B >= 0; the numbers of tokens are of the whole batch where this is a shard of one."""
    source, source_mask = _gather(split.source_arrays, indices, reverse=split.reverse_source)
    targets, target_mask = _gather(split.target_arrays, indices)
    inputs = np.full_like(targets, PAD)
    inputs[:, 0] = BOS
    inputs[:, 1:] = np.where(target_mask[:, 1:], targets[:, :-1], PAD)
    if split.predictions is not None:
        target_mask &= (targets != PAD) & (targets != EOS)
    target_tokens = int(target_mask.sum())
    whole = target_tokens if global_target_tokens is None else global_target_tokens
    return Batch(
        source=torch.from_numpy(source),
        source_mask=torch.from_numpy(source_mask),
        inputs=torch.from_numpy(inputs),
        targets=torch.from_numpy(targets),
        target_mask=torch.from_numpy(target_mask),
        indices=indices,
        target_tokens=target_tokens,
        global_target_tokens=whole,
        global_tokens=whole if global_tokens is None else global_tokens,
    )


def _gather(side: TokenArrays, indices: Indices, *, reverse: bool = False) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return (B, L) ids with eos after each sentence, and their mask; L is 1 for no sentences."""
    starts = side.offsets[indices]
    lengths = side.offsets[indices + 1] - starts  # (B,) without eos
    width = int(lengths.max(initial=0)) + 1
    columns = np.arange(width)
    inside = columns < lengths[:, None]  # (B, L) subwords
    offsets = lengths[:, None] - 1 - columns if reverse else columns
    ids = np.full(inside.shape, PAD, np.int64)
    ids[inside] = side.tokens[(starts[:, None] + offsets)[inside]]
    ids[np.arange(len(indices)), lengths] = EOS
    return ids, columns <= lengths[:, None]


class Examples(Protocol):
    """Makes the examples of an epoch: `TrainingJoins`, `MaskedText`."""

    def examples(self, random: np.random.Generator) -> EncodedSplit:
        """Return them; the generator's state decides all that is random in them."""


class Batches:
    """The training batches of every epoch, which `seed` and epoch determine.

    A batch has at most `batch_tokens` real target tokens (eos counted), unless it is a single sentence, and at most
    `SOURCE_FACTOR` times as many padded source positions. Of the `world` processes that share it this one gets shard `rank`,
    0 <= rank < world; the union does not depend on `world`. `joins` makes examples of the sentences, anew in every epoch.
    """

    def __init__(
        self,
        split: EncodedSplit,
        *,
        batch_tokens: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        joins: Examples | None = None,
    ) -> None:
        self.split, self.batch_tokens, self.seed = split, batch_tokens, seed
        self.rank, self.world = rank, world
        self._joins, self._made = joins, (-1, split)

    def examples(self, epoch: int) -> EncodedSplit:
        """Return what the batches of an epoch are made of: the split, or examples made of it anew; the last one is kept."""
        if self._joins is None:
            return self.split
        if self._made[0] != epoch:
            self._made = epoch, self._joins.examples(np.random.default_rng((self.seed, epoch, _JOINING)))
        return self._made[1]

    def plan(self, epoch: int) -> list[Indices]:
        """Return which of its `examples` each global batch of an epoch holds; every one is in exactly one."""
        examples = self.examples(epoch)
        source_sizes, target_sizes = examples.source_lengths + 1, examples.target_lengths + 1  # eos
        random = np.random.default_rng((self.seed, epoch))
        order = _order(source_sizes, target_sizes, random)
        budget = int(random.integers((self.batch_tokens + 1) // 2, self.batch_tokens + 1))  # of the first batch: moves all cuts
        batches, start = [], 0
        ends = np.cumsum(target_sizes[order], dtype=np.int64)
        source_sizes = source_sizes[order]
        while start < len(order):
            stop = self._cut(start, budget, ends, source_sizes)
            batches.append(order[start:stop])
            start, budget = stop, self.batch_tokens
        return [batches[i] for i in random.permutation(len(batches))]

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield this process's shard (which may be empty) of each batch of an epoch, from batch number `start` on."""
        examples = self.examples(epoch)
        batches = (self._shard(examples, indices) for indices in self.plan(epoch)[start:])
        return prefetch(batches, _AHEAD)

    def _shard(self, examples: EncodedSplit, indices: Indices) -> Batch:
        tokens = int(examples.target_lengths[indices].sum()) + len(indices)  # eos
        predicted = tokens if examples.predictions is None else int(examples.predictions[indices].sum())
        return collate(examples, indices[self.rank :: self.world], predicted, tokens)

    def _cut(self, start: int, budget: int, ends: Indices, source_sizes: NDArray[np.int32]) -> int:
        """Return the end of the largest batch from `start` within both budgets, one sentence at least."""
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + budget, side="right"))
        widest = np.maximum.accumulate(source_sizes[start:stop])
        padded = widest * np.arange(1, len(widest) + 1, dtype=np.int64)  # non-decreasing
        fits = int(np.searchsorted(padded, SOURCE_FACTOR * self.batch_tokens, side="right"))
        return start + max(1, fits)


def _order(source_sizes: NDArray[np.int32], target_sizes: NDArray[np.int32], random: np.random.Generator) -> Indices:
    """Order examples by (longer side, difference of the sides up and down in turns, chance): one sort of 64-bit keys."""
    most = (1 << _LENGTH_BITS) - 1
    source, target = (np.minimum(sizes, most).astype(np.int64) for sizes in (source_sizes, target_sizes))
    key, difference = np.maximum(source, target), source - target
    np.negative(difference, out=difference, where=key % 2 == 1)  # the snake
    difference += 1 << _LENGTH_BITS  # > 0, 17 bits
    del source, target  # each of these is 8 bytes a pair
    key <<= 17
    key |= difference
    key <<= 30
    key |= random.integers(0, 1 << 30, len(key))
    return np.argsort(key, kind="stable")


def evaluation_batches(split: EncodedSplit, batch_tokens: int, sentences: Sequence[int] | None = None) -> Iterator[Batch]:
    """Yield batches of some sentences or all, sorted by source length, longest first; `Batch.indices` restores the order.

    The longer side of a batch has at most `batch_tokens` padded positions, unless it is a single sentence.
    """
    chosen = np.arange(len(split)) if sentences is None else np.asarray(sentences, np.int64)
    order = chosen[np.argsort(-split.source_lengths[chosen], kind="stable")]
    sizes = np.maximum(split.source_lengths, split.target_lengths) + 1
    start, widest = 0, 0
    for stop in range(len(order)):
        widest = max(widest, int(sizes[order[stop]]))
        if stop > start and widest * (stop + 1 - start) > batch_tokens:
            yield collate(split, order[start:stop])
            start, widest = stop, int(sizes[order[stop]])
    if start < len(order):
        yield collate(split, order[start:])


def prefetch(items: Iterable[T], depth: int) -> Iterator[T]:
    """Yield the same items in the same order, made up to `depth` ahead by a thread, or not ahead where none can be had.

    What the source raises is raised here, at its place. Closing or dropping the iterator ends the thread.
    """
    source, end = iter(items), object()
    worker = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
    try:
        worker.submit(int).result()
    except RuntimeError:  # memory is so short that no thread starts: whoever needs more of it says what to do
        yield from source
        return
    ready = deque(worker.submit(next, source, end) for _ in range(depth))
    try:
        while (item := ready.popleft().result()) is not end:
            ready.append(worker.submit(next, source, end))
            yield cast(T, item)
    finally:  # an iterator that nobody closed may be dropped when the interpreter is half gone: no `cancel_futures` then
        for future in ready:
            future.cancel()
        worker.shutdown()
