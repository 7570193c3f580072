"""Results of the statistics as `report.json` publishes them, with a sentence for each field."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from seq2seq.scoring.bootstrap import Estimate

Key = TypeVar("Key")
Verdict = Literal["better", "worse", "leans better", "leans worse", "undecided", "small sample", "underpowered"]
"""What becomes of a difference: see `verdict_on`. "underpowered" is only in reports of earlier versions."""


class Result(BaseModel):
    """A part of the report: no unknown keys; the sentence under a field goes into the schema.

    Everywhere `n` counts sentences, `low` and `high` are the ends of an interval, and null where there is none.
    """

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, ser_json_inf_nan="null")


def finite(value: float | None) -> float | None:
    """A number that can be drawn and written as JSON; None for none, infinity and not-a-number."""
    return value if value is not None and math.isfinite(value) else None


def verdict_on(estimate: Estimate, p: float | None, *, small: bool, level: float, higher_is_better: bool = True) -> Verdict:
    """Judge a difference by its p, which is corrected where it is one of many.

    "small sample" for few sentences, whatever p says; "undecided" where p is not below the level, or too few seeds leave no p;
    otherwise "better" or "worse", with "leans" before it where no seed variance is known: another training may differ.
    """
    if small:
        return "small sample"
    if p is None or p >= level:
        return "undecided"
    verdict: Verdict = estimate.leaning("better" if (estimate.value > 0) == higher_is_better else "worse")
    return verdict


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that keep the chance of any false positive in the family at the level they are compared with.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure". The smallest of m p-values is multiplied
    by m, the next by m - 1 and so on; an adjusted p is never below that of a smaller p, and never above 1. It needs no
    independence, which matters here: buckets and the whole share sentences, systems share the baseline. Values are from 0 to 1,
    the result is in their order.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return [float(value) for value in adjusted]


def corrected(estimates: Mapping[Key, Estimate], small: Collection[Key]) -> dict[Key, float]:
    """Holm-corrected p of a family of differences; small samples and differences without a p get none and burden no other."""
    known = {key: each.p for key, each in estimates.items() if each.p is not None and key not in small}
    return dict(zip(known, holm(list(known.values())), strict=True))


def detectable(estimate: Estimate) -> str:
    """Size of a difference that would have been shown, for figures that decide nothing."""
    if estimate.half_width is None:
        return "too few seeds for an interval"
    return f"this design could have shown {estimate.half_width:.2g}"


class Scores(Result):
    """Scores of one system on some sentences: the whole split, or a length bucket."""

    n: int
    """Sentences, the same ones for every system."""
    bleu: float
    low: float | None = None
    """Lower end of BLEU's interval, over seeds and sentences; null where too few seeds leave none (`seed_bleu` has them)."""
    high: float | None = None
    chrf: float | None = None
    chrf_low: float | None = None
    chrf_high: float | None = None
    ter: float | None = None
    """Translation edit rate; lower is better."""
    ter_low: float | None = None
    ter_high: float | None = None
    brevity: float
    """Brevity penalty, 0 to 1."""
    length_ratio: float
    """Hypothesis tokens / reference tokens."""
    empty: float
    """Empty hypotheses, mean over seeds."""
    truncated: float | None
    """Hypotheses cut at the length limit, mean over seeds; null where the search did not say."""
    exact: float
    """Hypotheses equal to their reference, mean over seeds."""
    repeated: float
    """Share of 4-grams that a hypothesis has said before, 0 to 1."""
    chance: float | None = None
    """BLEU of the same hypotheses against the reference of another sentence as long, mean over seeds: what chance matches,
    which grows with length. Null where it was not counted."""
    seed_bleu: list[float]
    """Corpus BLEU of every seed, in the order of `seeds`."""


class Comparison(Result):
    """A paired difference, system minus baseline, on the same sentences."""

    system: str
    baseline: str
    metric: Literal["bleu", "chrf", "ter"] = "bleu"
    min: int | None = None
    """Shortest source of the bucket in words; null for the whole split."""
    max: int | None = None
    """Longest source of the bucket in words; null for the whole split or the open last bucket."""
    n: int
    seeds: int
    covers: Literal["sentences and seeds", "sentences"] = "sentences and seeds"
    """What the interval speaks about; "sentences": no seed variance is known, so another training may differ by more."""
    difference: float
    """System minus baseline, in points."""
    low: float | None
    """Lower end of the interval; null where there is nothing to resample, or too few seeds for an interval."""
    high: float | None
    p: float | None
    """Two-sided p from the standard error over seeds and sentences, uncorrected."""
    degrees_of_freedom: float | None = None
    """Degrees of freedom of that standard error; below 2 there is neither interval nor p."""
    detectable: float | None = None
    """Half-width of the interval: the smallest difference that this design could have shown, before correction."""
    p_randomisation: float | None = None
    """p of paired approximate randomisation over sentences, in reports of earlier versions; it knew nothing of other seeds."""
    p_holm: float | None
    """`p` after Holm's correction over systems x buckets; null for a small sample, which burdens no other."""
    verdict: Verdict
    """better or worse where `p_holm` is below 1 - confidence; "leans" where no seed variance is known; see `words`."""
    words: str


class BucketScores(Scores):
    """Scores on the sentences of a length bucket."""

    min: int
    """Shortest source, in words, inclusive."""
    max: int | None
    """Longest source, in words, inclusive; null for the open last bucket."""
    mean_length: float
    """Mean source length of the bucket's sentences, in words: where it stands on the axis."""
    underpowered: bool
    """A small sample: fewer sentences than the study's minimum, so no verdict."""
    comparison: Comparison | None = None
    """Against the baseline; null for the baseline itself."""


class Slope(Result):
    """The bottleneck index: how fast the gap between a system and the baseline grows with source length."""

    slope: float
    """Points per 10 source words."""
    low: float | None
    high: float | None
    p: float | None
    """Two-sided p for a slope of 0, uncorrected."""
    unit: str
