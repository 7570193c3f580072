"""A1, A2 and Transformer-base on an accelerator, in bf16: `python -m benchmarks.accelerator`.

Sentences are random pieces of natural lengths, so nothing is downloaded. The ceiling is a square bf16 product measured here;
the share of it counts useful products only (`systems.training_flops`): no padding, no softmax, no optimiser.
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.cells import ROOT
from benchmarks.systems import A1, A2, Sizes, training_flops, transformer
from seq2seq.config.model import EncoderDecoderSettings
from seq2seq.config.training import TrainingSettings
from seq2seq.corpus.batching import Batches
from seq2seq.corpus.encoded import EncodedSplit, TokenArrays
from seq2seq.corpus.tokenizer import EOS
from seq2seq.models.build import build_model
from seq2seq.models.interface import Model
from seq2seq.run.arithmetic import Arithmetic
from seq2seq.run.machine import compile_forward, prepare_machine
from seq2seq.run.processes import Processes
from seq2seq.run.schedule import learning_rate
from seq2seq.run.sharding import share_out
from seq2seq.run.update import Updater


@dataclass(frozen=True)
class System:
    """A model and the batches it is given."""

    model: dict[str, Any]
    sizes: Sizes
    batch_tokens: int


SYSTEMS = {
    "A1": System(A1, Sizes(8000), 16_384),
    "A2": System(A2, Sizes(8000), 32_768),
    "Transformer-base": System(transformer(512, 8, 2048, 6), Sizes(32_000, 512, 2048, 6), 32_768),
}
"""Vaswani et al. 2017, table 3, for the last."""
PAIRS, MEAN_LENGTH = 50_000, 25


def main() -> int:
    """Measure and store; says so in one line where there is no accelerator."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accelerator", description=__doc__)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--warm", type=int, default=20, help="steps that are not measured; compilation happens in them")
    parser.add_argument("--compile", default="auto", choices=["auto", "never", "always"])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", metavar="DIR")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("no accelerator here: nothing was measured")
        return 0
    device = torch.device("cuda")
    peak = product_peak(device)
    head = f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}; bf16 product of 8192: {peak:.0f} TFLOP/s"
    lines = [head, "", "| bf16 | target tokens/s | of the product | peak memory, MiB | compiled |", "|" + "---|" * 5]
    found = {}
    for name in arguments.systems:
        found[name] = measure(SYSTEMS[name], device, arguments.warm, arguments.steps, arguments.compile)
        lines.append(row(name, found[name], peak))
        print(lines[-1], file=sys.stderr, flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    place = arguments.out / f"accelerator-{date.today():%Y-%m-%d}"
    place.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    place.with_suffix(".json").write_text(json.dumps({"machine": head, "systems": found}, indent=1) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 0


def row(name: str, figures: dict[str, Any], peak: float) -> str:
    """A line of the table; `peak` in TFLOP/s."""
    share = figures["tokens_per_second"] * figures["flops_per_token"] / 1e12 / peak
    told = [f"{figures['tokens_per_second']:,.0f}", f"{share:.0%}", f"{figures['memory_mib']:.0f}"]
    return f"| {name} | {' | '.join(told)} | {'yes' if figures['compiled'] else 'no'} |"


def product_peak(device: torch.device, size: int = 8192, repeats: int = 30) -> float:
    """TFLOP/s of a square bf16 product."""
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    rates = []
    for _ in range(4):  # the first warms up
        _wait(device)
        began = time.perf_counter()
        for _ in range(repeats):
            left @ right
        _wait(device)
        rates.append(2 * size**3 * repeats / (time.perf_counter() - began) / 1e12)
    return max(rates[1:])


def measure(system: System, device: torch.device, warm: int, steps: int, compiles: str, pairs: int = PAIRS) -> dict[str, Any]:
    """Train for `warm` + `steps` updates, each from batch to new weights; the rate is the median step's."""
    split = random_split(pairs, system.sizes.vocabulary)
    training = TrainingSettings(batch_tokens=system.batch_tokens)
    compiled: list[bool] = []

    def build() -> Model:
        torch.manual_seed(1)
        vocabulary = system.sizes.vocabulary
        settings = EncoderDecoderSettings.model_validate(system.model)
        model = build_model(settings, source_vocabulary=vocabulary, target_vocabulary=vocabulary).to(device)
        compiled.append(compile_forward(model, compiles, device))
        return model

    machine = prepare_machine(Arithmetic(precision="bf16", threads=torch.get_num_threads()), device=str(device))
    updater = Updater(
        sharing=share_out(build, training, Processes()),
        training=training,
        machine=machine,
        processes=Processes(),
        seed=1,
        train=split,
        say=print,
    )
    batches = Batches(split, batch_tokens=system.batch_tokens, seed=1)
    endless = (batch for epoch in count() for batch in batches.epoch(epoch))
    rates = []
    for step in range(1, warm + steps + 1):
        batch = next(endless)
        _wait(device)
        began = time.perf_counter()
        update = updater(step, [batch], rate=learning_rate(step, training), stop=False, seconds=lambda: 0.0)
        _wait(device)
        rates.append(update.tokens / (time.perf_counter() - began))
    source, target = float(split.source_lengths.mean()) + 1, float(split.target_lengths.mean()) + 1
    kind = "A1" if system.model["encoder"]["kind"] == "rnn" else "A2"
    memory = torch.cuda.max_memory_allocated(device) // 2**20 if device.type == "cuda" else 0
    return {
        "tokens_per_second": statistics.median(rates[warm:]),
        "flops_per_token": training_flops(kind, source, target, system.sizes) / target,
        "memory_mib": memory,
        "compiled": compiled[0],
        "batch_tokens": system.batch_tokens,
    }


def random_split(pairs: int, vocabulary: int) -> EncodedSplit:
    """Pairs of random pieces; lengths are spread around `MEAN_LENGTH`, and the two sides of a pair differ a little."""
    random = np.random.default_rng(1)
    sources = np.clip(random.gamma(3.0, MEAN_LENGTH / 3.0, pairs), 3, 99).astype(np.int64)
    targets = np.clip(sources + random.integers(-2, 3, pairs), 3, 99)
    texts: list[Any] = []
    return EncodedSplit(_random_side(sources, vocabulary, random), _random_side(targets, vocabulary, random), texts)


def _random_side(lengths: Any, vocabulary: int, random: np.random.Generator) -> TokenArrays:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return TokenArrays(random.integers(EOS + 1, vocabulary, int(offsets[-1])), offsets)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    sys.exit(main())
