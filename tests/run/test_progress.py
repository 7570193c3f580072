"""What a person sees: one line that is redrawn in a terminal, plain lines elsewhere."""

import io

import pytest

from seq2seq.run.progress import PLAIN, Progress, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (75, "1 min 15 s"), (3720, "1 h 02 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_terminal_gets_one_line_redrawn(monkeypatch):
    monkeypatch.delenv(PLAIN, raising=False)
    progress = Progress(total=10, label="[a]", stream=Terminal())
    progress.update(10, 1.5, 1234.0)
    assert progress.stream.getvalue() == "\r\x1b[K[a] step 10/10, loss 1.500, 1,234 target tokens/s, ? left"


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_anything_else_and_side_by_side_runs_get_plain_lines(monkeypatch, stream):
    monkeypatch.setenv(PLAIN, "1")
    progress = Progress(total=10, label="[a]", stream=stream())
    progress.update(1, 2.0, 10.0)
    progress.update(2, 2.0, 10.0)
    progress.say("done")
    assert progress.stream.getvalue() == "[a] step 1/10, loss 2.000, 10 target tokens/s, ? left\n[a] done\n"
