"""Run one job of one peer, in the peer's environment: `PEER/bin/python -m benchmarks.peers.launch onmt train A1 ...`.

The peer's own trainer runs unchanged; steps are stamped by a hook behind torch's optimisers, tokens are counted where the
model is called. The last line printed is JSON.
"""

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

from benchmarks.peers.job import Job

SAVED_AFTER = 4
"""Updates of a model that is only there to decode with."""


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("peer")
    parser.add_argument("task", choices=["prepare", "train", "decode"])
    parser.add_argument("model", choices=["A1", "A2"])
    parser.add_argument("--pieces", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--warm", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    arguments = parser.parse_args()
    job = Job(
        peer=arguments.peer,
        model=arguments.model,
        pieces=arguments.pieces.absolute(),
        work=arguments.work.absolute(),
        threads=int(os.environ.get("OMP_NUM_THREADS", "1")),
        batch_tokens=arguments.batch_tokens,
        updates=SAVED_AFTER if arguments.task == "prepare" else 10**6,
    )
    adapter = importlib.import_module(f"benchmarks.peers.{job.peer}")
    if arguments.task == "prepare":
        adapter.prepare(job)
        sys.stdout.write("\n{}\n")
    elif arguments.task == "decode":
        found = adapter.decode(job, "test.de")
        sys.stdout.write("\n" + json.dumps(found) + "\n")
    else:
        from benchmarks.stamps import Stamps, leave

        adapter.train(job, Stamps(warm=arguments.warm, steps=arguments.steps, done=leave).saw)
        raise SystemExit("training ended before it was measured")


if __name__ == "__main__":
    main()
