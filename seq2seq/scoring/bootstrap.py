"""The hierarchical bootstrap (seed, then sentence) and the interval it gives with the two to five seeds that one can afford.

A score differs from the truth for two reasons: another sample of sentences, and another seed of training. Resampling both
levels, full size, with the same resampled sentences for all systems, keeps both in the interval. Three details decide
whether 5 % means 5 % with few seeds; each is a known result, and tests/scoring/test_calibration.py holds the figures:

1. Resampling K seeds shows only (K - 1) / K of their variance: a third is missing at K = 3. The resampled weights are
   stretched around 1 / K by sqrt(K / (K - 1)) (Rao and Wu 1988, JASA 83, section 2).
2. The noise that belongs to one seed on one sentence is seen by both levels and enters three times instead of once
   (Owen 2007, "The pigeonhole bootstrap", arXiv:0712.1111). It is measured from the same resamples and taken out twice.
3. A variance from K - 1 degrees of freedom has heavy tails, so the interval is value +- t * standard error with
   Satterthwaite's degrees of freedom (Welch 1947), not a percentile of the resamples; p is the t distribution's.

Limits. Seeds are taken as normally distributed around their system; with 2 seeds the interval is honest and very wide. A
single seed gives an interval about sentences only, and says so. Intervals are symmetric, clipped where a score ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_CELLS = 4_000_000  # resampled counts in one block, 32 MB
_ROUNDING = 1e-9  # points; equal counts may give scores that differ by less


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Attributes:
        value: the figure on the sentences and seeds at hand (mean over seeds).
        low, high: ends of the confidence interval; None where fewer than two sentences leave nothing to resample.
        standard_error: of `value`, in its unit; None as above.
        degrees_of_freedom: Satterthwaite's; near the number of sentences where seeds hardly matter, near K - 1 where they rule.
        p: two-sided, for the hypothesis that the true value is 0 (only of use for differences); None as above.
        seeds: runs behind it; the smaller number where systems differ.
        covers: what the interval speaks about; "sentences" where some system has one seed, for another seed may differ by more.
    """

    value: float
    low: float | None
    high: float | None
    standard_error: float | None
    degrees_of_freedom: float | None
    p: float | None
    seeds: int
    covers: Literal["sentences and seeds", "sentences"]


@dataclass(frozen=True)
class Part:
    """One system's share of a figure: what each of its runs scores, and scores on every resample of the sentences.

    Attributes:
        points: (K,) by seed.
        replicates: (R, K) by resample and seed; the resamples are the same for all systems.
    """

    points: Floats
    replicates: Floats

    def __add__(self, other: Self) -> "Part":
        """Sum run by run: two figures of the same system."""
        return Part(self.points + other.points, self.replicates + other.replicates)

    def times(self, weight: float) -> "Part":
        """The figure times a number."""
        return Part(weight * self.points, weight * self.replicates)


def resampled_counts(generator: np.random.Generator, sentences: int, resamples: int) -> Iterator[Floats]:
    """How often each sentence is drawn in each resample: blocks (r, sentences) whose rows sum to `sentences`."""
    block = max(1, _CELLS // max(1, sentences))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(0, max(1, sentences), (rows, sentences)) + sentences * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * sentences).reshape(rows, sentences).astype(np.float64)


def seed_weights(generator: np.random.Generator, seeds: int, resamples: int) -> Floats:
    """(R, K) weights of resampled seeds, rows summing to 1, stretched so that K seeds show their whole variance."""
    if seeds == 1:
        return np.ones((resamples, 1))
    drawn: Floats = generator.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds
    return 1 / seeds + (drawn - 1 / seeds) * float(np.sqrt(seeds / (seeds - 1)))


def hierarchical_replicates(parts: Sequence[Part], generator: np.random.Generator) -> Floats:
    """(R,) the sum of the parts on resampled seeds (drawn for each system by itself) and resampled sentences."""
    total = np.zeros(len(parts[0].replicates))
    for part in parts:
        total += (seed_weights(generator, len(part.points), len(part.replicates)) * part.replicates).sum(axis=1)
    return total


def _variances(parts: Sequence[Part], replicates: Floats) -> tuple[float, list[float]]:
    """Variance of the sum of the parts, and each part's variance between seeds (0 for a single seed)."""
    between, twice_counted = [], 0.0
    for part in parts:
        seeds = len(part.points)
        between.append(float(part.points.var(ddof=1)) / seeds if seeds > 1 else 0.0)
        if seeds > 1:
            own = part.replicates - part.replicates.mean(axis=1, keepdims=True)  # what a sentence does to one seed only
            twice_counted += float(own.var(axis=0).mean()) / (seeds - 1)
    sentences = float(np.sum([part.replicates.mean(axis=1) for part in parts], axis=0).var())
    total = float(replicates.var()) - 2 * twice_counted
    return max(total, sum(between), sentences), between  # either level alone is a lower bound


def estimate(
    parts: Sequence[Part],
    *,
    sentences: int,
    confidence: float,
    generator: np.random.Generator,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """Interval of a sum of parts, one for each system: [a] is a's score, [a, b.times(-1)] their difference.

    Args:
        parts: one per system; figures of the same system are to be combined before, run by run.
        sentences: sentences that were resampled.
        confidence: level of the interval, 0.5 to 1.
        generator: for the seeds; the sentences were resampled when the parts were made.
        bounds: where the figure ends, for instance (0, 100).
    """
    value = float(sum(part.points.mean() for part in parts))
    seeds = min(len(part.points) for part in parts)
    if sentences < 2:
        return Estimate(value, None, None, None, None, None, seeds, _covers(seeds))
    variance, between = _variances(parts, hierarchical_replicates(parts, generator))
    freedom = _degrees_of_freedom(variance, between, [len(part.points) for part in parts], sentences)
    finest = 1 / (len(parts[0].replicates) + 1)
    return t_estimate(
        value, float(np.sqrt(variance)), freedom, seeds=seeds, confidence=confidence, bounds=bounds, finest=finest
    )


def t_estimate(
    value: float,
    error: float,
    freedom: float,
    *,
    seeds: int,
    confidence: float,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    finest: float = 0.0,
) -> Estimate:
    """Student's interval and p of a value with a standard error.

    Args:
        value: the figure.
        error: its standard error, in the same unit.
        freedom: degrees of freedom of the standard error.
        seeds: runs behind the figure, for the label.
        confidence: level of the interval, 0.5 to 1.
        bounds: where the figure ends, for instance (0, 100).
        finest: p for a difference that does not vary at all; with resamples, the smallest share that they can tell from 0.
    """
    from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

    error = error if error > _ROUNDING else 0.0
    reach = float(stdtrit(freedom, 0.5 + confidence / 2)) * error
    low, high = np.clip([value - reach, value + reach], *bounds)
    constant = 1.0 if abs(value) < _ROUNDING else finest
    p = float(2 * stdtr(freedom, -abs(value) / error)) if error > 0 else constant
    return Estimate(value, float(low), float(high), error, freedom, p, seeds, _covers(seeds))


def _covers(seeds: int) -> Literal["sentences and seeds", "sentences"]:
    return "sentences and seeds" if seeds > 1 else "sentences"


def _degrees_of_freedom(variance: float, between: list[float], seeds: list[int], sentences: int) -> float:
    """Satterthwaite 1946: (sum v)^2 / sum(v^2 / df), over the seed variance of every system and the sentences' variance."""
    rest = max(variance - sum(between), 0.0)
    spread = rest**2 / (sentences - 1) + sum(v**2 / (k - 1) for v, k in zip(between, seeds, strict=True) if k > 1)
    return variance**2 / spread if spread > 0 else float(sentences - 1)
