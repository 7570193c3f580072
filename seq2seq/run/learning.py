"""Whether a run was done learning when it ended; a schedule that ends at rate zero brings anything to rest.

A loss that no longer falls shows it only while the rate could still move it. So a run that ends on less than a tenth of its
highest rate is judged by the validations before the decay, at half of that rate or more; else a run of twice the length tells.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

State = Literal["still improving", "at rest because the rate is zero", "at rest", "not known"]
ENOUGH = 0.01
"""Relative fall of the loss that counts."""


@dataclass(frozen=True)
class Learning:
    """End of a run."""

    state: State
    """Whether the loss was still falling at the end, else whether it was before the rate decayed to zero; two validations
    at the least decide."""
    judged_by: str
    """Which validations decided, in words."""


def learning(records: Sequence[Mapping[str, Any]]) -> Learning:
    """Judge a run by its `log.jsonl`: validations with their loss, and the learning rate of training lines between them."""
    rates = {int(r["step"]): float(r["learning_rate"]) for r in records if r.get("learning_rate") is not None and "step" in r}
    validations = [r for r in records if r.get("event") == "validation" and "step" in r]
    losses = {int(r["step"]): float(r["loss"]) for r in validations if isinstance(r.get("loss"), int | float)}
    steps = sorted(losses)
    if len(steps) < 2:
        return Learning("not known", "fewer than two validations")
    falling = [losses[step] for step in steps]
    if _improving(falling):
        return Learning("still improving", f"the validation loss at the end, step {steps[-1]}")
    highest = max(rates.values(), default=0.0)
    at = [rates.get(max((known for known in rates if known <= step), default=0), 0.0) for step in steps]
    if not any(at) or at[-1] >= highest / 10:
        share = f"{at[-1] / highest:.0%}" if highest else "an unknown share"
        return Learning("at rest", f"the validation loss at the end, step {steps[-1]}, at {share} of the highest rate")
    early = [loss for loss, rate in zip(falling, at, strict=True) if rate >= highest / 2]
    judged_by = f"the validation loss before the decay, {len(early)} validations at half of the highest rate or more"
    settled = len(early) > 2 and not _improving(early)
    return Learning("at rest" if settled else "at rest because the rate is zero", judged_by)


def learning_of(log: Path) -> Learning:
    """Judge a run by its log file; a last line that an interruption cut short does not count."""
    records = []
    for line in log.read_bytes().split(b"\n") if log.exists() else []:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        records += [record] if isinstance(record, dict) else []
    return learning(records)


def _improving(losses: Sequence[float]) -> bool:
    """Whether the lowest of the last tenth, one at the least, is more than 1 % below the lowest before."""
    tail = max(1, len(losses) // 10)
    return min(losses[-tail:]) < min(losses[:-tail]) - ENOUGH * abs(min(losses[:-tail]))
