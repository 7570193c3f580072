"""What an adapter is given, and what it may use to look into a peer. Imports nothing that a peer may lack."""

import functools
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Saw = Callable[[Any, Any], None]
"""Told of each training batch: masks (B, S) and (B, T), True at real tokens."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One thing to do in a peer's environment."""

    peer: str
    model: str
    """A1 or A2, as in `benchmarks/systems.py`."""
    pieces: Path
    """Folder of `benchmarks.corpus`."""
    work: Path
    """Where the peer may write."""
    threads: int
    batch_tokens: int = 4096
    """By the trainer's own rule."""
    updates: int = 10**6
    """After so many training ends by itself; when measured, it is ended before."""
    beam: int = 5
    batch: int = 64
    length: int = 16
    """Pieces of every translation, so that the work does not depend on what a model happens to say."""

    @property
    def place(self) -> Path:
        """Where this peer keeps this model."""
        return self.work / f"{self.peer}-{self.model}"

    def write_config(self, settings: dict[str, Any]) -> Path:
        """Write a configuration file; JSON is YAML."""
        path = self.place.with_suffix(".json")
        path.write_text(json.dumps(settings, indent=1), encoding="utf-8")
        return path


def call_before(owner: Any, name: str, look: Callable[..., None]) -> None:
    """Let `look` see the arguments of every call of a method."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def seen(*arguments: Any, **named: Any) -> Any:
        look(*arguments, **named)
        return original(*arguments, **named)

    setattr(owner, name, seen)


class Clock:
    """Adds up the seconds spent in one method of a class."""

    def __init__(self, owner: Any, name: str) -> None:
        self.seconds = 0.0
        original = getattr(owner, name)

        @functools.wraps(original)
        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return original(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - began

        setattr(owner, name, timed)


def run_command(main: Callable[[], Any], name: str, *arguments: object) -> None:
    """Call a peer's own entry point with its own command line, exceptions of argument parsers included."""
    sys.argv = [name, *map(str, arguments)]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise


def lengths(path: Path) -> list[int]:
    """Pieces of each line."""
    return [len(line.split()) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
