"""Intervals over seeds and sentences together, with the one to five seeds that one can afford.

Sentences are resampled, the same ones for all systems; seeds are too few for that, so their variance is estimated and added:

    variance = variance of the mean over resamples + variance between seeds - what both levels saw

1. Both see the noise of one seed on one sentence (Owen 2007, "The pigeonhole bootstrap", arXiv:0712.1111). It is measured from
   the same resamples and taken out once.
2. The variance between seeds is moderated over the study's systems, and paired where they share seeds (seeds.py).
3. A variance from few degrees of freedom has heavy tails, so the interval is value +- t * standard error with
   Satterthwaite's degrees of freedom (Welch 1947), not a percentile of the resamples; p is the t distribution's.

Below `LEAST_FREEDOM` degrees of freedom no interval is given. Where no system of the study has two seeds it is about sentences
only, and says so. Intervals are symmetric, clipped where a score ends. How often 5 % is 5 %: tests/scoring/test_calibration.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from seq2seq.scoring.seeds import satterthwaite

Floats = NDArray[np.float64]
LEAST_FREEDOM = 1.99
"""Degrees of freedom below which no interval is given: two seeds of two systems have one."""
_CELLS = 4_000_000  # resampled counts in one block, 32 MB
_ROUNDING = 1e-9  # points; equal counts may give scores that differ by less


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Attributes:
        value: the figure on the sentences and seeds at hand (mean over seeds).
        low, high: ends of the confidence interval; None where fewer than two sentences, or too few seeds, leave nothing to say.
        standard_error: of `value`, in its unit; None as above.
        degrees_of_freedom: Satterthwaite's; near the number of sentences where seeds hardly matter, near those of the seed
            variance where they rule; None for fewer than two sentences.
        p: two-sided, for the hypothesis that the true value is 0; None as above and for plain scores.
        seeds: runs behind it; the smaller number where systems differ.
        covers: what the interval speaks about; "sentences" where the seed variance of some system is unknown, for another seed
            may differ by more; such a figure gets no verdict.
    """

    value: float
    low: float | None
    high: float | None
    standard_error: float | None
    degrees_of_freedom: float | None
    p: float | None
    seeds: int
    covers: Literal["sentences and seeds", "sentences"]

    @property
    def half_width(self) -> float | None:
        """Smallest true difference that would have been told from 0: half the interval's width (no bound clips one)."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def reach(self, limit: float) -> float | None:
        """Largest distance from a limit that the interval leaves possible, in either direction; None without an interval."""
        return None if self.low is None or self.high is None else max(limit - self.low, self.high - limit)

    def side(self, limit: float) -> Literal["above", "below", "neither"]:
        """Side of a limit on which the whole interval lies; neither where it holds the limit or there is none."""
        if self.low is not None and self.low > limit:
            return "above"
        return "below" if self.high is not None and self.high < limit else "neither"

    def leaning(self, word: str) -> Any:
        """The word of a verdict, with "leans" before it where no seed variance is known: another training may differ."""
        return f"leans {word}" if self.covers == "sentences" else word

    def said(self, form: str) -> str:
        """`+1.2 [-0.3, +2.7]`, in the form of a number such as "+.1f"; the value alone without an interval."""
        interval = "" if self.low is None or self.high is None else f" [{self.low:{form}}, {self.high:{form}}]"
        return f"{self.value:{form}}{interval}"

    def fields(self, *names: str) -> dict[str, Any]:
        """Attributes by name, for the parts of the report that have fields of the same name."""
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Part:
    """One system's share of a figure: what each of its runs scores, and scores on every resample of the sentences."""

    points: Floats  # (K,) by seed
    replicates: Floats  # (R, K) by resample and seed; the resamples are the same for all systems

    def __add__(self, other: Self) -> "Part":
        """Sum run by run: two figures of the same system."""
        return Part(self.points + other.points, self.replicates + other.replicates)

    def times(self, weight: float) -> "Part":
        return Part(weight * self.points, weight * self.replicates)

    def run_noise(self) -> float:
        """Variance of what the sentences do to one run alone; 0 for a single run, which cannot show it."""
        runs = len(self.points)
        if runs < 2:
            return 0.0
        own = self.replicates - self.replicates.mean(axis=1, keepdims=True)
        return float(own.var(axis=0).mean()) * runs / (runs - 1)


@dataclass(frozen=True)
class SeedTerm:
    """Variance between seeds of one part of a figure."""

    variance: float  # of the part's mean over its runs
    freedom: float  # its degrees of freedom; 0 where it is unknown
    noise: float = 0.0  # how much of it is noise of one run on one sentence, which the resampled sentences show as well


def resampled_counts(generator: np.random.Generator, sentences: int, resamples: int) -> Iterator[Floats]:
    """Number of times that each sentence is drawn in each resample: blocks (r, sentences) whose rows sum to `sentences`."""
    block = max(1, _CELLS // max(1, sentences))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(0, max(1, sentences), (rows, sentences)) + sentences * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * sentences).reshape(rows, sentences).astype(np.float64)


def seed_weights(generator: np.random.Generator, seeds: int, resamples: int) -> Floats:
    """(R, K) weights of resampled seeds, rows summing to 1.

    K resampled seeds show only (K - 1) / K of their variance, so the weights are stretched around 1 / K by sqrt(K / (K - 1))
    (Rao and Wu 1988, JASA 83, section 2); with two or three seeds some are below 0.
    """
    if seeds == 1:
        return np.ones((resamples, 1))
    drawn: Floats = generator.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds
    return 1 / seeds + (drawn - 1 / seeds) * float(np.sqrt(seeds / (seeds - 1)))


def estimate(
    parts: Sequence[Part],
    seeds: Sequence[SeedTerm],
    *,
    sentences: int,
    confidence: float,
    most_freedom: float = np.inf,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """Interval of a sum of `parts`, one for each group of runs that share their seeds; figures of a group are combined before.

    `seeds` are the terms of the variance between seeds, for which the study has `most_freedom` degrees of freedom, all systems
    together; `sentences` were resampled. `confidence` is the interval's level, 0.5 to 1, and `bounds` is where the figure ends,
    for instance (0, 100).
    """
    value = float(sum(part.points.mean() for part in parts))
    runs = min(len(part.points) for part in parts)
    known = all(term.freedom > 0 for term in seeds)
    if sentences < 2:
        return Estimate(value, None, None, None, None, None, runs, "sentences and seeds" if known else "sentences")
    drawn = float(np.sum([part.replicates.mean(axis=1) for part in parts], axis=0).var())
    between = sum(term.variance for term in seeds)
    total = max(drawn + between - sum(term.noise for term in seeds), between, drawn)  # either level alone is a lower bound
    of_seeds = min(satterthwaite([(term.variance, term.freedom) for term in seeds]), most_freedom)
    freedom = satterthwaite([(between, of_seeds), (max(total - between, 0.0), sentences - 1)])
    return t_estimate(
        value,
        float(np.sqrt(total)),
        freedom if np.isfinite(freedom) else float(sentences - 1),
        seeds=runs,
        confidence=confidence,
        bounds=bounds,
        finest=1 / (len(parts[0].replicates) + 1),
        covers="sentences and seeds" if known else "sentences",
    )


def estimate_alone(part: Part, *, sentences: int, bounds: tuple[float, float] = (-np.inf, np.inf)) -> Estimate:
    """95 % interval of one system's figure where no other system lends its seed variance; arguments as in `estimate`."""
    runs = len(part.points)
    variance = float(part.points.var(ddof=1)) / runs if runs > 1 else 0.0
    term = SeedTerm(variance, runs - 1, part.run_noise() / runs)
    return estimate([part], [term], sentences=sentences, confidence=0.95, bounds=bounds)


def t_estimate(
    value: float,
    error: float,
    freedom: float,
    *,
    seeds: int,
    confidence: float,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    finest: float = 0.0,
    covers: Literal["sentences and seeds", "sentences"] = "sentences and seeds",
) -> Estimate:
    """Student's interval and p of a value with a standard error of some degrees of freedom; neither below `LEAST_FREEDOM`.

    `confidence` and `bounds` are as in `estimate`, `seeds` and `covers` as in `Estimate`. `finest` is p for a difference that
    does not vary at all; with resamples, the smallest share that they can tell from 0.
    """
    from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

    error = error if error > _ROUNDING else 0.0
    if error > 0 and freedom < LEAST_FREEDOM:
        return Estimate(value, None, None, error, freedom, None, seeds, covers)
    reach = float(stdtrit(freedom, 0.5 + confidence / 2)) * error
    low, high = np.clip([value - reach, value + reach], *bounds)
    constant = 1.0 if abs(value) < _ROUNDING else finest
    p = float(2 * stdtr(freedom, -abs(value) / error)) if error > 0 else constant
    return Estimate(value, float(low), float(high), error, freedom, p, seeds, covers)
