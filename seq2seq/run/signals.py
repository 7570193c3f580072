"""Signals that end a command: Ctrl-C, a closed terminal, a machine that shuts down; one that is ignored (nohup) stays so."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from traceback import walk_stack

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Signal `number` ended the command; what it had is saved. Not a KeyboardInterrupt, whose number typer would take away."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def on_signals(handle: Callable[[int], None]) -> Iterator[None]:
    """Call `handle` with the number of each signal that would end the process, in the main thread, until the block ends."""
    heeded = [number for number in ENDING if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, lambda number, _frame: handle(number)) for number in heeded}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def end_with_parent() -> None:
    """Get SIGTERM when the process at the other end of standard input is gone, by kill -9 too; it must write nothing there."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=wait, daemon=True).start()


def interrupt(number: int) -> None:
    """Raise `Interrupted`: the handler for a command that has nothing to save.

    While a module is imported the process ends at once: libraries catch what is raised there and go on, or fail later.
    """
    if any(frame.f_code.co_filename == "<frozen importlib._bootstrap>" for frame, _ in walk_stack(sys._getframe())):
        os._exit(128 + number)
    raise Interrupted(number)
