"""Seconds from the command to the end of the first step, on a cached corpus: `python -m benchmarks.start_cell`.

`train.py` runs unchanged in a process of its own and is watched from outside: the first line that tells of a step ends the
measurement. It runs twice, since the first run may still have to fill the cache.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.cells import ROOT
from benchmarks.systems import study


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", default="multi30k")
    parser.add_argument("--model", default="A1")
    arguments = parser.parse_args()
    settings = study(arguments.model, corpus=arguments.corpus, precision="auto", steps=2)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        file = Path(folder) / "speed.yaml"
        file.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        for attempt in ("first", "second"):
            figures = time_start([str(ROOT / "train.py"), str(file), "--out", str(Path(folder) / attempt)])
    sys.stdout.write(json.dumps(figures) + "\n")


def time_start(command: list[str]) -> dict[str, Any]:
    """Start a training command, and kill it after its first step.

    Raises:
        RuntimeError: it ended before.
    """
    used = _children()
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert child.stderr is not None
    said = []
    with child, child.stderr:
        for line in child.stderr:
            said.append(line.strip())
            if "step 1/" in line:
                seconds = time.perf_counter() - began
                child.kill()
                break
        else:
            raise RuntimeError(f"ended before its first step: {' / '.join(said[-3:])}")
    return {"first_step_seconds": seconds, "processor_seconds": _children() - used, "load": os.getloadavg()[0]}


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
