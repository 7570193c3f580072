"""Learning curves from a run's log."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq.report.runs import Run
from seq2seq.report.schema import CurvePoint, LearningCurve

TRAINING_POINTS = 200


def learning_curve(run: Run) -> LearningCurve:
    """Validations of a run, each with the tokens and seconds it took to get there, and its training loss, thinned."""
    seconds = {int(r["step"]): float(r["seconds"]) for r in run.log if "step" in r and "seconds" in r}
    validations = {int(r["step"]): r for r in run.log if r.get("event") == "validation" and "step" in r}
    training = [(int(r["step"]), finite(r.get("loss"))) for r in run.log if r.get("event") == "train"]
    losses = {step: loss for step, loss in training if loss is not None}
    return LearningCurve(
        seed=run.seed,
        validation=[_point(step, record, seconds) for step, record in sorted(validations.items())],
        training=thin(sorted(losses.items()), TRAINING_POINTS),
    )


def _point(step: int, record: Mapping[str, Any], seconds: Mapping[int, float]) -> CurvePoint:
    known = [at for at in seconds if at <= step]
    by_length = record.get("bleu_by_length") or []
    return CurvePoint(
        step=step,
        tokens=record.get("target_tokens", record.get("tokens")),
        seconds=record.get("seconds", seconds[max(known)] if known else None),
        loss=finite(record.get("loss")),
        perplexity=finite(record.get("perplexity")),
        token_accuracy=finite(record.get("token_accuracy")),
        bleu=finite(record.get("bleu")),
        bleu_longest=by_length[-1][2] if by_length else None,
    )


def finite(value: float | None) -> float | None:
    """A number that can be drawn and written as JSON; None for none, infinity and not-a-number."""
    return value if value is not None and math.isfinite(value) else None


def thin(points: Sequence[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """At most `most` of the points, evenly spread, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(index * (len(points) - 1) / (most - 1))] for index in range(most)]
