"""Effect of source length on a system, on every scale at once: points, proportion and the length at which half is lost.

A gap in points follows the stronger system's own curve: if a weak system scores a constant share of a strong one, the gap
shrinks where the strong one falls, and says nothing about the weak one. So every report has all of these, and the study file
names the one that was planned (`evaluation.primary`), since a scale that is chosen afterwards can always be found.

- **retention**: a system's BLEU on long sources over its own on short ones. 1: nothing is lost. Geometric mean over seeds.
- **retention above chance**: the same of BLEU minus what the translations score against the reference of another sentence as
  long, since long sentences share more n-grams with any other.
- **log-ratio**: log of a system's retention minus log of the baseline's; +0.37 is exp(0.37) = 1.45 times the retention.
- **points**: (system - baseline) in BLEU on long sources minus the same on short ones.
- **half-length** L50: see `HalfLength`; the **bottleneck index**: see bottleneck.py.

Limits. Long sentences differ from short ones in more than length, so an absolute retention is about this test set. Below
`LEAST_BLEU` a score counts as that, for a logarithm of nothing. A system that translates nothing keeps all of it: read
retention and L50 beside the score on short sources.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.scoring.bootstrap import Estimate, Floats, seed_weights
from seq2seq.scoring.buckets import EVERYTHING, Bucket, Lengths, build_buckets, equal_count_buckets
from seq2seq.scoring.evidence import LEAST_BLEU, LOG_ABOVE_CHANCE, LOG_BLEU, SLOPE, Evidence, Term
from seq2seq.scoring.results import Result, Verdict, corrected, finite, verdict_on

LONG, SHORT = 40, 20
"""Source words: long sentences have more, short ones no more, unless the study says otherwise."""
BIN = 50
"""Sentences in one step of the fit behind L50, at the least."""
MOST_BINS = 24


class Contrast(Result):
    """System against baseline on one measure of what length does."""

    value: float
    """Above 0: the system loses less with length than the baseline."""
    low: float | None
    """Lower end of the interval; null where there are too few seeds or sentences for one."""
    high: float | None
    p: float | None
    """Two-sided, uncorrected."""
    p_holm: float | None
    """Corrected over the study's systems; null for a small sample."""
    detectable: float | None
    """Half-width of the interval: the smallest value that this design could have shown, before correction."""
    verdict: Verdict
    """better: loses less with length; worse: more; see `Comparison.verdict`."""


class Retention(Result):
    """BLEU on long sources over BLEU on short ones, of one system."""

    value: float
    """Share that is kept, 1 for all; geometric mean over seeds."""
    low: float | None
    high: float | None


class HalfLength(Result):
    """L50: source length in words at which BLEU has fallen to half of its value on the shortest bucket.

    BLEU of the shortest bucket and of steps of about 50 sentences beyond is fitted by a curve that never rises (isotonic
    regression, weighted by sentences); L50 lies where it crosses the half, linear between the mean lengths of the steps. Ends
    of the interval are percentiles over resampled sentences and seeds. Limits: with few seeds percentiles are rough; with one
    seed they are about sentences only; a fall that comes and goes is flattened; beyond the test set's lengths nothing is known.
    """

    words: float | None
    """L50; null: not reached on this test set."""
    low: float | None
    """Lower end of the interval; null: not reached there either."""
    high: float | None
    """Upper end of the interval; null: not reached there."""
    longest: float
    """Mean length of the longest step: as far as "not reached" reaches."""
    start: float
    """BLEU on the shortest bucket, whose half is looked for."""
    covers: Literal["sentences and seeds", "sentences"]
    """What was resampled."""


class LengthEffect(Result):
    """Effect of length on one system; contrasts are against the baseline, null for the baseline itself and without one."""

    short_max: int
    """Source words of the longest short source."""
    long_min: int
    """Source words of the shortest long source."""
    n_short: int
    n_long: int
    short: float
    long: float
    retention: Retention
    above_chance: Retention | None = None
    """Retention of BLEU minus `Scores.chance`; null where that was not counted."""
    half_length: HalfLength | None
    """L50; null where the test set has one length only."""
    log_ratio: Contrast | None = None
    """Log of retention, system minus baseline."""
    points: Contrast | None = None
    """Growth of the gap in BLEU points from short to long."""
    bottleneck_index: Contrast | None = None
    """Growth of the gap in points of sentence score per ten source words."""


def length_ends(settings: EvaluationSettings, lengths: Lengths) -> tuple[Bucket, Bucket] | None:
    """Short and long sources of a test set, from (n,) source words; None where either has fewer than two sentences."""
    if not len(lengths):
        return None
    third, two_thirds = np.quantile(lengths, (1 / 3, 2 / 3), method="inverted_cdf")
    above = settings.long_above
    if above is None:
        above = LONG if (lengths > LONG).sum() >= settings.minimum_bucket else max(1, int(two_thirds) - 1)
    upto = settings.short_up_to
    if upto is None:
        upto = SHORT if above >= SHORT else int(third)
    ends = Bucket(1, min(upto, above)), Bucket(above + 1)
    return ends if all(bucket.holds(lengths).sum() > 1 for bucket in ends) else None


def half_length(words: Floats, scores: Floats, sentences: Floats) -> Floats:
    """Length at which curves (..., B) cross half of their first value: (...), infinite if never, NaN if that is not above 0.

    `words` (B,) is the mean length of each step, increasing, the first of the shortest bucket, `sentences` (B,) its weight.
    """
    from scipy.optimize import isotonic_regression

    def crossing(curve: NDArray[np.float64]) -> float:
        if curve[0] <= 0:
            return float("nan")
        fitted = isotonic_regression(curve, weights=sentences, increasing=False).x
        below = np.flatnonzero(fitted <= curve[0] / 2)
        if not len(below):
            return float("inf")
        step = int(below[0])  # never the first: a falling fit starts at or above its first score
        share = (fitted[step - 1] - curve[0] / 2) / (fitted[step - 1] - fitted[step])
        return float(words[step - 1] + share * (words[step] - words[step - 1]))

    return np.array([crossing(curve) for curve in scores.reshape(-1, scores.shape[-1])]).reshape(scores.shape[:-1])


def length_effects(evidence: Evidence) -> dict[str, LengthEffect]:
    """Every system's measures; empty where the test set has no two lengths."""
    ends = length_ends(evidence.settings, evidence.source_words)
    if ends is None:
        return {}
    short, long = ends
    contrasts, halves = _contrasts(evidence, short, long), _half_lengths(evidence)
    effects = {}
    for name in evidence.systems:
        growth = [Term(1, name, long), Term(-1, name, short)]
        effects[name] = LengthEffect(
            short_max=short.high or 0,
            long_min=long.low,
            n_short=evidence.sentences(short),
            n_long=evidence.sentences(long),
            short=evidence.score(name, "bleu", short).value,
            long=evidence.score(name, "bleu", long).value,
            retention=_kept(evidence.contrast(growth, LOG_BLEU)),
            above_chance=_above_chance(evidence, name, growth),
            half_length=halves.get(name),
            **{key: found[name] for key, found in contrasts.items() if name in found},
        )
    return effects


def _above_chance(evidence: Evidence, name: str, growth: Sequence[Term]) -> Retention | None:
    """Retention above chance; None where that is not known, or where short sources have nothing above it either."""
    if not evidence.knows_chance:
        return None
    start = evidence.part(name, LOG_ABOVE_CHANCE, growth[-1].bucket).points.mean()
    return _kept(evidence.contrast(growth, LOG_ABOVE_CHANCE)) if start > np.log(LEAST_BLEU) else None


def _kept(logarithm: Estimate) -> Retention:
    low, high = (None if end is None else float(np.exp(end)) for end in (logarithm.low, logarithm.high))
    return Retention(value=float(np.exp(logarithm.value)), low=low, high=high)


_MEASURES = {"log_ratio": LOG_BLEU, "points": "bleu", "bottleneck_index": SLOPE}
"""Measure -> the figure that it is a contrast of."""


def _contrasts(evidence: Evidence, short: Bucket, long: Bucket) -> dict[str, dict[str, Contrast]]:
    """Measure -> system -> contrast to the baseline, corrected over the systems."""
    small, level = evidence.small(short, long), 1 - evidence.settings.confidence
    judged: dict[str, dict[str, Contrast]] = {}
    for key, figure in _MEASURES.items():
        growth = ((1, EVERYTHING),) if figure == SLOPE else ((1, long), (-1, short))
        found = {}
        for name in evidence.others:
            pair = ((1, name), (-1, str(evidence.baseline)))
            found[name] = evidence.contrast([Term(a * b, each, bucket) for a, each in pair for b, bucket in growth], figure)
        p_holm = corrected(found, found if small else ())
        judged[key] = {
            name: Contrast(
                **each.fields("value", "low", "high", "p"),
                p_holm=p_holm.get(name),
                detectable=each.half_width,
                verdict=verdict_on(each, p_holm.get(name), small=small, level=level),
            )
            for name, each in found.items()
        }
    return judged


def _half_lengths(evidence: Evidence) -> dict[str, HalfLength]:
    bins = _bins(evidence)
    if len(bins) < 2:
        return {}
    inside = [bucket.holds(evidence.source_words) for bucket in bins]
    words = np.array([evidence.source_words[each].mean() for each in inside])
    sentences = np.array([float(each.sum()) for each in inside])
    parts = [evidence.resample(bucket, ("bleu",)) for bucket in bins]
    tail, found = (1 - evidence.settings.confidence) / 2, {}
    for place, (name, system) in enumerate(evidence.systems.items()):
        points = np.array([part[name, "bleu"].points.mean() for part in parts])  # (B,)
        generator = np.random.default_rng([evidence.settings.seed, 4, place])
        weights = seed_weights(generator, len(system.seeds), evidence.settings.resamples)
        curves = np.stack([(weights * part[name, "bleu"].replicates).sum(axis=1) for part in parts], axis=1)  # (R, B)
        drawn = half_length(words, curves, sentences)
        drawn = np.nan_to_num(drawn, nan=words[0], posinf=np.inf)  # nothing translated: half of nothing is reached at once
        low, high = np.quantile(drawn, (tail, 1 - tail), method="inverted_cdf")
        found[name] = HalfLength(
            words=finite(float(half_length(words, points, sentences))),
            low=finite(float(low)),
            high=finite(float(high)),
            longest=float(words[-1]),
            start=float(points[0]),
            covers="sentences" if len(system.seeds) == 1 else "sentences and seeds",
        )
    return found


def _bins(evidence: Evidence) -> Sequence[Bucket]:
    """The shortest bucket of the study, and steps of about as many sentences each beyond it."""
    lengths = evidence.source_words
    first = build_buckets(evidence.settings.buckets, lengths)[:1]
    if not first or first[0].high is None:
        return first
    beyond = lengths[lengths > first[0].high]
    steps = equal_count_buckets(beyond, max(1, min(MOST_BINS, len(beyond) // BIN)))
    cut = [Bucket(max(step.low, first[0].high + 1), step.high) for step in steps]
    return [bucket for bucket in (*first, *cut) if bucket.holds(lengths).sum() > 1]
