"""Steps of any torch trainer in this process, stamped from outside: a hook behind every optimiser's step."""

import os
import resource
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

BEGAN = "BENCHMARK_BEGAN"
"""Environment variable: when the command was started, seconds since the epoch, so that start-up of Python counts."""


class Stamps:
    """Counts tokens and stamps steps; after `warm` + `steps` steps it calls `done` with the figures.

    Args:
        warm: steps that are not measured.
        steps: steps that are.
        done: what to do with the figures; it need not return.
    """

    def __init__(self, *, warm: int, steps: int, done: Callable[[dict[str, Any]], None]) -> None:
        self.warm, self.steps, self.done = warm, steps, done
        self.times: list[float] = []
        self.counts: list[list[int]] = [[0, 0, 0]]
        register_optimizer_step_post_hook(self._stamp)

    def saw(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """Count a batch, given masks that are True at real tokens: source with end, target as predicted."""
        for place, number in enumerate((source.sum(), target.sum(), len(source))):
            self.counts[-1][place] += int(number)

    def _stamp(self, *_: Any) -> None:
        self.times.append(time.time())
        self.counts.append([0, 0, 0])
        if len(self.times) == self.warm + self.steps:
            self.done(self.figures())

    def figures(self) -> dict[str, Any]:
        """The rate is the median over steps, so that a few disturbed ones do not count."""
        durations = [after - before for before, after in zip(self.times, self.times[1:], strict=False)][self.warm - 1 :]
        counts = self.counts[self.warm : self.warm + self.steps]
        rates = sorted(tokens / seconds for (_, tokens, _), seconds in zip(counts, durations, strict=True))
        sources, targets, sentences = (sum(column) for column in zip(*counts, strict=True))
        return {
            "tokens_per_second": rates[len(rates) // 2],
            "best_step": rates[-1],
            "source_length": sources / sentences,
            "target_length": targets / sentences,
            "first_step_seconds": self.times[0] - float(os.environ.get(BEGAN, self.times[0])),
            "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
