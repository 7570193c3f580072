"""The bottleneck index: how fast the gap between a system and the fixed context grows with source length.

Definition: the least-squares slope over the test sentences of (sentence score of the system - sentence score of the baseline)
against source words, times ten. Unit: points per ten source words. Above 0: each further ten words add that many points to
the gap. 0: the gap, however large, is the same for short and long sentences, so the fixed vector is not a *bottleneck*.

The slope of a difference is the difference of slopes, and a slope is a function of five sums (weight, x, x^2, y, xy), so
its interval is made as that of every other score, from the same resamples of sentences.

Sentence score: chrF2 by default. Sentence BLEU needs smoothing, which flatters bad translations of short sentences and
so would add a slope of its own; the floor that chrF gives to bad translations rises with length, so its error goes
against the claim.

Limits: a straight line through what may saturate: the index depends on the lengths in the test set, and is to be compared
between systems on one test set only. Length is not controlled for difficulty (long sentences differ in kind, too). Sentence
scores weigh every sentence the same, corpus scores by its length. A gap at all lengths is invisible here by design.

Floor: where the baseline scores less than `FLOOR` BLEU in more than half of the buckets it has nothing left to lose, so that
a gap cannot grow by its falling: the index then follows the system's own curve and is no evidence about a bottleneck.
`at_floor` says so, and the report says it beside the numbers.
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
