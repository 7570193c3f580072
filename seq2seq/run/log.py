"""Logs of a run: results that repeat bit for bit, times that do not, and TensorBoard's events."""

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seq2seq.run.folder import JsonLines, RunFolder
from seq2seq.run.reading import Reading
from seq2seq.run.validation import Validation


class Journal:
    """`log.jsonl`, `timing.jsonl` and `tensorboard/` of a run.

    `keep` bytes of `log.jsonl` belong to the checkpoint at `step`, from which the run resumes; later events are hidden.
    """

    def __init__(self, folder: RunFolder, *, keep: int, step: int) -> None:
        self._log, self._timing = JsonLines(folder.log, keep=keep), JsonLines(folder.timing)
        self._events = open_events(folder, first_step=step)
        if step == 0:
            config = folder.config.read_text(encoding="utf-8")
            self._events.add_text("config", "".join(f"    {line}\n" for line in config.splitlines()), 0)

    def time(self, event: str, **record: Any) -> None:
        """Write what does not repeat: times, machines, accidents."""
        self._timing.write(event=event, time=time.time(), **record)

    def train(
        self,
        event: Literal["train", "pretrain"],
        *,
        step: int,
        loss: float,
        target_tokens: int,
        learning_rate: float,
        gradient_norm: float,
        seconds: float,
    ) -> None:
        """Write the mean loss (nats a token) since the last line, and the last update's gradient norm before clipping."""
        self._log.write(event=event, step=step, loss=loss, target_tokens=target_tokens, learning_rate=learning_rate)
        speed = target_tokens / seconds
        self.time(event, step=step, seconds=seconds, tokens_per_second=speed)
        values = {"loss": loss, "learning_rate": learning_rate, "gradient_norm": gradient_norm, "tokens_per_second": speed}
        write_scalars(self._events, event, step, values)

    def validation(self, *, step: int, target_tokens: int, result: Validation, attention: Reading) -> None:
        """Write a validation, BLEU by length as one panel, and the attention of its first pair if it has any."""
        self._log.write(event="validation", step=step, target_tokens=target_tokens, **asdict(result))
        values = {"loss": result.loss, "perplexity": result.perplexity, "token_accuracy": result.token_accuracy}
        write_scalars(self._events, "validation", step, values if result.bleu is None else {**values, "bleu": result.bleu})
        by_length = {f"{low:03d}-{high:03d}": bleu for low, high, bleu in result.bleu_by_length}
        write_scalars(self._events, "validation_bleu_by_length", step, by_length)
        if attention.attends:
            picture = _drawn(attention.by_words())
            self._events.add_image("attention/first_validation_pair", picture, step, dataformats="HW")

    def size(self) -> int:
        """Bytes of `log.jsonl`, on disk."""
        return self._log.size()

    def close(self) -> None:
        for part in (self._log, self._timing, self._events):
            part.close()


def _of_a_thread(failed: Any) -> None:
    """Leave a disk's error in TensorBoard's thread to the next call, to which it is handed on; show any other."""
    of_tensorboard = type(failed.thread).__module__.startswith("tensorboard.")
    if not (of_tensorboard and isinstance(failed.exc_value, OSError)):
        threading.__excepthook__(failed)


def open_events(folder: RunFolder, first_step: int | None = None) -> Any:
    """Return TensorBoard's writer; events of an interrupted run from `first_step` on are hidden."""
    from torch.utils.tensorboard import SummaryWriter

    threading.excepthook = _of_a_thread
    return SummaryWriter(str(folder.tensorboard), purge_step=first_step)


def write_scalars(events: Any, group: str, step: int, values: Mapping[str, float]) -> None:
    """Write named values at a step."""
    for name, value in values.items():
        events.add_scalar(f"{group}/{name}", value, step)


def _drawn(reading: Reading) -> NDArray[np.uint8]:
    """(height, width) grey picture: white for a weight of 0, black for 1."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(12)
    above, left = (round(max(map(font.getlength, words))) + 8 for words in (reading.source, reading.target))
    cell, (height, width) = 16, (len(reading.target), len(reading.source))
    grey = (255 * (1 - np.clip(np.asarray(reading.weights), 0, 1))).astype(np.uint8)
    names = Image.new("L", (above, cell * width), 255)  # of the source, turned to read upwards
    canvas = Image.new("L", (left + cell * width, above + cell * height), 255)
    canvas.paste(Image.fromarray(grey).resize((cell * width, cell * height), Image.Resampling.NEAREST), (left, above))
    for words, image, start in ((reading.source, names, 0), (reading.target, canvas, above)):
        for row, word in enumerate(words):
            ImageDraw.Draw(image).text((4, start + cell * row + 1), word, fill=0, font=font)
    canvas.paste(names.transpose(Image.Transpose.ROTATE_90), (left, 0))
    return np.asarray(canvas)
