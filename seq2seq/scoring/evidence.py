"""Evidence about a set of systems: counts of every sentence of every run, and any figure over them with its interval.

Comparison, shape checks and claims all ask here, so that each figure on a page has the same sentences, the same resamples
and the same construction of its interval.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np

from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.config.languages import LengthUnit
from seq2seq.scoring.bootstrap import Estimate, Floats, Part, SeedTerm, estimate, resampled_counts
from seq2seq.scoring.bottleneck import slope, slope_counts
from seq2seq.scoring.buckets import EVERYTHING, Bucket, Lengths
from seq2seq.scoring.metrics import METRICS, Counts, Scores
from seq2seq.scoring.seeds import moderate, satterthwaite, shared_correlation
from seq2seq.scoring.sentences import CHANCE, SentenceStatistics

SLOPE = "slope"
"""A difference of slopes is the bottleneck index of bottleneck.py, in points per ten source words."""
LOG_BLEU = "log_bleu"
LOG_ABOVE_CHANCE = "log_above_chance"
"""Of BLEU minus BLEU by chance."""
LEAST_BLEU = 0.1
"""BLEU that the logarithm takes a smaller one for: below it a corpus score is a matter of smoothing."""
Shape = tuple[tuple[Bucket, float], ...]
"""Buckets with weights, the first of them 1: which combination of a system's scores a figure is about."""
_SCORES: dict[str, Callable[[Counts], Scores]] = {**{name: metric.score for name, metric in METRICS.items()}, SLOPE: slope}
_SCORES[CHANCE] = METRICS["bleu"].score
_BOUNDS = {"bleu": (0.0, 100.0), "chrf": (0.0, 100.0), "ter": (0.0, np.inf)}


@dataclass(frozen=True, kw_only=True)
class SystemScores:
    """One system as evaluation sees it: seeds and counts of its K runs, and what claims need to know (claims.py lists it)."""

    name: str
    seeds: tuple[int, ...]
    statistics: tuple[SentenceStatistics, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Term:
    """One score in a contrast: weight times what a system scores on a bucket."""

    weight: float
    system: str
    bucket: Bucket = EVERYTHING


class _Share(NamedTuple):
    """Part of a contrast that is one system's: `scale` times a combination of its scores."""

    system: str
    scale: float
    shape: Shape


@dataclass(frozen=True)
class _Family:
    """Seed variance of one figure over systems."""

    variances: Mapping[str, float]  # of one run, moderated, by system
    freedoms: Mapping[str, float]
    noise: float  # variance of what the sentences do to one run alone, mean over systems of several seeds
    most_freedom: float  # of all systems together
    correlations: Mapping[tuple[int, ...], tuple[float, float]]  # seeds that systems share -> range of their correlation


class Evidence:
    """Systems of distinct names scored on the same n sentences, whose lengths are `source_words` (n,), counted in `unit`."""

    def __init__(
        self, systems: Sequence[SystemScores], source_words: Lengths, settings: EvaluationSettings, unit: LengthUnit = "words"
    ) -> None:
        self.systems = {system.name: system for system in systems}
        self.source_words = source_words
        self.settings = settings
        self.unit = unit
        for system in systems:
            sizes = {len(run) for run in system.statistics}
            if sizes != {len(source_words)}:
                raise ValueError(f"system {system.name}: counts for {sorted(sizes)} sentences, but {len(source_words)} sources")
        self._parts: dict[Bucket, dict[tuple[str, str], Part]] = {}
        self._families: dict[tuple[str, Shape], _Family] = {}

    @property
    def metrics(self) -> tuple[str, ...]:
        return self.settings.metrics

    @property
    def knows_chance(self) -> bool:
        """Whether every run was counted against other sentences' references too, as runs scored earlier were not."""
        return all(CHANCE in run.counts for system in self.systems.values() for run in system.statistics)

    @property
    def signatures(self) -> dict[str, str]:
        """SacreBLEU's signature of each metric, the same for all runs."""
        first = next(iter(self.systems.values())).statistics[0]
        return {name: first.signatures[name] for name in self.metrics}

    @property
    def baseline(self) -> str | None:
        """Name of the system that others are compared with; None where the study has none of that name."""
        return self.settings.baseline if self.settings.baseline in self.systems else None

    @property
    def others(self) -> list[str]:
        """Systems that are compared with the baseline; none without one."""
        return [name for name in self.systems if self.baseline not in (None, name)]

    def sentences(self, bucket: Bucket = EVERYTHING) -> int:
        return int(bucket.holds(self.source_words).sum())

    def small(self, *buckets: Bucket) -> bool:
        """Whether one of the buckets has fewer sentences than `minimum_bucket`."""
        return any(self.sentences(bucket) < self.settings.minimum_bucket for bucket in buckets)

    def part(self, system: str, figure: str, bucket: Bucket = EVERYTHING) -> Part:
        """A system's figure on a bucket, by seed and by resample: "bleu", "chrf", "ter", a log or the length "slope"."""
        if figure in (LOG_BLEU, LOG_ABOVE_CHANCE):
            plain = self.part(system, "bleu", bucket)
            if figure == LOG_ABOVE_CHANCE:
                plain = plain + self.part(system, CHANCE, bucket).times(-1)
            return Part(np.log(np.maximum(plain.points, LEAST_BLEU)), np.log(np.maximum(plain.replicates, LEAST_BLEU)))
        if bucket not in self._parts:
            self._parts[bucket] = self.resample(bucket, (*self.metrics, SLOPE, *[CHANCE] * self.knows_chance))
        return self._parts[bucket][system, figure]

    def score(self, system: str, metric: str, bucket: Bucket = EVERYTHING) -> Estimate:
        """A system's score on a bucket, mean over its seeds; without a p, as nobody asks whether it is 0."""
        return replace(self.contrast([Term(1, system, bucket)], metric, bounds=_BOUNDS[metric]), p=None)

    def difference(self, system: str, other: str, figure: str, bucket: Bucket = EVERYTHING) -> Estimate:
        """System minus other on the same sentences."""
        return self.contrast([Term(1, system, bucket), Term(-1, other, bucket)], figure)

    def contrast(self, terms: Sequence[Term], figure: str, *, bounds: tuple[float, float] = (-np.inf, np.inf)) -> Estimate:
        """Weighted sum of scores of any systems on any buckets, with its interval.

        Shared buckets have shared resamples, a system's buckets have shared seeds, and systems with the same seeds are paired
        as far as the study shows that seeds move them together, so what is paired stays paired. A ValueError if two buckets
        overlap without being the same; their sentences would be resampled as if unrelated.
        """
        buckets = {term.bucket for term in terms}
        inside = np.sum([bucket.holds(self.source_words) for bucket in buckets], axis=0)
        if (inside > 1).any():
            raise ValueError(
                f"buckets of a contrast overlap: {', '.join(map(str, sorted(buckets, key=lambda each: each.low)))}"
            )
        shares = _shares(terms)
        groups: dict[tuple[int, ...], list[_Share]] = {}
        for share in shares:
            groups.setdefault(self.systems[share.system].seeds, []).append(share)
        return estimate(
            [self._sum(group, figure) for group in groups.values()],
            [self._seed_term(group, figure) for group in groups.values()],
            sentences=min(self.sentences(bucket) for bucket in buckets),
            confidence=self.settings.confidence,
            most_freedom=max(self._family(figure, share.shape).most_freedom for share in shares) or np.inf,
            bounds=bounds,
        )

    def seed_term(self, system: str, figure: str) -> SeedTerm:
        """Variance between seeds of a system's figure on the whole test set."""
        return self._seed_term(_shares([Term(1, system)]), figure)

    def _combined(self, system: str, figure: str, shape: Shape) -> Part:
        return reduce(add, (self.part(system, figure, bucket).times(weight) for bucket, weight in shape))

    def _sum(self, group: Sequence[_Share], figure: str) -> Part:
        """Figures of systems with the same seeds, summed run by run."""
        return reduce(add, (self._combined(each.system, figure, each.shape).times(each.scale) for each in group))

    def _seed_term(self, group: Sequence[_Share], figure: str) -> SeedTerm:
        """Variance between seeds of the sum over systems that share their seeds."""
        seeds = self.systems[group[0].system].seeds
        runs = len(seeds)
        families = [self._family(figure, each.shape) for each in group]
        low, high = families[0].correlations.get(seeds, (0.0, 1.0))
        own = np.array([family.variances[each.system] / runs for family, each in zip(families, group, strict=True)])
        freedoms = [family.freedoms[each.system] for family, each in zip(families, group, strict=True)]
        moved = np.array([each.scale for each in group]) * np.sqrt(own)  # of a standard deviation of seeds, in each system
        together = np.outer(moved, moved)
        correlated = np.where(together < 0, low, high) * together  # to the side that widens the interval
        np.fill_diagonal(correlated, moved**2)
        lent = families[0].noise * group[0].scale ** 2 if len(group) == 1 else 0.0
        noise = self._sum(group, figure).run_noise() if runs > 1 else lent
        freedom = satterthwaite(list(zip((moved**2).tolist(), freedoms, strict=True)))
        most = max(family.most_freedom for family in families)
        return SeedTerm(float(correlated.sum()), min(freedom, most) if min(freedoms) > 0 else 0.0, noise / runs)

    def _family(self, figure: str, shape: Shape) -> _Family:
        """Seed variances of a figure over all systems, each moderated by the others."""
        key = (figure, shape)
        if key not in self._families:
            parts = {name: self._combined(name, figure, shape) for name in self.systems}
            several = [part for part in parts.values() if len(part.points) > 1]
            freedoms: Floats = np.array([len(part.points) - 1.0 for part in parts.values()])
            own: Floats = np.array([part.points.var(ddof=1) if len(part.points) > 1 else 0.0 for part in parts.values()])
            variances, moderated = moderate(own, freedoms)
            groups: dict[tuple[int, ...], list[Floats]] = {}
            for name, part in parts.items():
                groups.setdefault(self.systems[name].seeds, []).append(part.points)
            self._families[key] = _Family(
                variances=dict(zip(parts, variances.tolist(), strict=True)),
                freedoms=dict(zip(parts, moderated.tolist(), strict=True)),
                noise=float(np.mean([part.run_noise() for part in several])) if several else 0.0,
                most_freedom=float(freedoms.sum()),
                correlations={seeds: shared_correlation(np.stack(points)) for seeds, points in groups.items()},
            )
        return self._families[key]

    def _counts(self, run: SentenceStatistics, figure: str) -> Counts:
        if figure == SLOPE:
            return slope_counts(self.source_words, run.sentence_scores(self.settings.bottleneck_score))
        return run.counts[figure]

    def resample(self, bucket: Bucket, figures: Sequence[str]) -> dict[tuple[str, str], Part]:
        """Every system's figures on the same resamples of a bucket: (R, n) draws times (n, columns of all runs) counts."""
        inside = bucket.holds(self.source_words)
        names = [(system.name, figure) for system in self.systems.values() for figure in figures]
        blocks = {
            (name, figure): np.stack([self._counts(run, figure)[inside] for run in self.systems[name].statistics], axis=1)
            for name, figure in names
        }  # each (n, K, columns)
        matrix = np.concatenate([block.reshape(len(block), -1) for block in blocks.values()], axis=1)
        generator = np.random.default_rng([self.settings.seed, 1, bucket.low, bucket.high or 0])
        draws = resampled_counts(generator, len(matrix), self.settings.resamples)
        sums = np.concatenate([matrix.sum(axis=0, keepdims=True), *(draw @ matrix for draw in draws)])  # (1 + R, columns)
        ends = np.cumsum([block.shape[1] * block.shape[2] for block in blocks.values()])
        parts = {}
        for (key, block), columns in zip(blocks.items(), np.split(sums, ends[:-1], axis=1), strict=True):
            scores = _SCORES[key[1]](columns.reshape(len(sums), *block.shape[1:]))  # (1 + R, K)
            parts[key] = Part(points=scores[0], replicates=scores[1:])
        return parts


def _shares(terms: Sequence[Term]) -> list[_Share]:
    """The terms of a contrast by system."""
    weights: dict[str, dict[Bucket, float]] = {}
    for term in terms:
        own = weights.setdefault(term.system, {})
        own[term.bucket] = own.get(term.bucket, 0.0) + term.weight
    found = []
    for system, own in weights.items():
        ordered = sorted(own.items(), key=lambda item: (item[0].low, item[0].high or 0))
        scale = next((weight for _, weight in ordered if weight), 1.0)
        found.append(_Share(system, scale, tuple((bucket, round(weight / scale, 12)) for bucket, weight in ordered)))
    return found
