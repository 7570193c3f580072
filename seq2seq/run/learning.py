"""Whether a run was done learning when it ended; a schedule that ends at rate zero brings anything to rest.

A validation loss that no longer falls shows that learning is done only while the learning rate could still move it. So a run
that
ends on less than a tenth of its highest rate is judged by the validations before the decay, at half of that rate or more. The
other honest test is a run of twice the length.
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
    """End of a run.

    Attributes:
        state: "still improving": the loss was still falling at the end; "at rest because the rate is zero": it was not, but it
        was
            before the decay of the rate; "at rest": not before the decay either; "not known": fewer than two validations.
        judged_by: which validations decided, in words.
    """

    state: State
    judged_by: str


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
    at = [_rate(rates, step) for step in steps]
    if not any(at) or at[-1] >= max(rates.values()) / 10:
        return Learning(
            "at rest", f"the validation loss at the end, step {steps[-1]}, at {_share(at[-1], rates)} of the highest rate"
        )
    early = [loss for loss, rate in zip(falling, at, strict=True) if rate >= max(rates.values()) / 2]
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
    if len(losses) < 2:
        return True
    return min(losses[-tail:]) < min(losses[:-tail]) - ENOUGH * abs(min(losses[:-tail]))


def _rate(rates: Mapping[int, float], step: int) -> float:
    """Learning rate at a step: that of the last training line up to it."""
    known = [at for at in rates if at <= step]
    return rates[max(known)] if known else 0.0


def _share(rate: float, rates: Mapping[int, float]) -> str:
    return f"{rate / max(rates.values()):.0%}" if rates else "an unknown share"
