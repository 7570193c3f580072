"""Steps of any torch trainer in this process, stamped from outside: a hook behind every optimiser's step."""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from benchmarks.cells import BEGAN
from benchmarks.memory import peak_memory


class Stamps:
    """Counts tokens and stamps steps; after `warm` + `steps` steps it calls `done` with the figures.

    Args:
        warm: steps that are not measured, at least one.
        steps: steps that are.
        done: what to do with the figures; it need not return.
    """

    def __init__(self, *, warm: int, steps: int, done: Callable[[dict[str, Any]], None]) -> None:
        if warm < 1 or steps < 1:
            raise ValueError(f"warm {warm} and steps {steps} must be at least 1: a step is timed from the one before it")
        self.warm, self.steps, self.done = warm, steps, done
        self.times: list[float] = []
        self.counts: list[list[int]] = [[0] * 4]
        self.handle = register_optimizer_step_post_hook(self._stamp)

    def saw(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """Count a batch, given masks (B, S) and (B, T), True at real tokens: source with end, target as predicted."""
        positions = source.numel() + target.numel()
        numbers = int(source.sum()), int(target.sum()), len(source), positions
        self.counts[-1] = [before + more for before, more in zip(self.counts[-1], numbers, strict=True)]

    def _stamp(self, *_: Any) -> None:
        self.times.append(time.time())
        self.counts.append([0] * 4)
        if len(self.times) == self.warm + self.steps:
            self.handle.remove()
            self.done(self.figures())

    def figures(self) -> dict[str, Any]:
        """The rate is the median over steps, so that a few disturbed ones do not count."""
        measured = slice(self.warm, self.warm + self.steps)
        counts = self.counts[measured]
        durations = [after - before for before, after in zip(self.times[self.warm - 1 :], self.times[measured], strict=False)]
        rates = [tokens / seconds for (_, tokens, _, _), seconds in zip(counts, durations, strict=True)]
        sources, targets, sentences, positions = (sum(column) for column in zip(*counts, strict=True))
        return {
            "tokens_per_second": statistics.median(rates),
            "best_step": max(rates),
            "source_length": sources / sentences,
            "target_length": targets / sentences,
            "tokens_per_step": targets / self.steps,
            "real_share": (sources + targets) / positions,
            "first_step_seconds": self.times[0] - float(os.environ.get(BEGAN, self.times[0])),
            "memory_mib": peak_memory(),
        }


def leave(figures: dict[str, Any]) -> None:
    """Print figures as the last line and end the process, wherever it stands in somebody else's training."""
    sys.stdout.flush()
    os.write(1, ("\n" + json.dumps(figures) + "\n").encode())
    os._exit(0)
