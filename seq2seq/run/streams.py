"""Standard streams that may be closed, full, or of another encoding than UTF-8."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from typing import Any, TextIO, cast

from seq2seq.config.errors import RunError


class _Stream:
    """A text stream whose failures to write mean what they should; everything else is the stream's own."""

    def __init__(self, stream: TextIO, on_failure: Callable[[TextIO, OSError], TextIO]) -> None:
        self._stream, self._on_failure = stream, on_failure

    def __getattr__(self, name: str) -> Any:
        return partial(self._try, name) if name in ("write", "writelines", "flush") else getattr(self._stream, name)

    def _try(self, method: str, *arguments: Any) -> Any:
        try:
            return getattr(self._stream, method)(*arguments)
        except OSError as error:
            self._stream = self._on_failure(self._stream, error)
            return None


def _give_up(stream: TextIO, error: OSError) -> TextIO:
    """Standard output: what cannot be written is an error; a reader that has gone away (`| head`) is none to tell."""
    _discard(stream)
    raise RunError("" if isinstance(error, BrokenPipeError) else f"standard output: {error.strerror}") from error


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 (it lives as long as the command)


def _discard(stream: TextIO) -> None:
    """Send what is still in the stream's buffer nowhere, or Python complains of it when it ends."""
    try:
        number = stream.fileno()
    except OSError:  # not a file: a stream of a test or of a notebook
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


@contextmanager
def checked_streams() -> Iterator[None]:
    """Make the standard streams safe to use while a command runs: UTF-8 out, failures as one line.

    A closed stream stays None in `sys` (standard error becomes one that says nothing), but /dev/null takes its number: else the
    next file that is opened would get it, and with it whatever a library prints. A `RunError` if standard output cannot be
    written; without text where its reader has gone away.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    with ExitStack() as held:
        silent = _Stream(sys.stderr or _nowhere(), lambda _stream, _error: _nowhere())  # no message ends a training
        held.enter_context(redirect_stderr(cast(TextIO, silent)))
        if sys.stdout is not None:
            if hasattr(sys.stdout, "reconfigure"):
                sys.stdout.reconfigure(encoding="utf-8")
            held.enter_context(redirect_stdout(cast(TextIO, _Stream(sys.stdout, _give_up))))
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
