"""What a large corpus costs: `python -m tests.big_corpus 100000 500000` prepares and trains on so many pairs of the grammar.

One line for each size: processor seconds of preparing it and microseconds a pair, seconds of opening it again from the cache,
megabytes on disk, and the largest resident memory (MiB) after preparing and after training a few steps. Each size is a process of
its own; processor time, unlike the clock, says the same on a busy machine.

`20000x250` prepares 20,000 pairs and trains on files in which their pieces stand 250 times: what training holds in memory for 5
million pairs, without the time it takes to write so many.
"""

import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from seq2seq.config.loading import load_study
from tests.tiny import tiny_study, write_study


def peak():
    """Largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def settings_for(pairs, place):
    """Settings of the run, its study written to `place`."""
    study = tiny_study(
        training={"max_steps": 20, "batch_tokens": 4000, "validate_every": 20}, tokenizer={"vocabulary_size": 2000}
    )
    grammar = {"train_pairs": pairs, "valid_pairs": 200, "test_pairs": 200, "min_words": 8, "max_words": 40}
    study["base"]["data"]["grammar"] = grammar
    return load_study(write_study(place, study)).systems["additive"]


def measure(pairs, times, place):
    """Prepare `pairs` sentence pairs in `place`, then train on them, `times` over; prints a JSON line."""
    from seq2seq.corpus.prepare import prepare
    from seq2seq.run import train as training_run

    settings = settings_for(pairs, place)
    before, began, clock = peak(), time.process_time(), time.perf_counter()
    data = prepare(settings.data, settings.tokenizer, report=lambda text: print(text, file=sys.stderr))
    prepared, after, waited = time.process_time() - began, peak(), time.perf_counter() - clock
    began = time.perf_counter()
    prepare(settings.data, settings.tokenizer, report=lambda text: None)
    opened = time.perf_counter() - began
    if times > 1:
        larger = dataclasses.replace(data, train=repeated(data, times, place))
        training_run.prepare = lambda *_, **__: larger
    training_run.train_run(settings, seed=1, path=place / "additive" / "seed-1", arguments=[])
    found = {
        "pairs": pairs,
        "times": times,
        "prepare_cpu_seconds": round(prepared, 1),
        "prepare_clock_seconds": round(waited, 1),
        "cpu_microseconds_a_pair": round(1e6 * prepared / pairs, 1),
        "open_again_seconds": round(opened, 2),
        "disk_mb": round(sum(file.stat().st_size for file in place.glob("cache/**/*") if file.is_file()) / 1e6),
        "rss_mib_before": round(before),
        "rss_mib_prepared": round(after),
        "rss_mib_trained": round(peak()),
    }
    print(json.dumps(found), flush=True)


def repeated(data, times, place):
    """The training split with the pieces of all its sentences `times` over, in files."""
    from seq2seq.corpus.encoded import EncodedSplit, TokenArrays

    sides = {"source": data.train.source_arrays, "target": data.train.target_arrays}
    for side, arrays in sides.items():
        with (place / f"{side}.tokens").open("wb") as file:
            for _ in range(times):
                arrays.tokens.tofile(file)
        starts = np.arange(times, dtype=np.int64)[:, None] * len(arrays.tokens) + arrays.offsets[:-1]
        np.save(place / f"{side}.offsets.npy", np.append(starts, times * len(arrays.tokens)))
    vocabulary = data.source_tokenizer.vocabulary_size
    rows = np.tile(np.arange(len(data.train)), times)
    return EncodedSplit(*(TokenArrays.open(place, side, vocabulary) for side in sides), data.train._texts, rows=rows)


def main(sizes):
    """Measure each size in a process of its own."""
    for size in sizes:
        with tempfile.TemporaryDirectory() as place:
            environment = {**os.environ, "SEQ2SEQ_CACHE": f"{place}/cache"}
            subprocess.run([sys.executable, "-m", "tests.big_corpus", "--in", place, size], check=True, env=environment)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in"]:
        size, _, times = sys.argv[3].partition("x")
        measure(int(size), int(times or 1), Path(sys.argv[2]))
    else:
        main(sys.argv[1:] or ["100000", "500000"])
