"""What a person sees: a table that is redrawn in a terminal, plain lines elsewhere, and lines of JSON between a study and its runs."""

import io
import re

import pytest
from rich.console import Console

from seq2seq.run.progress import EVENTS, Board, Events, Lines, Progress, duration, forward, open_screen


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Kept:
    interval = 0.0

    def __init__(self):
        self.events = []

    def show(self, run, event):
        self.events.append((run, dict(event)))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (75, "1 min 15 s"), (3720, "1 h 02 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_plain_lines_now_and_then():
    stream = io.StringIO()
    progress = Progress(total=10, run="a", screen=Lines(stream))
    progress.update(1, 2.0, 10.0)
    progress.update(2, 2.0, 10.0)
    progress.status("validation", 12.5)
    progress.done("finished")
    assert stream.getvalue().split("\n") == [
        "[a] step 1/10, loss 2.000, 10 target tokens/s, ? left",
        "[a] validation",
        "[a] finished",
        "",
    ]


def test_runs_side_by_side_share_a_line():
    stream = io.StringIO()
    lines = Lines(stream, interval=0.0)
    step = {"total": 4, "loss": 1.0, "rate": 5.0, "left": 61.0}
    lines.show("a", {"step": 1, **step})
    lines.show("b", {"step": 2, **step})
    lines.show("a", {"done": ""})
    lines.show("b", {"step": 3, **step})
    told = [re.findall(r"\[(\w)\] step (\d)", line) for line in stream.getvalue().splitlines()]
    assert told == [[("a", "1")], [("a", "1"), ("b", "2")], [("b", "3")]]
    assert stream.getvalue().count("1 min 01 s left") == 4


def test_a_child_hands_its_events_to_the_study(capsys):
    progress = Progress(total=4, run="a seed 1", screen=Events())
    progress.update(2, 1.5, 1000.0)
    progress.status("validation \N{LATIN SMALL LETTER E WITH ACUTE}", 3.25)
    progress.done("finished")
    written = capsys.readouterr().err.encode() + b"a warning\n{not json\n"
    kept = Kept()
    forward(io.BytesIO(written), "a seed 1", kept)
    assert kept.events == [
        ("a seed 1", {"step": 2, "total": 4, "loss": 1.5, "rate": 1000.0, "left": None}),
        ("a seed 1", {"status": "validation \N{LATIN SMALL LETTER E WITH ACUTE}", "bleu": 3.25}),
        ("a seed 1", {"done": "finished"}),
        ("a seed 1", {"say": "a warning"}),
        ("a seed 1", {"say": "{not json"}),
    ]


def drawn(board):
    console = Console(file=io.StringIO(), width=100)
    console.print(*board.bars.get_renderables())
    return [re.sub(r"\s+", " ", line).strip() for line in console.file.getvalue().splitlines()]


def test_a_terminal_gets_a_bar_a_run_and_a_total():
    console = Console(file=Terminal(), width=100, force_terminal=True, color_system=None)
    board = Board({"none seed 1": 1600, "additive seed 1": 1600, "dot seed 1": 1600}, console)
    with board:
        board.show("none seed 1", {"step": 800, "total": 1600, "loss": 2.1344, "rate": 3412.0, "left": 62.0})
        board.show("none seed 1", {"status": "step 800: validation", "bleu": 12.34})
        board.show("none seed 1", {"step": 801, "total": 1600, "loss": 2.13, "rate": 3412.0, "left": 62.0})
        board.show("additive seed 1", {"status": "learning the vocabulary"})
        total, first, second = drawn(board)
        assert re.fullmatch(r"none seed 1 \S+ 801/1,600 loss 2.130 BLEU 12.3 3,412 tokens/s 1 min 02 s", first)
        assert re.fullmatch(r"additive seed 1 \S+ learning the vocabulary", second)
        assert re.match(r"total \S+ 0/3 runs", total)
        board.show("dot seed 1", {"say": "a line that stays [b]"})
        board.show("none seed 1", {"done": "finished: BLEU 16.8 on test"})
        board.show("additive seed 1", {"done": ""})  # failed
        assert "1/3 runs" in drawn(board)[0]
        assert len(drawn(board)) == 1
    said = console.file.getvalue()
    assert said.count("dot seed 1: a line that stays [b]\n") == 1
    assert said.count("none seed 1: finished: BLEU 16.8 on test\n") == 1


def test_the_screen_fits_where_it_is(monkeypatch):
    for stream, term, asked, kind in (
        (Terminal(), "xterm", None, Board),
        (Terminal(), "dumb", None, Lines),
        (io.StringIO(), "xterm", None, Lines),
        (Terminal(), "xterm", "1", Events),
    ):
        monkeypatch.setattr("sys.stderr", stream)
        monkeypatch.setenv("TERM", term)
        monkeypatch.setenv(EVENTS, asked) if asked else monkeypatch.delenv(EVENTS, raising=False)
        with open_screen({"a": 1}) as screen:
            assert type(screen) is kind
