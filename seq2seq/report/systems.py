"""Systems of the report: what the statistics found, how their runs were trained, which budgets agree, and facts for claims."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from seq2seq.config.differences import differing, flatten
from seq2seq.config.embedded import PROBE, SCENES
from seq2seq.config.evaluation import EqualCountBucketSettings, FixedBucketSettings
from seq2seq.config.identity import comparable
from seq2seq.report.analyses import Analyses
from seq2seq.report.cards import system_card
from seq2seq.report.runs import Run
from seq2seq.report.schema import CurvePoint, Fairness, LearningCurve, Pretraining, SeedRun, SystemReport
from seq2seq.run.hypotheses import evenly_spaced
from seq2seq.run.learning import State
from seq2seq.scoring.comparison import SystemResult, compare
from seq2seq.scoring.evidence import Evidence
from seq2seq.scoring.length import length_effects
from seq2seq.scoring.results import finite

_ORDER: tuple[State, ...] = ("still improving", "at rest because the rate is zero", "not known", "at rest")


def system_reports(
    evidence: Evidence,
    found: Mapping[str, SystemResult],
    split: str,
    runs: Mapping[str, Sequence[Run]],
    changes: Mapping[str, dict[str, Any]],
) -> dict[str, SystemReport]:
    """Every system with its scores, its trainings and both kinds of buckets: the study's, and the other with its defaults."""
    equal_count = evidence.settings.buckets.kind == "equal_count"
    other = compare(evidence, FixedBucketSettings() if equal_count else EqualCountBucketSettings())
    fixed, equal = (other, found) if equal_count else (found, other)
    effects, reports = length_effects(evidence), {}
    for name, result in found.items():
        own = runs[name]
        summaries = [run.summary for run in own]
        reports[name] = SystemReport(
            **result.overall.model_dump(),
            card=system_card(own[0].config),
            seeds=list(result.seeds),
            single_seed=len(result.seeds) == 1,
            parameters=summaries[0].get("parameters"),
            parameters_by_block=summaries[0].get("parameters_by_block") or {},
            **{key: _mean(summaries, key) for key in ("target_tokens", "steps", "seconds")},
            pretraining=_pretraining(own),
            learning_still_rising=any(run.learning.state != "at rest" for run in own),
            learning=_least_finished(own),
            changes={path: values.get(name) for path, values in changes.items()},
            runs=[_seed_run(run, split, result, index) for index, run in enumerate(own)],
            buckets=fixed[name].buckets,
            buckets_equal_count=equal[name].buckets,
            comparison=result.comparison,
            bottleneck_index=result.bottleneck,
            length=effects.get(name),
        )
    return reports


def _least_finished(runs: Sequence[Run]) -> State:
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
        seed=run.folder.seed,
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
        seed=run.folder.seed,
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
    known = {name: [getattr(system, key) for system in systems.values()] for name, (key, _) in BUDGETS.items()}
    spread = {name: max(values) / min(values) for name, values in known.items() if all(values)}
    equal = [name for name, ratio in spread.items() if ratio - 1 <= BUDGETS[name][1]]
    regimes = [f"equal {name}" for name in equal]
    parts = ["One system, so there is no budget to compare."]
    if len(systems) > 1:
        parts = [f"The systems have {_listed(regimes)}." if regimes else "No budget agrees between the systems."]
        if unequal := [f"{name} by a factor of {ratio:.3g}" for name, ratio in spread.items() if name not in equal]:
            parts.append(f"They differ in {_listed(unequal)}: a larger or longer trained system may be ahead for that reason.")
        if unknown := [name for name in known if name not in spread]:
            parts.append(f"Not recorded for every system: {_listed(unknown)}.")
    pretrained = [
        f"{name} {part.kind}, {part.steps:,.0f} updates, {part.target_tokens:,.0f} tokens, {part.seconds / 60:,.1f} min"
        for name, system in systems.items()
        if (part := system.pretraining) is not None
    ]
    if pretrained:
        parts.append(f"Pre-training counts in these budgets: {'; '.join(pretrained)}.")
    return Fairness(regimes=regimes, spread=spread, sentence=" ".join(parts))


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def shared_environment(runs: Sequence[Run]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """(what all runs share, dotted key -> run -> value for what they do not); commands are told apart from both."""
    told = {run.folder.name: flatten(run.environment) for run in runs}
    flat = {name: {key: value for key, value in facts.items() if key != "command"} for name, facts in told.items()}
    found = differing(flat)
    return {key: value for key, value in next(iter(flat.values())).items() if key not in found}, found


def facts_for_claims(runs: Mapping[str, Sequence[Run]], analyses: Analyses) -> dict[str, dict[str, Any]]:
    """Facts about each system for claims and the papers' conditions, from its runs, the first one above all, and analyses.

    `scoring/claims.py` lists them. Twins are systems that differ in one thing and in no other. Heads that bring projections
    with them make another model, which the number of parameters tells, so head twins have as many parameters.
    """
    flat = {system: flatten(comparable(some[0].config)) for system, some in runs.items()}
    sizes = {system: some[0].summary.get("parameters") for system, some in runs.items()}
    facts: dict[str, dict[str, Any]] = {}
    for system, leaves in flat.items():
        heads = _twins(flat, system, lambda path: "heads" in path.split("."))
        pair, corpus = (leaves.get("data.source"), leaves.get("data.target")), leaves.get("data.corpus")
        known = {
            **{name: leaves.get(path) for name, path in _FACTS.items()},
            "score": leaves.get("model.attention.score.kind", leaves.get("model.attention.score")),
            "attention_size": leaves.get("model.attention.attention_size") or leaves.get("model.decoder.hidden_size"),
            "projected": leaves.get("model.attention.attention_size") is not None,
            "pair": None if None in pair else pair,
            "natural": None if corpus is None else not str(corpus).startswith(("grammar", SCENES, PROBE)),
            "learning": _least_finished(runs[system]),
            "probe": str(corpus).startswith(PROBE),
            "head_twins": [name for name in heads if sizes[name] == sizes[system]],
            "position_twins": _twins(flat, system, lambda path: "positions" in path.split(".")),
            "bridge_twins": _twins(flat, system, lambda path: path.startswith("model.attention.") or path.endswith("_size")),
            **_measured(system, analyses),
        }
        facts[system] = {key: value for key, value in known.items() if value is not None}
    return facts


_FACTS = {
    "scale": "model.attention.scale.kind",
    "heads": "model.attention.heads",
    "placement": "model.decoder.placement",
    "input_feeding": "model.decoder.input_feeding",
    "positions": "model.encoder.positions.kind",
    "trained_words": "data.max_words",
    "reversed": "data.reverse_source",
    "learning_rate": "training.learning_rate",
}
"""Fact -> the setting that it is."""


def _twins(flat: Mapping[str, Mapping[str, Any]], system: str, may_differ: Callable[[str], bool]) -> list[str]:
    """Other systems that differ from this one in settings that may differ, and in no other."""
    own = flat[system]
    rest = {name: {path: value for path, value in leaves.items() if not may_differ(path)} for name, leaves in flat.items()}
    return [name for name, leaves in flat.items() if leaves != own and rest[name] == rest[system]]


def _measured(system: str, analyses: Analyses) -> dict[str, Any]:
    """Decoding times and alignment error rates, where they were measured."""
    facts: dict[str, Any] = {}
    cost = (analyses.costs or {}).get(system)
    if cost is not None:
        timed = [(point.length, point.ms_per_sentence) for point in cost.by_length if point.ms_per_sentence is not None]
        facts["decoding_costs"] = timed or None
    if analyses.alignment is not None and system in analyses.alignment.systems:
        scores = analyses.alignment.systems[system]
        diagonal = analyses.alignment.baselines.get("diagonal")
        facts["alignment_error_rates"] = scores.aer_by_seed or [scores.aer]
        facts["diagonal_error_rate"] = diagonal.aer if diagonal else None
        facts["alignment_half_width"] = None if scores.low is None or scores.high is None else (scores.high - scores.low) / 2
    return facts
