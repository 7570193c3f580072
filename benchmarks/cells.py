"""One measurement: a command in a process of its own, under a time limit, whose last line is JSON."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BEGAN = "BENCHMARK_BEGAN"
"""Environment variable: when the command was started, seconds since the epoch, so that start-up of Python counts."""
KEEPS_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1", "MALLOC_TOP_PAD_": "134217728"}
"""Keeps freed memory, as this project does by itself; given to others as well, since it helps them as much."""
OURS, PLAIN = "this project", "plain torch"

_TOLD = 300
"""Characters of somebody else's complaint that are kept."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One measurement, and under which names its figures stand."""

    kind: str
    """train, decode, start, products ..., a table each."""
    command: tuple[str, ...]
    """Module and arguments, after `python -m`."""
    model: str = ""
    who: str = OURS
    precision: str = "fp32"
    keeps_memory: bool = False
    """Whether the environment tells the allocator to keep freed memory."""
    python: str = sys.executable
    limit: float = 240.0
    """Seconds after which it has failed."""

    @property
    def name(self) -> str:
        """For people."""
        parts = [self.who, self.precision, "keeps memory" if self.keeps_memory else ""]
        return " ".join(filter(None, [self.kind, self.model, ", ".join(filter(None, parts))]))

    @property
    def is_peer(self) -> bool:
        """Whether somebody else's program is measured."""
        return self.who not in (OURS, PLAIN)


@dataclass
class Row:
    """A cell and what its rounds found."""

    cell: Cell
    runs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def good(self) -> list[dict[str, Any]]:
        """Runs that did not fail."""
        return [run for run in self.runs if "failed" not in run]

    @property
    def failure(self) -> str | None:
        """Why there is no figure at all."""
        return None if self.good or not self.runs else str(self.runs[-1]["failed"])

    def middle(self, name: str) -> float | None:
        """Median over rounds; None where there is no figure of that name."""
        values = [run[name] for run in self.good if name in run]
        return statistics.median(values) if values else None


def run_cell(cell: Cell, threads: int, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a cell; what goes wrong becomes `{"failed": why}`."""
    settings = {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **(KEEPS_MEMORY if cell.keeps_memory else {}),
        **(environment or {}),
    }
    child = subprocess.Popen(
        [cell.python, "-m", *cell.command],
        env={**os.environ, **settings, BEGAN: repr(time.time())},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        output, complaints = child.communicate(timeout=cell.limit)
    except subprocess.TimeoutExpired:
        _end(child)
        return {"failed": f"no result in {cell.limit:.0f} s"}
    except BaseException:
        _end(child)
        raise
    if child.returncode:
        return {"failed": f"status {child.returncode}: {(_last_line(complaints) or _last_line(output))[:_TOLD]}"}
    try:
        figures: dict[str, Any] = json.loads(_last_line(output))
    except ValueError:
        return {"failed": f"no figures; {_last_line(complaints)[:_TOLD]}"}
    return figures | {"load": os.getloadavg()[0]}


def _end(child: subprocess.Popen[str]) -> None:
    """Kill a cell with all that it has started: it leads a session of its own."""
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
