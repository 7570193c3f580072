"""Systems side by side: every score with its interval, every difference to the baseline with two tests and a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.scoring.bootstrap import Estimate, hierarchical_replicates
from seq2seq.scoring.buckets import EVERYTHING, Bucket, Lengths, build_buckets
from seq2seq.scoring.corrections import holm
from seq2seq.scoring.evidence import Evidence, SystemScores
from seq2seq.scoring.metrics import METRICS
from seq2seq.scoring.sentences import SurfaceFigures, surface_figures

Verdict = Literal["better", "worse", "undecided", "underpowered"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """System minus baseline on the same sentences, in points of the metric.

    Attributes:
        estimate: value, interval and uncorrected p (hierarchical bootstrap, bootstrap.py).
        p_holm: p corrected over the family: systems x buckets for a bucket, systems for the whole; None if underpowered,
            as an underpowered bucket gets no verdict and so does not burden the others.
        p_randomisation: second opinion about these runs' sentences (randomisation.py), uncorrected.
        wins, ties, losses: shares of the resamples in which the system scores better, exactly equal, worse; they sum to 1.
        verdict: "better" or "worse" where p_holm is below 1 - confidence.
        words: the verdict as a sentence.
    """

    estimate: Estimate
    p_holm: float | None
    p_randomisation: float
    wins: float
    ties: float
    losses: float
    verdict: Verdict
    words: str


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One system on one bucket.

    Attributes:
        bucket: the lengths; `EVERYTHING` for the whole test set.
        n: sentences, the same for all systems.
        scores: metric -> score with interval (mean over seeds).
        per_seed: metric -> score of every run.
        surface: brevity, length ratio, empty, truncated, exact, repeated; means over seeds.
        differences: metric -> difference to the baseline; empty for the baseline itself and without one.
        underpowered: fewer sentences than `minimum_bucket`.
    """

    bucket: Bucket
    n: int
    scores: Mapping[str, Estimate]
    per_seed: Mapping[str, tuple[float, ...]]
    surface: SurfaceFigures
    differences: Mapping[str, Difference]
    underpowered: bool


@dataclass(frozen=True, kw_only=True)
class SystemResult:
    """One system: the whole test set, every bucket, and the bottleneck index (None for the baseline and without one)."""

    name: str
    seeds: tuple[int, ...]
    overall: Cell
    buckets: tuple[Cell, ...]
    bottleneck: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything the report says about scores.

    Attributes:
        systems: in the order given.
        buckets: those that hold a sentence.
        baseline: name, or None where no system has it.
        n: sentences of the test set.
        signatures: metric -> sacreBLEU's signature.
        notes: what a reader has to be told beside the numbers.
    """

    systems: tuple[SystemResult, ...]
    buckets: tuple[Bucket, ...]
    baseline: str | None
    n: int
    signatures: Mapping[str, str]
    resamples: int
    confidence: float
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> SystemResult:
        return next(system for system in self.systems if system.name == name)


def compare(systems: Sequence[SystemScores], source_words: Lengths, settings: EvaluationSettings) -> Comparison:
    """Score every system on every bucket and compare it with the baseline.

    Args:
        systems: one or more, each with counts of the same n sentences.
        source_words: (n,) length of every source line (`source_words` of buckets.py).
        settings: metrics, buckets, baseline, resamples, confidence.
    """
    return compare_evidence(Evidence(systems, source_words, settings))


def compare_evidence(evidence: Evidence) -> Comparison:
    """As `compare`, for evidence that shape checks and claims will use as well: resamples are then made once."""
    settings = evidence.settings
    if len(evidence.source_words) == 0:
        raise ValueError("the test set has no sentence to compare on")
    baseline = settings.baseline if settings.baseline in evidence.systems else None
    buckets = build_buckets(settings.buckets, evidence.source_words)
    cells = {
        (name, bucket): _cell(evidence, name, baseline, bucket)
        for name in evidence.systems
        for bucket in (EVERYTHING, *buckets)
    }
    for family in ((EVERYTHING,), buckets):
        _correct(cells, family, settings)
    results = tuple(
        SystemResult(
            name=name,
            seeds=system.seeds,
            overall=cells[name, EVERYTHING],
            buckets=tuple(cells[name, bucket] for bucket in buckets),
            bottleneck=evidence.bottleneck(name, baseline) if baseline is not None and name != baseline else None,
        )
        for name, system in evidence.systems.items()
    )
    first = next(iter(evidence.systems.values())).statistics[0]
    return Comparison(
        systems=results,
        buckets=buckets,
        baseline=baseline,
        n=len(evidence.source_words),
        signatures={name: first.signatures[name] for name in evidence.metrics},
        resamples=settings.resamples,
        confidence=settings.confidence,
        notes=_notes(evidence, baseline),
    )


def _cell(evidence: Evidence, name: str, baseline: str | None, bucket: Bucket) -> Cell:
    inside = bucket.holds(evidence.source_words)
    compared = evidence.metrics if baseline is not None and name != baseline else ()
    return Cell(
        bucket=bucket,
        n=int(inside.sum()),
        scores={metric: evidence.score(name, metric, bucket) for metric in evidence.metrics},
        per_seed={metric: tuple(evidence.part(name, metric, bucket).points.tolist()) for metric in evidence.metrics},
        surface=surface_figures([run.select(inside) for run in evidence.systems[name].statistics]),
        differences={metric: _difference(evidence, name, str(baseline), metric, bucket) for metric in compared},
        underpowered=evidence.underpowered(bucket),
    )


def _difference(evidence: Evidence, name: str, baseline: str, metric: str, bucket: Bucket) -> Difference:
    """The difference before correction and verdict, which need the whole family."""
    sign = 1 if METRICS[metric].higher_is_better else -1
    parts = evidence.part(name, metric, bucket), evidence.part(baseline, metric, bucket).times(-1)
    gains = sign * hierarchical_replicates(parts, np.random.default_rng([evidence.settings.seed, len(parts)]))
    ties = float((np.abs(gains) < 1e-9).mean())
    wins = float((gains >= 1e-9).mean())
    return Difference(
        estimate=evidence.difference(name, baseline, metric, bucket),
        p_holm=None,
        p_randomisation=evidence.randomisation(name, baseline, metric, bucket),
        wins=wins,
        ties=ties,
        losses=1 - wins - ties,
        verdict="underpowered",
        words="",
    )


def _correct(cells: dict[tuple[str, Bucket], Cell], family: Sequence[Bucket], settings: EvaluationSettings) -> None:
    """Fill in corrected p and verdict for every difference of a family, metric by metric."""
    for metric in settings.metrics:
        compared = [key for key, cell in cells.items() if key[1] in family and metric in cell.differences]
        powered = [key for key in compared if not cells[key].underpowered]
        p_values = [cells[key].differences[metric].estimate.p for key in powered]
        corrected = dict(zip(powered, holm([1.0 if p is None else p for p in p_values]), strict=True))
        for key in compared:
            cell = cells[key]
            judged = _judge(cell, metric, corrected.get(key), settings)
            cells[key] = replace(cell, differences={**cell.differences, metric: judged})


def _judge(cell: Cell, metric: str, p_holm: float | None, settings: EvaluationSettings) -> Difference:
    difference = cell.differences[metric]
    value, label = difference.estimate.value, METRICS[metric].label
    verdict: Verdict = "underpowered"
    if p_holm is not None:
        improved = (value > 0) == METRICS[metric].higher_is_better
        verdict = "undecided" if p_holm >= 1 - settings.confidence else "better" if improved else "worse"
    lengths = "all lengths" if cell.bucket == EVERYTHING else f"{cell.bucket} source words"
    words = {
        "underpowered": f"underpowered at {lengths}: {cell.n} sentences, {settings.minimum_bucket} wanted",
        "undecided": f"no difference shown in {label} at {lengths} ({value:+.1f})",
    }.get(verdict, f"{verdict} by {abs(value):.1f} {label} at {lengths}")
    if verdict != "underpowered" and difference.estimate.covers == "sentences":
        words += "; n=1 seed, so another training may say otherwise"
    return replace(difference, p_holm=p_holm, verdict=verdict, words=words)


def _notes(evidence: Evidence, baseline: str | None) -> tuple[str, ...]:
    notes = []
    single = [name for name, system in evidence.systems.items() if len(system.seeds) == 1]
    if single:
        who = "every system" if len(single) == len(evidence.systems) else ", ".join(single)
        notes.append(f"n=1 seed: {who}. Intervals cover the choice of test sentences, not of the seed.")
    if baseline is None:
        notes.append(f"No system is named {evidence.settings.baseline!r} (evaluation.baseline), so no differences are given.")
    empty = int((evidence.source_words == 0).sum())
    if empty:
        notes.append(f"{empty} source lines are empty: counted in the whole, in no bucket.")
    return tuple(notes)
