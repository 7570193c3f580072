"""Systems side by side: each score and rank with its interval, each difference to the baseline with a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.config.errors import counted
from seq2seq.config.evaluation import BucketSettings
from seq2seq.scoring.bootstrap import Estimate, Floats
from seq2seq.scoring.buckets import EVERYTHING, Bucket, build_buckets
from seq2seq.scoring.evidence import SLOPE, Evidence
from seq2seq.scoring.metrics import METRICS
from seq2seq.scoring.results import BucketScores, Comparison, Result, Scores, Slope, Verdict, corrected, detectable, verdict_on
from seq2seq.scoring.sentences import CHANCE, surface_figures

Cell = tuple[str, Bucket]
"""A system on a bucket."""
_TIE = 1e-9  # points


class Ranked(Result):
    """A place in the order of BLEU on the whole split; it says nothing about systems with unequal budgets."""

    system: str
    rank: int
    """1 for the highest score; equal scores share a place."""
    low: int
    """Lower end of the rank's interval, over other seeds and sentences (only sentences where no seed variance is known)."""
    high: int


@dataclass(frozen=True, kw_only=True)
class SystemResult:
    """Scores of one system: of every run by metric, on all sentences, by length bucket.

    `comparisons` are the differences to the baseline, the whole test set first and the metrics of a bucket together;
    `comparison` is that of BLEU on the whole test set. There are none, and no `bottleneck`, for the baseline and without one.
    """

    seeds: tuple[int, ...]
    per_seed: Mapping[str, list[float]]
    overall: Scores
    buckets: list[BucketScores]
    comparisons: list[Comparison]
    comparison: Comparison | None
    bottleneck: Slope | None


def compare(evidence: Evidence, settings: BucketSettings | None = None) -> dict[str, SystemResult]:
    """Score every system on every bucket, cut as `settings` or else the study says, and compare it with the baseline."""
    if len(evidence.source_words) == 0:
        raise ValueError("the test set has no sentence to compare on")
    buckets = build_buckets(settings or evidence.settings.buckets, evidence.source_words)
    found: dict[tuple[str, str, Bucket], Comparison] = {}
    for metric in evidence.metrics:
        for family in ((EVERYTHING,), buckets):
            found |= {(metric, *cell): each for cell, each in _family(evidence, metric, family).items()}
    results = {}
    for name, system in evidence.systems.items():
        compared = name in evidence.others
        results[name] = SystemResult(
            seeds=system.seeds,
            per_seed={metric: evidence.part(name, metric).points.tolist() for metric in evidence.metrics},
            overall=Scores(**_scores(evidence, name, EVERYTHING)),
            buckets=[_bucket(evidence, name, bucket, found.get(("bleu", name, bucket))) for bucket in buckets],
            comparisons=[
                found[metric, name, bucket]
                for bucket in (EVERYTHING, *buckets)
                for metric in (evidence.metrics if compared else ())
            ],
            comparison=found.get(("bleu", name, EVERYTHING)),
            bottleneck=_index(evidence, name) if compared else None,
        )
    return results


def _scores(evidence: Evidence, name: str, bucket: Bucket) -> dict[str, Any]:
    """Fields of `Scores`."""
    inside = bucket.holds(evidence.source_words)
    runs = [run.select(inside) for run in evidence.systems[name].statistics]
    fields: dict[str, Any] = {"n": int(inside.sum()), **surface_figures(runs)}
    if evidence.knows_chance:
        fields["chance"] = float(evidence.part(name, CHANCE, bucket).points.mean())
    fields["seed_bleu"] = evidence.part(name, "bleu", bucket).points.tolist()
    for metric in evidence.metrics:
        estimate, prefix = evidence.score(name, metric, bucket), "" if metric == "bleu" else f"{metric}_"
        fields |= {metric: estimate.value, f"{prefix}low": estimate.low, f"{prefix}high": estimate.high}
    return fields


def _bucket(evidence: Evidence, name: str, bucket: Bucket, comparison: Comparison | None) -> BucketScores:
    return BucketScores(
        **_scores(evidence, name, bucket),
        min=bucket.low,
        max=bucket.high,
        mean_length=float(evidence.source_words[bucket.holds(evidence.source_words)].mean()),
        underpowered=evidence.small(bucket),
        comparison=comparison,
    )


def _index(evidence: Evidence, name: str) -> Slope:
    index = evidence.difference(name, str(evidence.baseline), SLOPE)
    unit = f"points of sentence score per 10 source {evidence.unit}, system minus baseline"
    return Slope(slope=index.value, **index.fields("low", "high", "p"), unit=unit)


def _family(evidence: Evidence, metric: str, family: Sequence[Bucket]) -> dict[Cell, Comparison]:
    """Differences to the baseline that are corrected together."""
    baseline, about, level = str(evidence.baseline), METRICS[metric], 1 - evidence.settings.confidence
    cells = [(name, bucket) for name in evidence.others for bucket in family]
    estimates = {cell: evidence.difference(cell[0], baseline, metric, cell[1]) for cell in cells}
    small = {cell for cell in cells if evidence.small(cell[1])}
    p_holm, found = corrected(estimates, small), {}
    for (name, bucket), each in estimates.items():
        cell = name, bucket
        verdict = verdict_on(each, p_holm.get(cell), small=cell in small, level=level, higher_is_better=about.higher_is_better)
        found[cell] = Comparison(
            system=name,
            baseline=baseline,
            metric=about.name,
            min=None if bucket == EVERYTHING else bucket.low,
            max=bucket.high,
            n=evidence.sentences(bucket),
            difference=each.value,
            **each.fields("seeds", "covers", "low", "high", "p", "degrees_of_freedom"),
            detectable=each.half_width,
            p_holm=p_holm.get(cell),
            verdict=verdict,
            words=_words(evidence, metric, bucket, each, verdict),
        )
    return found


def _words(evidence: Evidence, metric: str, bucket: Bucket, estimate: Estimate, verdict: Verdict) -> str:
    label = METRICS[metric].label
    lengths = "all lengths" if bucket == EVERYTHING else f"{bucket} source {evidence.unit}"
    if verdict == "small sample":
        p = "" if estimate.p is None else f", p = {estimate.p:.2g}"
        size = f"{counted(evidence.sentences(bucket), 'sentence')}, {evidence.settings.minimum_bucket} wanted"
        return f"small sample at {lengths}: {size} ({estimate.value:+.1f} {label}{p})"
    if verdict == "undecided":
        before = "" if estimate.half_width is None else " before correction"
        return f"no difference shown in {label} at {lengths} ({estimate.value:+.1f}; {detectable(estimate)}{before})"
    seeds = "; no seed variance is known, so another training may say otherwise" if verdict.startswith("leans") else ""
    if not seeds and estimate.seeds == 1:
        seeds = "; n=1 seed, its seed variance is that of the other systems"
    return f"{verdict} by {abs(estimate.value):.1f} {label} at {lengths}{seeds}"


def notes(evidence: Evidence) -> list[str]:
    """Notes that a reader needs beside the numbers."""
    found = []
    if evidence.baseline is None:
        found.append(f"No system is named {evidence.settings.baseline!r} (evaluation.baseline), so no differences are given.")
    if empty := int((evidence.source_words == 0).sum()):
        found.append(f"{empty} source lines are empty: counted in the whole, in no bucket.")
    return found


def rank_systems(evidence: Evidence) -> list[Ranked]:
    """Every system in the order of BLEU on the whole test set, the best first; equal ones in the study's order.

    Ends of a rank are percentiles over resampled sentences, the same for all, and drawn seeds, each system's own
    (Goldstein and Spiegelhalter 1996, JRSS A 159).
    """
    points = np.array([evidence.part(name, "bleu").points.mean() for name in evidence.systems])  # (N,)
    replicates = np.stack([_drawn(evidence, name, place) for place, name in enumerate(evidence.systems)], axis=1)
    tail = (1 - evidence.settings.confidence) / 2
    low, high = np.quantile(_ranks(replicates), (tail, 1 - tail), axis=0, method="nearest")
    ranks = _ranks(points[None])[0]
    names = enumerate(evidence.systems)
    found = [Ranked(system=name, rank=int(ranks[i]), low=int(low[i]), high=int(high[i])) for i, name in names]
    return sorted(found, key=lambda each: each.rank)


def _drawn(evidence: Evidence, name: str, place: int) -> Floats:
    """(R,) scores on other sentences and with other seeds; noise that the sentences show already is not drawn again."""
    drawn: Floats = evidence.part(name, "bleu").replicates.mean(axis=1)
    term = evidence.seed_term(name, "bleu")
    spread = max(term.variance - term.noise, 0.0) ** 0.5
    if term.freedom <= 0 or spread == 0:
        return drawn
    generator = np.random.default_rng([evidence.settings.seed, 3, place])
    moved: Floats = drawn + spread * generator.standard_t(term.freedom, len(drawn))
    return moved


def _ranks(scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """(R, N) ranks in each row: one more than the number of higher scores."""
    higher = scores[:, None, :] > scores[:, :, None] + _TIE  # (R, N, N)
    return np.asarray(1 + higher.sum(axis=2))
