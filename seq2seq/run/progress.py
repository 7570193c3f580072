"""Progress display of runs: a table of bars in a terminal, now and then a line elsewhere.

A run reports what happens to a `Screen`. In a run that is the child of a study, the screen writes each event as a line of JSON
(`Events`), and the study shows the events of all its runs on one screen (`Board` or `Lines`).
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from typing import IO, Any, Protocol, TextIO

EVENTS = "SEQ2SEQ_PROGRESS_EVENTS"
"""Environment variable that asks a run for lines of JSON."""
_MARK = '{"seq2seq": '

Event = Mapping[str, Any]
"""`step, total, loss, rate, left` of an update; `status`, of interest for now, with a new `bleu` if there is one; `say`,
to stay in sight; `done`, the run has ended, without a text if it said why itself."""


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


class Screen(Protocol):
    """Shows events of runs; `interval` is the seconds between updates that are worth telling it."""

    interval: float

    def show(self, run: str, event: Event) -> None:
        """Show an event of a run, named as `additive seed 1`; an empty name is the study itself."""


class Lines:
    """Plain lines; where several runs are made at once their updates share a line.

    Args:
        stream: None for standard error.
        interval: seconds between lines of updates.
    """

    def __init__(self, stream: TextIO | None = None, interval: float = 15.0) -> None:
        self.stream = stream
        self.interval = interval
        self._lock = RLock()
        self._steps: dict[str, str] = {}
        self._printed = float("-inf")

    def show(self, run: str, event: Event) -> None:
        """Print an event, unless it is an update and one was printed a moment ago."""
        with self._lock:
            self._show(f"[{run}] " if run else "", run, event)

    def _show(self, label: str, run: str, event: Event) -> None:
        if "step" not in event:
            text = next(event[kind] for kind in ("status", "say", "done") if kind in event)
            if "done" in event:
                self._steps.pop(run, None)
            if text:
                self._put(f"{label}{text}")
            return
        loss, rate, left = f"loss {event['loss']:.3f}", f"{event['rate']:,.0f} target tokens/s", _left(event["left"])
        self._steps[run] = f"{label}step {event['step']}/{event['total']}, {loss}, {rate}, {left} left"
        if time.monotonic() - self._printed >= self.interval:
            self._printed = time.monotonic()
            self._put("  ".join(self._steps.values()))

    def _put(self, text: str) -> None:
        stream = self.stream or sys.stderr
        stream.write(f"{text}\n")
        stream.flush()


class Events:
    """Lines of JSON on standard error, for the study whose child this process is."""

    interval = 0.5

    def show(self, run: str, event: Event) -> None:
        """Print an event; one write a line, so that lines of threads do not mix."""
        sys.stderr.write(f"{_MARK}{json.dumps(run)}, {json.dumps(event)[1:]}\n")
        sys.stderr.flush()


def forward(stream: IO[bytes], run: str, screen: Screen) -> None:
    """Show what a child process writes until it ends: its events, and anything else as it stands."""
    for raw in stream:
        line = raw.decode("utf-8", "replace").rstrip()
        try:
            event = json.loads(line) if line.startswith(_MARK) else {"say": line}
        except ValueError:
            event = {"say": line}
        screen.show(event.pop("seq2seq", run), event)


class Board:
    """A table in the terminal that is drawn again at every event: a row for each run that is going on, and a total.

    Args:
        totals: updates of each run that is to be made.
        console: of rich; None for standard error.
    """

    interval = 0.2

    def __init__(self, totals: Mapping[str, int], console: Any = None) -> None:
        from rich.console import Console
        from rich.live import Live

        self._lock = RLock()
        self._totals = dict(totals)
        self._steps = dict.fromkeys(totals, 0)
        self._rows: dict[str, dict[str, Any]] = {}
        self._finished = 0
        self._first: tuple[float, int] | None = None
        self._drawn = 0.0
        self._console = console or Console(stderr=True, highlight=False)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            get_renderable=self.table,
            redirect_stdout=bool(sys.stdout and sys.stdout.isatty()),
        )

    def __enter__(self) -> "Board":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, run: str, event: Event) -> None:
        """Take an event and draw; what is done, or said to stay, is printed above the table."""
        with self._lock:
            self._show(run, event)

    def _show(self, run: str, event: Event) -> None:
        from rich.text import Text

        text = event.get("say") or event.get("done")
        if "done" in event:
            self._rows.pop(run, None)
            self._finished += run in self._totals and bool(text)
            self._steps[run] = self._totals.get(run, 0)
        elif "say" not in event:
            self._rows[run] = {**self._rows.get(run, {}), **event}
        if "step" in event:
            self._steps[run] = event["step"]
            self._first = self._first or (time.monotonic(), sum(self._steps.values()))
        if text:
            self._console.print(Text(f"{run}: {text}" if run else text), soft_wrap=True)
        if "step" not in event or time.monotonic() - self._drawn >= self.interval:
            self._drawn = time.monotonic()
            self._live.refresh()

    def table(self) -> Any:
        """Return what stands in the terminal now."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
        table.add_column("run", min_width=max(map(len, [*self._totals, "total"])), no_wrap=True)
        table.add_column("", min_width=8, max_width=24)  # the only one that gives way where the terminal is narrow
        for head, width in (("step", 11), ("loss", 6), ("BLEU", 4), ("tokens/s", 8), ("left", 11)):
            table.add_column(head, justify="right", min_width=width, no_wrap=True)
        for run, row in self._rows.items():
            bar = (
                ProgressBar(total=row["total"], completed=row["step"])
                if "step" in row
                else Text(str(row["status"]), style="dim", no_wrap=True, overflow="ellipsis")
            )
            table.add_row(
                Text(run),
                bar,
                f"{row['step']:,}/{row['total']:,}" if "step" in row else "",
                f"{row['loss']:.3f}" if "loss" in row else "",
                f"{row['bleu']:.1f}" if row.get("bleu") is not None else "",
                f"{row['rate']:,.0f}" if "rate" in row else "",
                _left(row["left"]) if "left" in row else "",
            )
        if len(self._totals) > 1:
            done, total = sum(self._steps.values()), sum(self._totals.values())
            whole = ProgressBar(total=max(total, 1), completed=done)
            table.add_row("total", whole, f"{self._finished}/{len(self._totals)} runs", "", "", "", _left(self._whole_left()))
        return table

    def _whole_left(self) -> float | None:
        """Seconds that the updates of all runs will take at the pace so far."""
        if self._first is None:
            return None
        began, before = self._first
        made, total = sum(self._steps.values()), sum(self._totals.values())
        return (total - made) * (time.monotonic() - began) / (made - before) if made > before else None


def _left(seconds: float | None) -> str:
    return "?" if seconds is None else duration(seconds)


@contextmanager
def open_screen(totals: Mapping[str, int]) -> Iterator[Screen]:
    """Give the screen for runs of so many updates: events where a study asks for them, a board in a terminal, else lines."""
    if EVENTS in os.environ:
        yield Events()
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with Board(totals) as board:
            yield board
    else:
        yield Lines()


class Progress:
    """Tells a screen how far a run is.

    Args:
        total: updates of the whole run.
        run: its name, as `additive seed 1`.
        screen: where to; None for nowhere, as in a process that is not the first of its run.
    """

    def __init__(self, *, total: int, run: str, screen: Screen | None) -> None:
        self.total = total
        self.run = run
        self.screen = screen
        self._told = float("-inf")
        self._first: tuple[float, int] | None = None

    def update(self, step: int, loss: float, tokens_per_second: float) -> None:
        """Tell of an update, unless one was told a moment ago; loss in nats a token."""
        now = time.monotonic()
        began, first = self._first = self._first or (now, step)
        if self.screen is None or now - self._told < self.screen.interval:
            return
        self._told = now
        left = (self.total - step) * (now - began) / (step - first) if step > first else None
        self.screen.show(self.run, {"step": step, "total": self.total, "loss": loss, "rate": tokens_per_second, "left": left})

    def status(self, text: str, bleu: float | None = None) -> None:
        """Tell what is going on; `bleu` is the latest score on the validation set, in points."""
        self._show({"status": text} if bleu is None else {"status": text, "bleu": bleu})

    def say(self, text: str) -> None:
        """Tell what a person should not miss."""
        self._show({"say": text})

    def done(self, text: str) -> None:
        """Tell that the run has ended."""
        self._show({"done": text})

    def _show(self, event: Event) -> None:
        if self.screen is not None:
            self.screen.show(self.run, event)
