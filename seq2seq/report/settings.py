"""What a study's configs and environments say: where systems differ, and what claims need to know."""

from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq.config.differences import differing, flatten
from seq2seq.config.identity import comparable
from seq2seq.report.analyses import Analyses
from seq2seq.report.runs import Run


def differences(configs: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return dotted path -> system -> value for settings in which systems differ, bookkeeping aside."""
    return differing({system: comparable(config) for system, config in configs.items()})


def shared_environment(runs: Sequence[Run]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """(what all runs share, dotted key -> run -> value for what they do not); commands are told apart from both."""
    flat = {run.name: {key: value for key, value in flatten(run.environment).items() if key != "command"} for run in runs}
    shared, differing = {}, {}
    for key in dict.fromkeys(key for leaves in flat.values() for key in leaves):
        values = {name: leaves.get(key) for name, leaves in flat.items()}
        first = next(iter(values.values()))
        if all(value == first for value in values.values()):
            shared[key] = first
        else:
            differing[key] = values
    return shared, differing


def commands(runs: Sequence[Run]) -> str:
    """Every command that made these runs, one a line."""
    return "\n".join(dict.fromkeys(str(run.environment["command"]) for run in runs if run.environment.get("command")))


def facts_for_claims(configs: Mapping[str, Mapping[str, Any]], analyses: Analyses) -> dict[str, dict[str, Any]]:
    """What `scoring/claims.py` wants to know of each system.

    Heads and positions are told only of systems that have a twin: another one that differs in nothing else. Otherwise
    a claim about heads would be decided by whatever else differs.
    """
    flat = {system: flatten(comparable(config)) for system, config in configs.items()}
    facts: dict[str, dict[str, Any]] = {system: {} for system in configs}
    for system, leaves in flat.items():
        score = leaves.get("model.attention.score.kind", leaves.get("model.attention.score"))
        size = leaves.get("model.attention.attention_size") or leaves.get("model.decoder.hidden_size")
        known = {
            "score": score,
            "scale": leaves.get("model.attention.scale.kind"),
            "attention_size": size,
            "trained_words": leaves.get("data.max_words"),
            "heads": leaves.get("model.attention.heads") if _has_twin(flat, system, "heads") else None,
            "positions": leaves.get("model.encoder.positions.kind") if _has_twin(flat, system, "positions") else None,
            **_measured(system, analyses),
        }
        facts[system] = {key: value for key, value in known.items() if value is not None}
    return facts


def _has_twin(flat: Mapping[str, Mapping[str, Any]], system: str, word: str) -> bool:
    """Whether another system differs from this one in settings whose path names `word`, and in no other."""

    def rest(leaves: Mapping[str, Any]) -> dict[str, Any]:
        return {path: value for path, value in leaves.items() if word not in path.split(".")}

    own = flat[system]
    return any(rest(own) == rest(other) and dict(own) != dict(other) for name, other in flat.items() if name != system)


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
    return facts
