"""The budget solver: widths such that systems agree with a reference in parameters or in FLOPs per target token.

A system that is not within tolerance has all its hidden sizes multiplied by one factor, which is searched over whole numbers.
Where that is too coarse, one more size is tuned by itself: the feed-forward size of a Transformer, whose other sizes stay
divisible by its heads, or the decoder state of a recurrent model, unless its score wants it to have the size of the memory.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from seq2seq.attention.build import score_classes
from seq2seq.config.attention import FixedSettings
from seq2seq.config.differences import differences
from seq2seq.config.errors import UserError
from seq2seq.config.study import MatchSettings, RunSettings, Study
from seq2seq.models.budget import budget_of

_LARGEST = 1 << 14  # largest hidden size that is tried
_UNITS = {"parameters": "parameters", "flops": "FLOPs per target token at S = T = 25"}


def match_study(study: Study, only: Sequence[str] = ()) -> tuple[Study, list[str]]:
    """Choose widths as the study's `match` asks, for `only` these systems or all, and say which; a `UserError` if none fit."""
    settings = study.header.match
    if settings is None:
        return study, []
    kind, tolerance = _wanted(settings, study.path)
    reference = settings.to or next(iter(study.systems))
    wanted = budget_of(study.systems[reference], kind)
    systems, matches = {}, []
    for name, system in study.systems.items():
        systems[name] = system
        if name == reference or (only and name not in only):
            continue
        chosen, budget = _solve(system, kind, wanted, tolerance, f"{study.path}: systems.{name}")
        systems[name] = chosen
        told = changed_settings(system, chosen) or "as written"
        matches.append(f"matched {name}: {told} ({budget:,.0f} {_UNITS[kind]}, {budget / wanted - 1:+.2%} of {reference})")
    return replace(study, systems=systems), matches


def changed_settings(before: RunSettings, after: RunSettings) -> str:
    """Write the settings in which two systems differ; an empty text if in none."""
    changes = differences(before.model_dump(mode="json"), after.model_dump(mode="json"))
    return "; ".join(f"{path}: {one} -> {other}" for path, one, other in changes)


def _wanted(settings: MatchSettings, path: str) -> tuple[str, float]:
    asked = {kind: getattr(settings, kind) for kind in _UNITS if getattr(settings, kind) is not None}
    if len(asked) != 1:
        raise UserError(f"{path}: match: name one budget, parameters or flops, for example match: {{parameters: 1%}}")
    return next(iter(asked.items()))


def _solve(system: RunSettings, kind: str, wanted: float, tolerance: float, where: str) -> tuple[RunSettings, float]:
    """Return the system, or the nearest one in proportion that meets the budget, and its budget."""
    tried = [(system, budget_of(system, kind))]

    def nearest() -> tuple[RunSettings, float]:
        return min(tried, key=lambda each: abs(each[1] - wanted))

    def is_met() -> bool:
        return abs(nearest()[1] - wanted) <= tolerance * wanted

    def excess(candidate: RunSettings) -> float:
        tried.append((candidate, budget_of(candidate, kind)))
        return tried[-1][1] - wanted

    if is_met():
        return nearest()
    model = system.model.model_dump(mode="json")
    grid = _divisor(_stacks(model)[0], model.get("attention", {}))  # the step in which the first stack's hidden size is changed
    low = _largest_below(lambda width: excess(_with_width(system, width, grid)), _LARGEST // grid)
    if not is_met() and (tune := _fine_tuning(_with_width(system, low, grid))) is not None:
        _largest_below(lambda size: excess(tune(size)), _LARGEST)
    best, budget = nearest()
    if not is_met():
        raise UserError(
            f"{where}: no width brings it within {tolerance:.2%} of {wanted:,.0f} {_UNITS[kind]}; the nearest has "
            f"{budget:,.0f} ({budget / wanted - 1:+.2%}); widen match.{kind}, or change its embeddings or layers"
        )
    return best, budget


def _largest_below(excess: Callable[[int], float], limit: int) -> int:
    """Return the largest number in 1 .. limit that has no excess (which grows with it); the next one is tried too."""
    high = 1
    while high < limit and excess(high) <= 0:  # doubling first: large models are expensive to build
        high = min(2 * high, limit)
    return max(1, bisect_right(range(high), 0.0, lo=high // 2 + 1, key=excess) - 1)


def _stacks(model: Any) -> list[dict[str, Any]]:
    """The parts of a dumped model that have a hidden size."""
    return [model] if "hidden_size" in model else [model["encoder"], model["decoder"]]


def _is_transformer(stack: dict[str, Any]) -> bool:
    return "feedforward_size" in stack


def _divisor(stack: dict[str, Any], bridge: dict[str, Any]) -> int:
    """Divisor of a stack's hidden size: heads share it out, waves and rotations need pairs of features."""
    heads = int(bridge.get("heads", 1))
    if not _is_transformer(stack):
        return heads
    own = int(stack["self_attention"]["heads"])
    pairs = {"sinusoidal": 2, "rope": 2 * own}.get(stack["positions"]["kind"], 1)
    return math.lcm(heads, own, pairs)


def _with_width(system: RunSettings, steps: int, grid: int) -> RunSettings:
    """The system with `steps` x `grid` features in its first stack, and all others in proportion."""
    data = system.model_dump(mode="json")
    model = data["model"]
    stacks, bridge = _stacks(model), model.get("attention", {})
    factor = steps * grid / stacks[0]["hidden_size"]
    for stack in stacks:
        divisor = _divisor(stack, bridge)
        stack["hidden_size"] = max(1, round(stack["hidden_size"] * factor / divisor)) * divisor
        if _is_transformer(stack):
            stack["feedforward_size"] = max(1, round(stack["feedforward_size"] * factor))
    widths = [stack["hidden_size"] for stack in stacks if _is_transformer(stack)]
    for stack in stacks if widths and model.get("tie") == "all" else ():  # both sides have embeddings of one size
        if not _is_transformer(stack):
            stack["embedding_size"] = widths[0]
    return RunSettings.model_validate(data)


def _fine_tuning(system: RunSettings) -> Callable[[int], RunSettings] | None:
    """The system as a function of one more size; None if there is no size to tune by itself."""
    data = system.model_dump(mode="json")
    stacks = _stacks(data["model"])
    transformers = [stack for stack in stacks if _is_transformer(stack)]
    if transformers:
        option, shares = "feedforward_size", [(stack, stack["feedforward_size"]) for stack in transformers]
        whole = max(share for _, share in shares)
    else:
        bridge = system.model.attention  # type: ignore[union-attr]  # a decoder-only model is a Transformer
        if not isinstance(bridge.score, FixedSettings) and any(found.equal_sizes for found in score_classes(bridge.score)):
            return None
        option, shares, whole = "hidden_size", [(stacks[-1], bridge.heads)], 1

    def tuned(size: int) -> RunSettings:
        for stack, share in shares:
            stack[option] = max(1, round(share * size / whole))
        return RunSettings.model_validate(data)

    return tuned
