"""Length buckets: the same sentences for every system, cut by source length.

Length is counted in words (whitespace tokens of the raw line), in a language without spaces in characters; what is called
source words here is always in the source language's unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq.config.evaluation import BucketSettings, FixedBucketSettings
from seq2seq.config.languages import sentence_length

Lengths = NDArray[np.int64]


@dataclass(frozen=True, order=True)
class Bucket:
    """Source lengths from `low` to `high` words, both included; `high` None is open."""

    low: int
    high: int | None = None

    def holds(self, lengths: Lengths) -> NDArray[np.bool_]:
        """(n,) lengths -> (n,) True inside."""
        inside = lengths >= self.low
        return inside if self.high is None else inside & (lengths <= self.high)

    def __str__(self) -> str:
        return f"{self.low}+" if self.high is None else f"{self.low}-{self.high}"


EVERYTHING = Bucket(0)
"""The whole test set, an empty source line included."""


def source_words(lines: Sequence[str], language: str = "en") -> Lengths:
    """(n,) words of every raw line, characters in a language without spaces."""
    return np.array([sentence_length(line, language) for line in lines], dtype=np.int64)


def fixed_buckets(edges: Sequence[int]) -> tuple[Bucket, ...]:
    """Edges (10, 20) -> 1-10, 11-20, 21+."""
    lows = [1, *(edge + 1 for edge in edges)]
    return tuple(Bucket(low, high) for low, high in zip(lows, [*edges, None], strict=True))


def equal_count_buckets(lengths: Lengths, count: int) -> tuple[Bucket, ...]:
    """Buckets that hold about the same number of sentences.

    Edges are quantiles of the lengths; sentences of one length always stay together, so where many share a length there
    are fewer buckets than asked for, and they are less equal. The last one is open.
    """
    longest = int(lengths.max(initial=1))
    quantiles = np.quantile(lengths, np.arange(1, count) / count, method="inverted_cdf") if len(lengths) else np.array([])
    return fixed_buckets([int(edge) for edge in np.unique(quantiles) if 1 <= edge < longest])


def build_buckets(settings: BucketSettings, lengths: Lengths) -> tuple[Bucket, ...]:
    """The buckets that settings ask for, without those in which no sentence of the test set falls."""
    if isinstance(settings, FixedBucketSettings):
        buckets = fixed_buckets(settings.edges)
    else:
        buckets = equal_count_buckets(lengths, settings.count)
    return tuple(bucket for bucket in buckets if bucket.holds(lengths).any())
