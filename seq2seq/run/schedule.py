"""The learning rate as a function of the step."""

import math

from seq2seq.config.training import CosineSchedule, InverseRootSchedule, LinearSchedule, TrainingSettings


def learning_rate(step: int, settings: TrainingSettings) -> float:
    """Return the learning rate of an update.

    Args:
        step: number of the update, counted from 1.
        settings: peak rate, warm-up, schedule and, for linear and cosine, max_steps.
    """
    peak, warmup = settings.learning_rate, settings.warmup_steps
    if step <= warmup:
        return peak * step / warmup
    schedule = settings.schedule
    if isinstance(schedule, InverseRootSchedule):
        return peak * math.sqrt(max(warmup, 1) / step)
    if isinstance(schedule, LinearSchedule | CosineSchedule):
        progress = min(1.0, (step - warmup) / max(1, settings.max_steps - warmup))
        falling = 1 - progress if isinstance(schedule, LinearSchedule) else 0.5 * (1 + math.cos(math.pi * progress))
        return peak * (schedule.final + (1 - schedule.final) * falling)
    return peak
