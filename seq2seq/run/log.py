"""Logs of a run: results that repeat bit for bit, times that do not, and TensorBoard's events."""

import time
from dataclasses import asdict
from typing import Any

from torch import Tensor

from seq2seq.run.folder import JsonLines, RunFolder
from seq2seq.run.tensorboard import Monitor
from seq2seq.run.validation import Validation


class Journal:
    """`log.jsonl`, `timing.jsonl` and `tensorboard/` of a run.

    Args:
        folder: of the run.
        keep: bytes of `log.jsonl` that belong to the checkpoint the run resumes from.
        step: at which it resumes.
    """

    def __init__(self, folder: RunFolder, *, keep: int, step: int) -> None:
        self._log = JsonLines(folder.log, keep=keep)
        self._timing = JsonLines(folder.timing)
        self._monitor = Monitor(folder.tensorboard, first_step=step)

    def time(self, event: str, **record: Any) -> None:
        """Write what does not repeat: times, machines, accidents."""
        self._timing.write(event=event, time=time.time(), **record)

    def train(self, *, step: int, loss: float, target_tokens: int, learning_rate: float, seconds: float) -> None:
        """Write the mean loss (nats a token) since the last line."""
        self._log.write(event="train", step=step, loss=loss, target_tokens=target_tokens, learning_rate=learning_rate)
        speed = target_tokens / seconds
        self.time("train", step=step, seconds=seconds, tokens_per_second=speed)
        values = {"train/loss": loss, "train/learning_rate": learning_rate, "train/tokens_per_second": speed}
        self._monitor.scalars(step, values)

    def validation(self, *, step: int, target_tokens: int, result: Validation, weights: Tensor | None) -> None:
        """Write a validation, and the attention (T, S) of its first pair where there is one."""
        self._log.write(event="validation", step=step, target_tokens=target_tokens, **asdict(result))
        self._monitor.validation(step, result)
        if weights is not None:
            self._monitor.picture(step, weights)

    def size(self) -> int:
        """Bytes of `log.jsonl`, on disk."""
        return self._log.size()

    def close(self) -> None:
        """Close all three."""
        for part in (self._log, self._timing, self._monitor):
            part.close()
