"""From the statistics' results to the report's fields."""

from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq.report.runs import Run
from seq2seq.report.schema import Bucket, Comparison, SeedRun, Slope, SystemReport
from seq2seq.scoring import EVERYTHING, Cell, SystemResult
from seq2seq.scoring.buckets import Lengths


def system_report(
    result: SystemResult, split: str, runs: Sequence[Run], baseline: str | None, fixed: list[Bucket], equal: list[Bucket]
) -> SystemReport:
    """One system: its scores, its trainings and its buckets of both kinds."""
    summaries = [run.summary for run in runs]
    return SystemReport(
        **scores(result.overall),
        seeds=list(result.seeds),
        single_seed=len(result.seeds) == 1,
        parameters=summaries[0].get("parameters"),
        parameters_by_block=summaries[0].get("parameters_by_block") or {},
        target_tokens=_mean(summaries, "target_tokens"),
        steps=_mean(summaries, "steps"),
        seconds=_mean(summaries, "seconds"),
        learning_still_rising=any(summary.get("learning_still_rising") for summary in summaries),
        runs=[_seed_run(run, split, result.overall, index) for index, run in enumerate(runs)],
        buckets=fixed,
        buckets_equal_count=equal,
        comparison=comparison(result, result.overall, baseline),
        bottleneck_index=None
        if result.bottleneck is None
        else Slope(
            slope=result.bottleneck.value,
            low=result.bottleneck.low,
            high=result.bottleneck.high,
            p=result.bottleneck.p,
            unit="points of sentence score per 10 source words, system minus baseline",
        ),
    )


def _mean(summaries: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """Mean over seeds; None where a run does not say."""
    values = [summary.get(key) for summary in summaries]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return sum(numbers) / len(numbers) if len(numbers) == len(values) else None


def _seed_run(run: Run, split: str, overall: Cell, index: int) -> SeedRun:
    kept = {key: run.summary.get(key) for key in ("steps", "target_tokens", "seconds", "best_step", "learning_still_rising")}
    return SeedRun(
        seed=run.seed,
        status=str(run.summary.get("status", "unknown")),
        **{metric: values[index] for metric, values in overall.per_seed.items()},
        **kept,
        hypotheses_sha256=run.decoded[split].sha256,
        decoding=run.decoded[split].facts,
    )


def scores(cell: Cell) -> dict[str, Any]:
    """Fields of `Scores` from a cell of the statistics."""
    fields: dict[str, Any] = {"n": cell.n, "seed_bleu": list(cell.per_seed["bleu"]), **vars(cell.surface)}
    for metric, estimate in cell.scores.items():
        prefix = "" if metric == "bleu" else f"{metric}_"
        fields |= {metric: estimate.value, f"{prefix}low": estimate.low, f"{prefix}high": estimate.high}
    return fields


def bucket_scores(lengths: Lengths, baseline: str | None, result: SystemResult) -> list[Bucket]:
    """A system's buckets, from (n,) source words and the statistics of its cells."""
    return [
        Bucket(
            **scores(cell),
            min=cell.bucket.low,
            max=cell.bucket.high,
            mean_length=float(lengths[cell.bucket.holds(lengths)].mean()),
            underpowered=cell.underpowered,
            comparison=comparison(result, cell, baseline),
        )
        for cell in result.buckets
    ]


def comparison(result: SystemResult, cell: Cell, baseline: str | None, metric: str = "bleu") -> Comparison | None:
    """The difference to the baseline on a cell; None for the baseline itself and without one."""
    if baseline is None or metric not in cell.differences:
        return None
    found = cell.differences[metric]
    return Comparison.model_validate(
        {
            "system": result.name,
            "baseline": baseline,
            "metric": metric,
            "min": None if cell.bucket == EVERYTHING else cell.bucket.low,
            "max": cell.bucket.high,
            "n": cell.n,
            "seeds": found.estimate.seeds,
            "difference": found.estimate.value,
            "low": found.estimate.low,
            "high": found.estimate.high,
            "p": found.estimate.p,
            "p_randomisation": found.p_randomisation,
            "p_holm": found.p_holm,
            "verdict": found.verdict,
            "words": found.words,
        }
    )
