"""Joining pairs: for training a random partition of the split in every epoch, for validation and test a fixed balanced set.

Subwords never cross a space and every word begins with a word mark, so joining subwords equals joining text with a space, and
joining them with an end of sentence equals joining text with a `BOUNDARY`: nothing is encoded again.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.config.data import JoinSettings
from seq2seq.corpus.encoded import EncodedSplit, TokenArrays
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.tokenizer import EOS, Tokenizer

Indices = NDArray[np.int64]

_CANDIDATES = 64
"""Least used pairs among which a join is first looked for; all of them after enough failures."""
_TRIES = 1000
"""Failures in a row after which a bucket has no more joins."""


def join_pairs(group: Sequence[SentencePair], between: str = " ") -> SentencePair:
    """Join pairs into one, sources by `between`, targets by a space, links shifted (None if those of any pair are unknown)."""
    links: list[tuple[int, int]] = []
    source_words = target_words = 0
    for pair in group:
        links += [(s + source_words, t + target_words) for s, t in pair.links or ()]
        source_words += len(pair.source.split())
        target_words += len(pair.target.split())
    known = all(pair.links is not None for pair in group)
    source, target = between.join(p.source for p in group), " ".join(p.target for p in group)
    return SentencePair(source, target, tuple(links) if known else None)


class TrainingJoins:
    """The joined examples of every epoch: each pair is in exactly one.

    An example has at most `max_tokens` subwords and `max_words` words (characters in a language without spaces) on either side,
    unless a single pair has more; `sides` are (tokenizer, language) of source and target.
    """

    def __init__(
        self,
        split: EncodedSplit,
        settings: JoinSettings,
        *,
        max_tokens: int,
        max_words: int | None = None,
        sides: Sequence[tuple[Tokenizer, str]] = (),
    ) -> None:
        self._split, self._settings = split, settings
        ends = 1 if settings.separator else 0  # that of the last pair of an example is not counted
        self._limits: list[tuple[NDArray[Any], int]] = [
            (split.source_lengths + ends, max_tokens + ends),
            (split.target_lengths, max_tokens),
        ]
        if max_words is not None:
            for (tokenizer, language), side in zip(sides, (split.source_arrays, split.target_arrays), strict=True):
                self._limits.append((tokenizer.lengths_of(side.tokens, side.offsets, language), max_words))

    def longest(self) -> tuple[int, int]:
        """Return the most subwords that an example can have, source and target."""
        most = self._settings.max_pairs
        (source, target) = (
            max(int(sizes.max(initial=0)), min(limit, int(np.sort(sizes)[-most:].sum()))) for sizes, limit in self._limits[:2]
        )
        return source - (1 if self._settings.separator else 0), target

    def examples(self, random: np.random.Generator) -> EncodedSplit:
        """Join all pairs anew; holds the subwords of the whole split in memory."""
        order = random.permutation(len(self._split))
        bounds = self._within_limits(order, self._bounds(random))
        split = self._split
        source, target = (laid_out(side, order, bounds) for side in (split.source_arrays, split.target_arrays))
        if self._settings.separator:
            source = separated(source, split.source_lengths[order], bounds)
        texts = _JoinedTexts(split, order, bounds, self._settings.between)
        return EncodedSplit(source, target, texts, reverse_source=split.reverse_source)

    def _bounds(self, random: np.random.Generator) -> Indices:
        """(E + 1,) where each example begins in a random order of the pairs, and the end."""
        settings, count = self._settings, len(self._split)
        single = round(settings.single_share * count)
        sizes = random.integers(2, settings.max_pairs + 1, (count - single) // 2 + 1)
        bounds = np.concatenate([np.arange(single + 1), single + np.cumsum(sizes)])
        return np.append(bounds[bounds < count], count)

    def _within_limits(self, order: Indices, bounds: Indices) -> Indices:
        """Cut each example that passes a limit before the pair with which it does."""
        sizes = [(lengths[order].astype(np.int64), limit) for lengths, limit in self._limits]
        over = np.zeros(len(bounds) - 1, bool)
        for lengths, limit in sizes:
            over |= np.add.reduceat(lengths, bounds[:-1]) > limit
        cuts = [cut for i in np.flatnonzero(over) for cut in _cuts(sizes, int(bounds[i]), int(bounds[i + 1]))]
        return np.union1d(bounds, np.array(cuts, np.int64))


def _cuts(sizes: Sequence[tuple[Indices, int]], start: int, stop: int) -> list[int]:
    """Return where the range start..stop has to be cut so that no part of two or more passes a limit."""
    cuts = []
    for position in range(start + 1, stop):
        if any(lengths[start : position + 1].sum() > limit for lengths, limit in sizes):
            cuts.append(position)
            start = position
    return cuts


def laid_out(side: TokenArrays, order: Indices, bounds: Indices) -> TokenArrays:
    """Lay the sentences end to end in another order, with an offset at each bound only."""
    starts, lengths = side.offsets[order], side.offsets[order + 1] - side.offsets[order]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    places = np.repeat(starts - ends[:-1], lengths) + np.arange(ends[-1])
    return TokenArrays(side.tokens[places], ends[bounds])


def separated(side: TokenArrays, lengths: NDArray[Any], bounds: Indices) -> TokenArrays:
    """Put an end of sentence after every sentence, of `lengths`, that is not the last of its example."""
    ends = np.cumsum(lengths, dtype=np.int64)
    inner = np.delete(ends, bounds[1:] - 1)
    offsets = side.offsets + np.searchsorted(inner, side.offsets, side="right")
    return TokenArrays(np.insert(side.tokens, inner, EOS), offsets)


class _JoinedTexts:
    """Texts of joined examples, joined when they are looked at."""

    def __init__(self, split: EncodedSplit, order: Indices, bounds: Indices, between: str) -> None:
        self._split, self._order, self._bounds, self._between = split, order, bounds, between

    def __getitem__(self, i: int) -> SentencePair:
        rows = self._order[self._bounds[i] : self._bounds[i + 1]]
        return join_pairs([self._split.pair(int(row)) for row in rows], self._between)


def balanced_groups(words: Sequence[int], settings: JoinSettings) -> dict[str, list[tuple[int, ...]]]:
    """Choose which pairs of a validation or test split are joined: different groups, as many in every length bucket.

    The least used pairs are tried first, so that all are used about equally often. Returns groups of 1 to `max_pairs` of the
    (N,) pairs with these source lengths, by bucket, "11-20" or "61+"; as many as there are.
    """
    random = np.random.default_rng(settings.seed)
    lengths, used = np.asarray(words, np.int64), np.zeros(len(words), np.int64)
    found = {}
    for below, high in pairwise((0, *settings.edges, math.inf)):
        groups: dict[frozenset[int], tuple[int, ...]] = {}
        while len(groups) < settings.per_bucket:
            order = np.lexsort((random.random(len(used)), used))  # least used first, ties at random
            drawn = _drawn_groups(order, settings.max_pairs, random)
            new = (group for group in drawn if below < lengths[list(group)].sum() <= high and frozenset(group) not in groups)
            if (group := next(new, None)) is None:
                break
            used[list(group)] += 1
            groups[frozenset(group)] = group
        found[f"{below + 1}+" if high == math.inf else f"{below + 1}-{high}"] = list(groups.values())
    return found


def _drawn_groups(order: Indices, max_pairs: int, random: np.random.Generator) -> Iterator[tuple[int, ...]]:
    """Yield groups of the first pairs in an order, and of more and more of them."""
    for attempt in range(_TRIES):
        size = int(random.integers(1, max_pairs + 1))
        candidates = order[: max(size, _CANDIDATES << (attempt // 50))]
        if size <= len(candidates):
            yield tuple(random.choice(candidates, size, replace=False).tolist())
