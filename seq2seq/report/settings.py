"""Facts from a study's configs and environments: surroundings that runs share, and facts for claims."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seq2seq.config.differences import differing, flatten
from seq2seq.config.embedded import PROBE, SCENES
from seq2seq.config.identity import comparable
from seq2seq.report.analyses import Analyses
from seq2seq.report.runs import Run
from seq2seq.report.systems import least_finished


def shared_environment(runs: Sequence[Run]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """(what all runs share, dotted key -> run -> value for what they do not); commands are told apart from both."""
    flat = {run.name: {key: value for key, value in flatten(run.environment).items() if key != "command"} for run in runs}
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
            "learning": least_finished(runs[system]),
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
