"""A system of the report: what the statistics found, and how its runs were trained."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from seq2seq.report.runs import Run
from seq2seq.report.schema import SeedRun, SystemReport
from seq2seq.run.learning import Learning, State, learning
from seq2seq.scoring import SystemResult
from seq2seq.scoring.length import LengthEffect
from seq2seq.scoring.results import BucketScores

_ORDER: tuple[State, ...] = ("still improving", "at rest because the rate is zero", "not known", "at rest")


def system_report(
    result: SystemResult,
    split: str,
    runs: Sequence[Run],
    fixed: Sequence[BucketScores],
    equal: Sequence[BucketScores],
    length: LengthEffect | None,
) -> SystemReport:
    """One system: its scores, its trainings and its buckets of both kinds."""
    summaries = [run.summary for run in runs]
    ended = [_learning(run) for run in runs]
    return SystemReport(
        **result.overall.model_dump(),
        seeds=list(result.seeds),
        single_seed=len(result.seeds) == 1,
        parameters=summaries[0].get("parameters"),
        parameters_by_block=summaries[0].get("parameters_by_block") or {},
        target_tokens=_mean(summaries, "target_tokens"),
        steps=_mean(summaries, "steps"),
        seconds=_mean(summaries, "seconds"),
        learning_still_rising=any(each.state != "at rest" for each in ended),
        learning=least_finished(runs),
        runs=[_seed_run(run, split, result, index, ended[index]) for index, run in enumerate(runs)],
        buckets=list(fixed),
        buckets_equal_count=list(equal),
        comparison=result.comparison,
        bottleneck_index=result.bottleneck,
        length=length,
    )


def least_finished(runs: Sequence[Run]) -> State:
    """End of a system's runs, the least finished of them."""
    return min((_learning(run).state for run in runs), key=_ORDER.index)


def _learning(run: Run) -> Learning:
    """End of the run, by its log; by its summary's word where no log is kept."""
    found = learning(run.log)
    rising = run.summary.get("learning_still_rising")
    if found.state != "not known" or rising is None:
        return found
    return Learning("still improving" if rising else "at rest", "the run's summary")


def _mean(summaries: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """Mean over seeds; None where a run does not say."""
    values = [summary.get(key) for summary in summaries]
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _seed_run(run: Run, split: str, result: SystemResult, index: int, ended: Learning) -> SeedRun:
    kept = {key: run.summary.get(key) for key in ("steps", "target_tokens", "seconds", "best_step")}
    return SeedRun(
        seed=run.seed,
        status=str(run.summary.get("status", "unknown")),
        **{metric: values[index] for metric, values in result.per_seed.items()},
        **kept,
        learning_still_rising=ended.state != "at rest",
        learning=ended.state,
        learning_judged_by=ended.judged_by,
        hypotheses_sha256=run.decoded[split].sha256,
        decoding=run.decoded[split].record.model_extra or {},
    )
