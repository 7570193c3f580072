"""Standard streams that are closed, full or of another encoding, seen from real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAIN = (
    "import sys, seq2seq.cli as c\n@c.app.command()\ndef say():\n    print('K\\u00f6nig', 0); print('warn', file=sys.stderr)\n"
)
MAIN += "sys.exit(c.main(['say']))"


def run(tail, **environment):
    command = f'"{sys.executable}" -c "$MAIN" {tail}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MAIN": MAIN, **environment}
    return subprocess.run(["sh", "-c", command], env=environment, capture_output=True, check=False)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_output_is_utf_8_whatever_the_locale(encoding):
    assert run("", PYTHONIOENCODING=encoding).stdout == "König 0\n".encode()


@pytest.mark.parametrize(
    ("tail", "status", "error"),
    [
        (">/dev/full", 1, b"error: standard output: No space left on device\n"),
        (">&-", 0, b""),
        ("2>/dev/full", 0, b""),
        ("2>&-", 0, b""),
        ("<&- >/dev/null", 0, b""),
    ],
)
def test_a_stream_that_fails_is_one_line_or_none(tail, status, error):
    found = run(tail)
    assert found.returncode == status, found.stderr
    assert found.stderr.removeprefix(b"warn\n") == error


def test_a_reader_that_goes_away_is_no_news():
    found = run("| true; exit 0")
    assert found.stderr in (b"", b"warn\n")


def test_a_closed_number_is_not_given_to_a_file(tmp_path):
    """Else what a library prints would land in the middle of it."""
    code = "import os, seq2seq.run.streams as s\nwith s.checked_streams():\n    f = open('f', 'wb')\n    os.write(2, b'noise')\n    f.close()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CODE": code}
    subprocess.run(["sh", "-c", f'"{sys.executable}" -c "$CODE" 2>&-'], env=environment, cwd=tmp_path, check=True)
    assert (tmp_path / "f").read_bytes() == b""
