"""Systems of the report: what the statistics found, how their runs were trained, and which budgets agree between them."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from seq2seq.report.runs import Run
from seq2seq.report.schema import CurvePoint, Fairness, LearningCurve, Pretraining, SeedRun, SystemReport
from seq2seq.run.hypotheses import evenly_spaced
from seq2seq.run.learning import State
from seq2seq.scoring.comparison import SystemResult
from seq2seq.scoring.results import finite

_ORDER: tuple[State, ...] = ("still improving", "at rest because the rate is zero", "not known", "at rest")


def system_report(result: SystemResult, split: str, runs: Sequence[Run], **more: Any) -> SystemReport:
    """One system: its scores, its trainings, and further fields."""
    summaries = [run.summary for run in runs]
    return SystemReport(
        **result.overall.model_dump(),
        seeds=list(result.seeds),
        single_seed=len(result.seeds) == 1,
        parameters=summaries[0].get("parameters"),
        parameters_by_block=summaries[0].get("parameters_by_block") or {},
        **{key: _mean(summaries, key) for key in ("target_tokens", "steps", "seconds")},
        pretraining=_pretraining(runs),
        learning_still_rising=any(run.learning.state != "at rest" for run in runs),
        learning=least_finished(runs),
        runs=[_seed_run(run, split, result, index) for index, run in enumerate(runs)],
        comparison=result.comparison,
        bottleneck_index=result.bottleneck,
        **more,
    )


def least_finished(runs: Sequence[Run]) -> State:
    """End of a system's runs, the least finished of them."""
    return min((run.learning.state for run in runs), key=_ORDER.index)


def _pretraining(runs: Sequence[Run]) -> Pretraining | None:
    taken = [run.summary["pretraining"] for run in runs if isinstance(run.summary.get("pretraining"), dict)]
    found = {key: _mean(taken, key) for key in ("steps", "target_tokens", "seconds")} if taken else {}
    settings = runs[0].config.get("training", {}).get("pretrain") or {}
    return None if None in found.values() or not found else Pretraining(kind=str(settings.get("kind")), **found)


def _mean(summaries: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """Mean over seeds; None where a run does not say."""
    values = [summary.get(key) for summary in summaries]
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _seed_run(run: Run, split: str, result: SystemResult, index: int) -> SeedRun:
    return SeedRun(
        seed=run.seed,
        status=str(run.summary.get("status", "unknown")),
        **{metric: values[index] for metric, values in result.per_seed.items()},
        **{key: run.summary.get(key) for key in ("steps", "target_tokens", "seconds", "best_step")},
        learning_still_rising=run.learning.state != "at rest",
        learning=run.learning.state,
        learning_judged_by=run.learning.judged_by,
        hypotheses_sha256=run.decoded[split].sha256,
        decoding=run.decoded[split].record.model_extra or {},
    )


TRAINING_POINTS = 200


def learning_curve(run: Run) -> LearningCurve:
    """Validations of a run, each with the tokens and seconds it took to get there, and its training loss, thinned."""
    seconds = {int(r["step"]): float(r["seconds"]) for r in run.log if "step" in r and "seconds" in r}
    validations = {int(r["step"]): r for r in run.log if r.get("event") == "validation" and "step" in r}
    training = [r for r in run.log if r.get("event") == "train"]
    losses = {int(r["step"]): loss for r in training if (loss := finite(r.get("loss"))) is not None}
    return LearningCurve(
        seed=run.seed,
        validation=[_point(step, record, seconds) for step, record in sorted(validations.items())],
        training=evenly_spaced(sorted(losses.items()), TRAINING_POINTS),
    )


def _point(step: int, record: Mapping[str, Any], seconds: Mapping[int, float]) -> CurvePoint:
    known = [at for at in seconds if at <= step]
    by_length = record.get("bleu_by_length") or []
    return CurvePoint(
        step=step,
        tokens=record.get("target_tokens", record.get("tokens")),
        seconds=record.get("seconds", seconds[max(known)] if known else None),
        **{name: finite(record.get(name)) for name in ("loss", "perplexity", "token_accuracy", "bleu")},
        bleu_longest=by_length[-1][2] if by_length else None,
    )


BUDGETS = {
    "parameters": ("parameters", 0.01),
    "updates": ("steps", 0.0),
    "training tokens": ("target_tokens", 0.01),
    "wall-clock": ("seconds", 0.05),
}
"""Name -> (field of a system, largest relative difference that still counts as equal)."""


def compare_budgets(systems: Mapping[str, SystemReport]) -> Fairness:
    """Say which budgets are equal over all systems, and by how much the others differ."""
    regimes, spread, unknown = [], {}, []
    for name, (key, tolerance) in BUDGETS.items():
        values = [getattr(system, key) for system in systems.values()]
        if any(value is None or value <= 0 for value in values):
            unknown.append(name)
            continue
        spread[name] = max(values) / min(values)
        if spread[name] - 1 <= tolerance:
            regimes.append(f"equal {name}")
    sentence = " ".join([_sentence(len(systems), regimes, spread, unknown), *_pretrained(systems)])
    return Fairness(regimes=regimes, spread=spread, sentence=sentence)


def _pretrained(systems: Mapping[str, SystemReport]) -> list[str]:
    parts = [
        f"{name} {part.kind}, {part.steps:,.0f} updates, {part.target_tokens:,.0f} tokens, {part.seconds / 60:,.1f} min"
        for name, system in systems.items()
        if (part := system.pretraining) is not None
    ]
    return [f"Pre-training counts in these budgets: {'; '.join(parts)}."] if parts else []


def _sentence(count: int, regimes: list[str], spread: Mapping[str, float], unknown: list[str]) -> str:
    if count < 2:
        return "One system, so there is no budget to compare."
    unequal = [f"{name} by a factor of {ratio:.3g}" for name, ratio in spread.items() if f"equal {name}" not in regimes]
    parts = [f"The systems have {_listed(regimes)}." if regimes else "No budget agrees between the systems."]
    if unequal:
        parts.append(f"They differ in {_listed(unequal)}: a larger or longer trained system may be ahead for that reason.")
    if unknown:
        parts.append(f"Not recorded for every system: {_listed(unknown)}.")
    return " ".join(parts)


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
