"""Logs of a run: results that repeat bit for bit, times that do not, and TensorBoard's events."""

import time
from dataclasses import asdict
from typing import Any

from seq2seq.run.folder import JsonLines, RunFolder
from seq2seq.run.reading import Reading
from seq2seq.run.tensorboard import Monitor
from seq2seq.run.validation import Validation


class Journal:
    """`log.jsonl`, `timing.jsonl` and `tensorboard/` of a run.

    `keep` bytes of `log.jsonl` belong to the checkpoint at `step`, from which the run resumes.
    """

    def __init__(self, folder: RunFolder, *, keep: int, step: int) -> None:
        self._log = JsonLines(folder.log, keep=keep)
        self._timing = JsonLines(folder.timing)
        self._monitor = Monitor(folder.tensorboard, first_step=step)
        if step == 0:
            self._monitor.text("config", folder.config.read_text(encoding="utf-8"))

    def time(self, event: str, **record: Any) -> None:
        """Write what does not repeat: times, machines, accidents."""
        self._timing.write(event=event, time=time.time(), **record)

    def train(
        self, *, step: int, loss: float, target_tokens: int, learning_rate: float, gradient_norm: float, seconds: float
    ) -> None:
        """Write the mean loss (nats a token) since the last line, and the last update's gradient norm before clipping."""
        self._log.write(event="train", step=step, loss=loss, target_tokens=target_tokens, learning_rate=learning_rate)
        speed = target_tokens / seconds
        self.time("train", step=step, seconds=seconds, tokens_per_second=speed)
        values = {"loss": loss, "learning_rate": learning_rate, "gradient_norm": gradient_norm, "tokens_per_second": speed}
        self._monitor.scalars(step, {f"train/{name}": value for name, value in values.items()})

    def validation(self, *, step: int, target_tokens: int, result: Validation, attention: Reading | None) -> None:
        """Write a validation, and the attention of its first pair where there is one."""
        self._log.write(event="validation", step=step, target_tokens=target_tokens, **asdict(result))
        self._monitor.validation(step, result)
        if attention is not None and attention.attends:
            self._monitor.picture(step, attention)

    def size(self) -> int:
        """Bytes of `log.jsonl`, on disk."""
        return self._log.size()

    def close(self) -> None:
        """Close all three."""
        for part in (self._log, self._timing, self._monitor):
            part.close()
