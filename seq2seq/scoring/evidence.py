"""What is known about a set of systems: counts of every sentence of every run, and any figure over them with its interval.

Comparison, shape checks and claims all ask here, so that each figure on a page has the same sentences, the same resamples
and the same construction of its interval.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.scoring.bootstrap import Estimate, Part, estimate, resampled_counts
from seq2seq.scoring.bottleneck import slope, slope_counts
from seq2seq.scoring.buckets import EVERYTHING, Bucket, Lengths
from seq2seq.scoring.metrics import METRICS, Counts, Scores
from seq2seq.scoring.randomisation import randomisation_p
from seq2seq.scoring.sentences import SentenceStatistics

SLOPE = "slope"
_SCORES: dict[str, Callable[[Counts], Scores]] = {**{name: metric.score for name, metric in METRICS.items()}, SLOPE: slope}
_BOUNDS = {"bleu": (0.0, 100.0), "chrf": (0.0, 100.0), "ter": (0.0, np.inf)}


@dataclass(frozen=True, kw_only=True)
class SystemScores:
    """One system as evaluation sees it.

    Attributes:
        name: as in the study.
        seeds: seed of training of every run, K of them.
        statistics: counts of every run, in the order of the seeds.
        facts: what claims need to know beside scores: "score", "heads", "positions" ...; claims.py lists them.
    """

    name: str
    seeds: tuple[int, ...]
    statistics: tuple[SentenceStatistics, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.seeds or len(self.seeds) != len(self.statistics):
            raise ValueError(f"system {self.name}: {len(self.seeds)} seeds but {len(self.statistics)} statistics")


@dataclass(frozen=True)
class Term:
    """One score in a contrast: weight times what a system scores on a bucket."""

    weight: float
    system: str
    bucket: Bucket = EVERYTHING


class Evidence:
    """Systems scored on the same test set.

    Args:
        systems: with distinct names; every run has counts for the same n sentences.
        source_words: (n,) length of every source line.
        settings: metrics, resamples, confidence, seed.
    """

    def __init__(self, systems: Sequence[SystemScores], source_words: Lengths, settings: EvaluationSettings) -> None:
        self.systems = {system.name: system for system in systems}
        self.source_words = source_words
        self.settings = settings
        if len(self.systems) != len(systems):
            raise ValueError(f"two systems share a name: {[system.name for system in systems]}")
        for system in systems:
            sizes = {len(run) for run in system.statistics}
            if sizes != {len(source_words)}:
                raise ValueError(f"system {system.name}: counts for {sorted(sizes)} sentences, but {len(source_words)} sources")
        signatures = {tuple(run.signatures[name] for name in self.metrics) for system in systems for run in system.statistics}
        if len(signatures) > 1:
            raise ValueError(f"runs were scored with different signatures: {sorted(signatures)}")
        self._parts: dict[Bucket, dict[tuple[str, str], Part]] = {}

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that were counted."""
        return self.settings.metrics

    def sentences(self, bucket: Bucket = EVERYTHING) -> int:
        """Sentences of the bucket."""
        return int(bucket.holds(self.source_words).sum())

    def underpowered(self, *buckets: Bucket) -> bool:
        """Whether one of the buckets has fewer sentences than `minimum_bucket`."""
        return any(self.sentences(bucket) < self.settings.minimum_bucket for bucket in buckets)

    def part(self, system: str, figure: str, bucket: Bucket = EVERYTHING) -> Part:
        """A system's score ("bleu", "chrf", "ter") or length slope ("slope") on a bucket, by seed and by resample."""
        if bucket not in self._parts:
            self._parts[bucket] = self._resample(bucket)
        return self._parts[bucket][system, figure]

    def estimate(self, *parts: Part, sentences: int, bounds: tuple[float, float] = (-np.inf, np.inf)) -> Estimate:
        """Interval of a sum of parts of different systems."""
        generator = np.random.default_rng([self.settings.seed, len(parts)])
        return estimate(parts, sentences=sentences, confidence=self.settings.confidence, generator=generator, bounds=bounds)

    def score(self, system: str, metric: str, bucket: Bucket = EVERYTHING) -> Estimate:
        """A system's score on a bucket, mean over its seeds."""
        return self.estimate(self.part(system, metric, bucket), sentences=self.sentences(bucket), bounds=_BOUNDS[metric])

    def difference(self, system: str, other: str, figure: str, bucket: Bucket = EVERYTHING) -> Estimate:
        """System minus other on the same sentences."""
        return self.contrast([Term(1, system, bucket), Term(-1, other, bucket)], figure)

    def contrast(self, terms: Sequence[Term], figure: str) -> Estimate:
        """Weighted sum of scores of any systems on any buckets, with its interval.

        Shared buckets have shared resamples and a system's buckets have shared seeds, so what is paired stays paired.

        Raises:
            ValueError: two buckets overlap without being the same; their sentences would be resampled as if unrelated.
        """
        buckets = {term.bucket for term in terms}
        inside = np.sum([bucket.holds(self.source_words) for bucket in buckets], axis=0)
        if (inside > 1).any():
            raise ValueError(
                f"buckets of a contrast overlap: {', '.join(map(str, sorted(buckets, key=lambda each: each.low)))}"
            )
        parts: dict[str, Part] = {}
        for term in terms:
            part = self.part(term.system, figure, term.bucket).times(term.weight)
            parts[term.system] = parts[term.system] + part if term.system in parts else part
        return self.estimate(*parts.values(), sentences=min(self.sentences(bucket) for bucket in buckets))

    def bottleneck(self, system: str, baseline: str) -> Estimate:
        """The bottleneck index of bottleneck.py, in points per ten source words."""
        return self.difference(system, baseline, SLOPE)

    def randomisation(self, system: str, other: str, metric: str, bucket: Bucket = EVERYTHING) -> float:
        """The second opinion of randomisation.py."""
        inside = bucket.holds(self.source_words)
        means = [
            np.mean([run.counts[metric][inside] for run in self.systems[name].statistics], axis=0) for name in (system, other)
        ]
        generator = np.random.default_rng([self.settings.seed, 2, bucket.low, bucket.high or 0])
        return randomisation_p(*means, score=_SCORES[metric], trials=self.settings.resamples, generator=generator)

    def _counts(self, run: SentenceStatistics, figure: str) -> Counts:
        if figure == SLOPE:
            return slope_counts(self.source_words, run.sentence_scores(self.settings.bottleneck_score))
        return run.counts[figure]

    def _resample(self, bucket: Bucket) -> dict[tuple[str, str], Part]:
        """Every system's figures on the same resamples of a bucket: (R, n) draws times (n, columns of all runs) counts."""
        inside = bucket.holds(self.source_words)
        names = [(system.name, figure) for system in self.systems.values() for figure in (*self.metrics, SLOPE)]
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
