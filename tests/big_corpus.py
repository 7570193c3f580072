"""What a large corpus costs: `python -m tests.big_corpus 100000 500000` prepares and trains on so many pairs of the grammar.

One line for each size: seconds and microseconds a pair of preparing it, seconds of opening it again from the cache, megabytes
on disk, and the largest resident memory (MiB) after preparing and after training a few steps. Each size is a process of its own.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from seq2seq.config.loading import load_study
from tests.tiny import tiny_study, write_study


def peak():
    """Largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(pairs, place):
    """Prepare `pairs` sentence pairs in `place`, then train; prints a JSON line."""
    from seq2seq.corpus.prepare import prepare
    from seq2seq.training_run import train_run

    study = tiny_study(
        training={"max_steps": 20, "batch_tokens": 4000, "validate_every": 20}, tokenizer={"vocabulary_size": 2000}
    )
    grammar = {"train_pairs": pairs, "valid_pairs": 200, "test_pairs": 200, "min_words": 8, "max_words": 40}
    study["base"]["data"]["grammar"] = grammar
    settings = load_study(write_study(place, study)).systems["additive"]
    before, began = peak(), time.perf_counter()
    prepare(settings.data, settings.tokenizer, report=lambda text: print(text, file=sys.stderr))
    prepared, after = time.perf_counter() - began, peak()
    began = time.perf_counter()
    prepare(settings.data, settings.tokenizer, report=lambda text: None)
    opened = time.perf_counter() - began
    train_run(settings, seed=1, path=place / "additive" / "seed-1", arguments=[])
    found = {
        "pairs": pairs,
        "prepare_seconds": round(prepared, 1),
        "microseconds_a_pair": round(1e6 * prepared / pairs, 1),
        "open_again_seconds": round(opened, 2),
        "disk_mb": round(sum(file.stat().st_size for file in place.glob("cache/**/*") if file.is_file()) / 1e6),
        "rss_mib_before": round(before),
        "rss_mib_prepared": round(after),
        "rss_mib_trained": round(peak()),
    }
    print(json.dumps(found), flush=True)


def main(sizes):
    """Measure each size in a process of its own."""
    for size in sizes:
        with tempfile.TemporaryDirectory() as place:
            environment = {**os.environ, "SEQ2SEQ_CACHE": f"{place}/cache"}
            subprocess.run([sys.executable, "-m", "tests.big_corpus", "--in", place, size], check=True, env=environment)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in"]:
        measure(int(sys.argv[3]), Path(sys.argv[2]))
    else:
        main(sys.argv[1:] or ["100000", "500000"])
