"""Measure everything in one sitting, rounds interleaved, and store it: `python -m benchmarks`."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.stamps import BEGAN
from benchmarks.systems import training_flops

HERE = Path(__file__).parent
KEEPS_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1", "MALLOC_TOP_PAD_": "134217728"}
"""The allocator setting that this project gives itself, for others: it helps them as well."""
CEILING = {"fp32": "fp32 oneDNN", "bf16": "bf16"}


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12, help="measured steps of a training run")
    parser.add_argument("--corpus", default="multi30k", help="multi30k, found as any corpus is, or grammar, which is built in")
    parser.add_argument("--only", choices=["train", "decode"])
    arguments = parser.parse_args()
    result = {
        "machine": describe_machine(arguments.threads),
        "corpus": arguments.corpus,
        "products": _products(arguments.threads),
    }
    runs: dict[str, list[dict[str, Any]]] = {}
    for _ in range(arguments.rounds):
        for name, (command, environment) in cells(arguments).items():
            print(f"{name} ...", file=sys.stderr, flush=True)
            runs.setdefault(name, []).append(run_cell(command, environment, arguments.threads))
    result["cells"] = {name: _middle(figures) for name, figures in runs.items()}
    text = report(result)
    print(text)
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{date.today():%Y-%m-%d}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (folder / f"{date.today():%Y-%m-%d}.md").write_text(text + "\n", encoding="utf-8")


def cells(arguments: argparse.Namespace) -> dict[str, tuple[list[str], dict[str, str]]]:
    """What is measured, by name: a command and what it adds to the environment."""
    found: dict[str, tuple[list[str], dict[str, str]]] = {}
    shared = ["--corpus", arguments.corpus]
    for model in ("A1", "A2"):
        if arguments.only != "decode":
            run = ["benchmarks.train_cell"]
            more = [*shared, "--steps", str(arguments.steps)]
            for precision in ("fp32", "bf16"):
                found[f"train {model} this project {precision}"] = ([*run, "own", model, precision, *more], {})
            found[f"train {model} plain torch fp32"] = ([*run, "plain", model, "fp32", *more], {})
            found[f"train {model} plain torch fp32, keeps memory"] = ([*run, "plain", model, "fp32", *more], KEEPS_MEMORY)
            found[f"train {model} plain torch bf16, keeps memory"] = ([*run, "plain", model, "bf16", *more], KEEPS_MEMORY)
        if arguments.only != "train":
            found[f"decode {model} this project fp32"] = (["benchmarks.decode_cell", model, *shared], {})
    return found


def run_cell(command: list[str], environment: dict[str, str], threads: int) -> dict[str, Any]:
    """Run a cell's module in a fresh process; its last line is JSON."""
    settings = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), BEGAN: repr(time.time()), **environment}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parent,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures | {"load": os.getloadavg()[0]}


def _products(threads: int) -> dict[str, float]:
    import torch

    from benchmarks.products import measure_products

    torch.set_num_threads(threads)
    return measure_products()


def _middle(runs: list[dict[str, Any]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def describe_machine(threads: int) -> dict[str, Any]:
    """What the figures were measured on."""
    import torch

    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    return {"processor": processor, "cores": os.cpu_count(), "threads": threads, "torch": torch.__version__}


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


def report(result: dict[str, Any]) -> str:
    """The tables, as Markdown."""
    machine, products, found = result["machine"], result["products"], result["cells"]
    ceiling = ", ".join(f"{name} {rate:.0f}" for name, rate in products.items())
    head = (
        f"{machine['processor']}, {machine['threads']} threads, torch {machine['torch']}; products of 1024, GFLOP/s: {ceiling}."
    )
    lines = [head, ""]
    if any(name.startswith("train") for name in found):
        lines += [
            "| training | target tokens/s | ratio | of the product | first step, s | peak memory, MiB | load |",
            "|" + "---|" * 7,
        ]
    for name, row in found.items():
        kind, model, who = name.split(" ", 2)
        if kind == "train":
            flops = training_flops(model, row["source_length"], row["target_length"]) / row["target_length"]
            share = row["tokens_per_second"] * flops / 1e9 / products[CEILING["bf16" if "bf16" in who else "fp32"]]
            ratio = row["tokens_per_second"] / found[f"train {model} plain torch fp32"]["tokens_per_second"]
            cells_ = [f"{row['tokens_per_second']:,.0f}", f"{ratio:.2f}", f"{share:.0%}", f"{row['first_step_seconds']:.1f}"]
            lines.append(f"| {model} {who} | {' | '.join(cells_)} | {row['memory_mib']:.0f} | {row['load']:.1f} |")
    if any(name.startswith("decode") for name in found):
        lines += ["", "| beam 5, 64 sentences a batch, 16 pieces | sentences/s | peak memory, MiB | load |", "|" + "---|" * 4]
    for name, row in found.items():
        kind, _, who = name.partition(" ")
        if kind == "decode":
            lines.append(f"| {who} | {row['sentences_per_second']:.0f} | {row['memory_mib']:.0f} | {row['load']:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
