"""Measure everything in one sitting, rounds interleaved, and store it after each round: `python -m benchmarks`."""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.cells import ROOT, Cell, Row, run_cell
from benchmarks.plan import plan, preparations, with_memory
from benchmarks.report import report
from benchmarks.systems import VOCABULARIES

_NAMES = ("kind", "model", "who", "precision", "keeps_memory")
"""What a stored figure says of its cell; commands have paths of this machine in them."""


def main() -> int:
    """Measure, print, store; returns 130 when interrupted, with what there is stored."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the cell that runs is ended too
    try:
        run(arguments)
    except KeyboardInterrupt:
        return 130
    return 0


def run(arguments: argparse.Namespace) -> None:
    """Find the corpus, make what peers need, then measure."""
    if hasattr(os, "sched_setaffinity"):  # the last cores, which interrupts and other people's work meet less often
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-arguments.threads :])
    arguments.corpus = find_corpus(arguments.corpus)
    with ExitStack() as held:
        work = arguments.work or Path(held.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        work = work.absolute()
        cells = plan(arguments, work)
        if arguments.list:
            print("\n".join(cell.name for cell in cells))
            return
        if arguments.peers:
            write_pieces(arguments, work)
            for cell in preparations(cells, arguments, work):
                _say(cell, run_cell(cell, arguments.threads))
        ceiling = run_cell(Cell(kind="products", command=("benchmarks.products",)), arguments.threads)
        measure([Row(cell) for cell in cells], ceiling, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--threads", type=int, default=1, help="of every cell, each on a core of its own")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10, help="measured steps of a training run")
    parser.add_argument(
        "--corpus", default="multi30k", choices=sorted(VOCABULARIES), help="the embedded one where it is not found"
    )
    parser.add_argument("--only", default="", metavar="REGEX", help="cells whose name it is found in, such as 'decode A2'")
    parser.add_argument("--list", action="store_true", help="print the names of the cells and measure nothing")
    parser.add_argument("--peers", type=Path, metavar="DIR", help="folder with an environment for each other program (README)")
    parser.add_argument("--scaling", action="store_true", help="also 10 k to 1 M pairs, and attention memory by length")
    parser.add_argument("--limit", type=float, default=240, help="seconds after which a cell has failed")
    parser.add_argument("--work", type=Path, metavar="DIR", help="scratch that is kept; default a temporary folder")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", metavar="DIR", help="where tables go")
    return parser


def find_corpus(name: str) -> str:
    """Fill the cache; returns the embedded corpus, and says so, where the one asked for cannot be had."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.corpus", name], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if not done.returncode:
        return name
    why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    if name == "grammar" or done.returncode != 2:
        raise SystemExit(f"corpus {name} cannot be prepared: {why}")
    print(f"corpus grammar in place of {name}, so figures differ from published ones: {why}", file=sys.stderr)
    return find_corpus("grammar")


def write_pieces(arguments: argparse.Namespace, work: Path) -> None:
    """Write the training sentences as pieces, for peers."""
    command = [sys.executable, "-m", "benchmarks.corpus", arguments.corpus, str(work / "pieces")]
    subprocess.run(command, cwd=ROOT, check=True)


def measure(rows: list[Row], ceiling: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Run every cell once a round; after the first, the best peers are joined by themselves with another allocator."""
    for number in range(arguments.rounds):
        for row in rows:
            row.runs.append(run_cell(row.cell, arguments.threads))
            _say(row.cell, row.runs[-1])
        if number == 0:
            extra = [Row(cell) for cell in with_memory(rows)]
            for row in extra:
                row.runs.append(run_cell(row.cell, arguments.threads))
                _say(row.cell, row.runs[-1])
            rows += extra
        store(rows, ceiling, arguments)
    print((arguments.out / f"{date.today():%Y-%m-%d}.md").read_text(encoding="utf-8"))


def store(rows: Sequence[Row], ceiling: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Write figures and tables; a later call of the same day replaces them."""
    machine = describe_machine(arguments.threads) | {"corpus": arguments.corpus}
    text = report(machine, ceiling, rows, VOCABULARIES[arguments.corpus])
    found = [{**{name: getattr(row.cell, name) for name in _NAMES}, "runs": row.runs} for row in rows]
    arguments.out.mkdir(parents=True, exist_ok=True)
    place = arguments.out / f"{date.today():%Y-%m-%d}"
    result = {"machine": machine, "products": ceiling, "cells": found}
    place.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    place.with_suffix(".md").write_text(text + "\n", encoding="utf-8")


def _say(cell: Cell, figures: dict[str, Any]) -> None:
    rate = figures.get("tokens_per_second") or figures.get("sentences_per_second")
    found = figures.get("failed") or (f"{rate:,.0f}/s" if rate else "done")
    print(f"{cell.name}: {found}", file=sys.stderr, flush=True)


def describe_machine(threads: int) -> dict[str, Any]:
    """What the figures were measured on."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    return {"processor": processor, "cores": os.cpu_count(), "threads": threads, "torch": version("torch")}


if __name__ == "__main__":
    sys.exit(main())
