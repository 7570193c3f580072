"""Progress display of a run: a line with rate and time left, live in a terminal, now and then elsewhere."""

import os
import sys
import time
from typing import TextIO

PLAIN = "SEQ2SEQ_PLAIN_PROGRESS"
"""Environment variable that asks for plain lines: runs side by side would redraw each other's line."""


def duration(seconds: float) -> str:
    """Write seconds as a person would: 75 -> '1 min 15 s'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, whole = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {whole:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


class Progress:
    """Prints how far a run is.

    Args:
        total: steps of the whole run.
        label: what the line begins with.
        stream: where to print; a terminal gets one line that is redrawn, anything else plain lines.
        interval: seconds between plain lines.
    """

    def __init__(self, *, total: int, label: str, stream: TextIO | None = None, interval: float = 15.0) -> None:
        self.total = total
        self.label = label
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty() and PLAIN not in os.environ
        self.interval = 0.2 if self.live else interval
        self._printed = float("-inf")
        self._began = time.monotonic()
        self._first: int | None = None

    def update(self, step: int, loss: float, tokens_per_second: float) -> None:
        """Show a step, unless one was shown a moment ago; loss in nats a token."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._began = step, now
        if now - self._printed < self.interval and step < self.total:
            return
        self._printed = now
        rate = (step - self._first) / max(now - self._began, 1e-9)
        left = duration((self.total - step) / rate) if rate > 0 else "?"
        text = f"{self.label} step {step}/{self.total}, loss {loss:.3f}, {tokens_per_second:,.0f} target tokens/s, {left} left"
        self._put(f"\r\x1b[K{text}" if self.live else f"{text}\n")

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._put(("\r\x1b[K" if self.live else "") + f"{self.label} {text}\n")

    def _put(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()
