"""The learning rate as a function of the step and, on a plateau, of the validations so far: nothing has to be kept for it."""

import math
from collections.abc import Sequence

from seq2seq.config.training import FallingSchedule, PlateauSchedule, TrainingSettings


def learning_rate(step: int, settings: TrainingSettings, scores: Sequence[float] = ()) -> float:
    """Return the learning rate of update number `step`, from 1; a plateau looks at the scores so far, higher is better."""
    peak, warmup, last = settings.learning_rate, settings.warmup_steps, settings.max_steps
    if settings.pretrain is not None:  # each of the two has a schedule of its own
        first = settings.pretrain.steps
        step, last = (step, first) if step <= first else (step - first, last - first)
    if step <= warmup:
        return peak * step / warmup
    schedule = settings.schedule
    if schedule.kind == "inverse_root":
        return peak * math.sqrt(max(warmup, 1) / step)
    if isinstance(schedule, FallingSchedule):
        progress = min(1.0, (step - warmup) / max(1, last - warmup))
        falling = 1 - progress if schedule.kind == "linear" else 0.5 * (1 + math.cos(math.pi * progress))
        return peak * (schedule.final + (1 - schedule.final) * falling)
    if isinstance(schedule, PlateauSchedule):
        return peak * schedule.factor ** plateaus(scores, schedule)
    return peak


def plateaus(scores: Sequence[float], schedule: PlateauSchedule) -> int:
    """Return how often validation has stopped improving: `patience` validations in a row not above the best by `threshold`."""
    best, waiting, found = -math.inf, 0, 0
    for score in scores:
        if score > best + schedule.threshold:
            best, waiting = score, 0
            continue
        waiting += 1
        if waiting == schedule.patience:
            waiting, found = 0, found + 1
    return found


def is_exhausted(scores: Sequence[float], settings: TrainingSettings) -> bool:
    """Whether the schedule says that further training is of no use."""
    schedule = settings.schedule
    return isinstance(schedule, PlateauSchedule) and plateaus(scores, schedule) > schedule.reductions
