"""The bottleneck index: how fast the gap between a system and the fixed context grows with source length.

It is the least-squares slope over the test sentences of (sentence score of the system - that of the baseline) against source
words, in points per ten words. Above 0 each further ten words add so much to the gap; at 0 the gap, however large, is the same
for short and long sentences, so the fixed vector is not a *bottleneck*. A slope is a function of five sums (weight, x, x^2, y,
xy), so its interval is made as that of every other score, from the same resamples.

The sentence score is chrF2 by default: BLEU's smoothing flatters bad translations of short sentences, which adds a slope of its
own; the floor of chrF rises with length, so that its error goes against the claim.

Limits: a straight line through what may saturate, to be compared on one test set only; length is not controlled for
difficulty; sentence scores weigh every sentence the same. Where the baseline scores less than `FLOOR` BLEU in more than half of
the buckets it has nothing left to lose, and the index follows the system's own curve: `at_floor`, and the report, say so.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seq2seq.scoring.metrics import Counts, Scores

WORDS = 10.0
FLOOR = 5.0
"""BLEU below which a translation shares little more than frequent words with its reference."""


def at_floor(baseline: Sequence[float]) -> bool:
    """Whether a baseline's BLEU, by length bucket, leaves the index without a meaning: below `FLOOR` in more than half."""
    return 2 * sum(score < FLOOR for score in baseline) > len(baseline)


def slope_counts(lengths: NDArray[np.int64], scores: Scores) -> Counts:
    """(n, 5) columns 1, x, x^2, y, xy, with x in tens of source words, from (n,) lengths and (n,) sentence scores."""
    tens = lengths / WORDS
    return np.stack([np.ones(len(tens)), tens, tens**2, scores, tens * scores], axis=-1)


def slope(sums: Counts) -> Scores:
    """Least-squares slope in points per ten words from (..., 5) summed columns; 0 where all sentences are of one length."""
    n, x, xx, y, xy = (sums[..., column] for column in range(5))
    spread = n * xx - x * x
    flat = spread <= 1e-9 * np.maximum(n * xx, 1e-300)  # rounding leaves a little where there is none
    return np.where(flat, 0.0, (n * xy - x * y) / np.where(flat, 1.0, spread))
