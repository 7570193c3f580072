"""Progress display of runs: bars in a terminal, now and then a line elsewhere.

A run reports to a `Screen`; that of a study's child writes lines of JSON (`Events`), which the study shows on its own one.
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
    """Plain lines, of updates one each `interval` seconds; runs made at once share it. `stream` None is standard error."""

    def __init__(self, stream: TextIO | None = None, interval: float = 15.0) -> None:
        self.stream = stream
        self.interval = interval
        self._lock = RLock()
        self._steps: dict[str, str] = {}
        self._printed = float("-inf")

    def show(self, run: str, event: Event) -> None:
        """Print an event, unless it is an update and one was printed a moment ago."""
        label, text = f"[{run}] " if run else "", ""
        with self._lock:
            if "step" in event:
                loss, rate, left = f"loss {event['loss']:.3f}", f"{event['rate']:,.0f} target tokens/s", _left(event["left"])
                self._steps[run] = f"{label}step {event['step']}/{event['total']}, {loss}, {rate}, {left} left"
                if time.monotonic() - self._printed >= self.interval:
                    self._printed = time.monotonic()
                    text = "  ".join(self._steps.values())
            elif told := next(event[kind] for kind in ("status", "say", "done") if kind in event):
                text = f"{label}{told}"
            if "done" in event:
                self._steps.pop(run, None)
            if text:
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


_CELLS = {"step": "{step:,}/{total:,}", "loss": "loss {loss:.3f}", "bleu": "BLEU {bleu:.1f}", "rate": "{rate:,.0f} tokens/s"}


def _cells(row: Event) -> dict[str, Any]:
    cells = {name: form.format(**row) if row.get(name) is not None else "" for name, form in _CELLS.items()}
    left = _left(row["left"]) if "left" in row else ""
    return {**cells, "text": left if "step" in row else " ".join(filter(None, [row.get("status"), left]))}


class Board:
    """Bars in the terminal: one for all runs together, of so many updates each, and one for each that is going on."""

    interval = 0.2

    def __init__(self, totals: Mapping[str, int], console: Any = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bars

        self._lock = RLock()
        self._totals, self._steps = dict(totals), dict.fromkeys(totals, 0)
        self._rows: dict[str, dict[str, Any]] = {}
        self._finished = 0
        cells = [TextColumn(f"{{task.fields[{name}]}}", "dim", "right", markup=False) for name in (*_CELLS, "text")]
        self._console = console or Console(stderr=True, highlight=False)
        self.bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(8),
            *cells,
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=bool(sys.stdout and sys.stdout.isatty()),
        )
        self._all = self.bars.add_task("total", total=sum(totals.values()), visible=len(totals) > 1, **_cells({}))
        self._ids: dict[str, Any] = {}

    def __enter__(self) -> "Board":
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def show(self, run: str, event: Event) -> None:
        """Take an event and draw; what is done, or said to stay, is printed above the bars."""
        text = event.get("say") or event.get("done")
        with self._lock:
            if text:
                self._console.print(f"{run}: {text}" if run else text, markup=False, soft_wrap=True)
            if "done" in event:
                self._end(run, bool(text))
            elif "say" not in event:
                self._update(run, event)
            left = self.bars.tasks[0].time_remaining
            told = {"status": f"{self._finished}/{len(self._totals)} runs", "left": left}
            self.bars.update(self._all, completed=sum(self._steps.values()), **_cells(told))
            self.bars.refresh()

    def _update(self, run: str, event: Event) -> None:
        row = self._rows.setdefault(run, {})
        row.update(event)
        self._steps[run] = row.get("step", 0)
        if run not in self._ids:
            self._ids[run] = self.bars.add_task(run, total=None, **_cells(row))
        self.bars.update(self._ids[run], total=row.get("total"), completed=row.get("step"), **_cells(row))

    def _end(self, run: str, well: bool) -> None:
        self._finished += run in self._totals and well
        self._steps[run] = self._totals.get(run, 0)
        if self._rows.pop(run, None) is not None:
            self.bars.remove_task(self._ids.pop(run))


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
    """Tells a screen how far a run, `additive seed 1`, of `total` updates is; None for nowhere, as in a further process."""

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
        self._show({"done": text})

    def _show(self, event: Event) -> None:
        if self.screen is not None:
            self.screen.show(self.run, event)
