"""Cost a token and memory by size of the corpus: `python -m benchmarks.scaling_cell 100000`, on the embedded grammar.

The corpus is made first, in a process of its own, so that what is measured is training from the cache, as it is every time
but the first.
"""

import argparse
import subprocess
import sys
from typing import Any

from benchmarks.cells import ROOT
from benchmarks.memory import own_memory
from benchmarks.stamps import leave
from benchmarks.systems import study
from benchmarks.train_cell import train_own


def scaled_study(pairs: int, steps: int) -> dict[str, Any]:
    """A1 on so many pairs of the embedded corpus."""
    settings = study("A1", corpus="grammar", precision="auto", steps=steps)
    settings["base"]["data"]["grammar"] = {"train_pairs": pairs}
    return settings


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pairs", type=int)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--fill", action="store_true", help="make the corpus and nothing else")
    arguments = parser.parse_args()
    settings = scaled_study(arguments.pairs, arguments.steps + 4)
    if arguments.fill:
        fill(settings)
        return
    command = [sys.executable, "-m", "benchmarks.scaling_cell", str(arguments.pairs), "--fill"]
    subprocess.run(command, cwd=ROOT, check=True)

    def done(figures: dict[str, Any]) -> None:
        leave(figures | {"own_memory_mib": own_memory() // 2**20})

    train_own(settings, warm=3, steps=arguments.steps, done=done)


def fill(settings: dict[str, Any]) -> None:
    """Put the corpus of a study into the cache."""
    from seq2seq.config.data import DataSettings, TokenizerSettings
    from seq2seq.corpus.prepare import prepare

    base = settings["base"]
    data, tokenizer = DataSettings.model_validate(base["data"]), TokenizerSettings.model_validate(base["tokenizer"])
    prepare(data, tokenizer, report=lambda _: None)


if __name__ == "__main__":
    main()
