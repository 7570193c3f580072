"""A1, A2 and Transformer-base on an accelerator, in bf16, plain torch beside each: `python -m benchmarks.accelerator`.

Sentences are random pieces of natural lengths, so nothing is downloaded. The ceiling is a square bf16 product measured here;
the share of it counts useful products only (`systems.training_flops`): no padding, no softmax, no optimiser. Decoding is in
fp32, beam 5, batches of 256 sentences, every translation exactly as long as its source.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.cells import ROOT
from benchmarks.plain import PlainRnn, PlainTransformer
from benchmarks.systems import A1, A2, Sizes, training_flops, transformer
from seq2seq.config.model import EncoderDecoderSettings
from seq2seq.config.training import SearchSettings, TrainingSettings
from seq2seq.corpus.batching import Batch, Batches, evaluation_batches
from seq2seq.corpus.encoded import EncodedSplit, TokenArrays
from seq2seq.corpus.tokenizer import EOS, PAD
from seq2seq.models import search as searching
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
    plain: Callable[[], nn.Module]
    """The same in straightforward torch."""


SYSTEMS = {
    "A1": System(A1, Sizes(8000), 16_384, lambda: PlainRnn(8000)),
    "A2": System(A2, Sizes(8000), 32_768, lambda: PlainTransformer(8000)),
    "Transformer-base": System(
        transformer(512, 8, 2048, 6),
        Sizes(32_000, 512, 2048, 6),
        32_768,
        lambda: PlainTransformer(32_000, 512, 2048, 6, heads=8),
    ),
}
"""Vaswani et al. 2017, table 3, for the last."""
PAIRS, MEAN_LENGTH = 50_000, 25


def main() -> int:
    """Measure and store; says so in one line where there is no accelerator."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accelerator", description=__doc__)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--warm", type=int, default=20, help="steps that are not measured; compilation happens in them")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="random sentences")
    parser.add_argument("--compile", default="auto", choices=["auto", "never", "always"])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", metavar="DIR")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("no accelerator here: nothing was measured")
        return 0
    device = torch.device("cuda")
    peak = product_peak(device)
    head = f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}; bf16 product of 8192: {peak:.0f} TFLOP/s"
    names = "target tokens/s|of plain torch|of the product|peak memory, MiB|compiled|beam 5, sentences/s"
    lines = [head, "", f"| bf16 | {names.replace('|', ' | ')} |", "|" + "---|" * 7]
    found = {}
    for name in arguments.systems:
        steps = arguments.warm, arguments.steps
        figures = measure(SYSTEMS[name], device, *steps, arguments.compile, arguments.pairs)
        figures |= {"plain": measure_plain(SYSTEMS[name], device, *steps, arguments.pairs)}
        found[name] = figures | {"sentences_per_second": measure_search(SYSTEMS[name], device)}
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
    told = [
        f"{figures['tokens_per_second']:,.0f}",
        f"{figures['tokens_per_second'] / figures['plain']:.2f}",
        f"{share:.0%}",
        f"{figures['memory_mib']:.0f}",
        "yes" if figures["compiled"] else "no",
        f"{figures['sentences_per_second']:,.0f}",
    ]
    return f"| {name} | {' | '.join(told)} |"


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
    updater = Updater(sharing=share_out(build, training, Processes()), machine=machine, seed=1, train=split, say=print)

    def update(step: int, batch: Batch) -> None:
        updater(step, [batch], rate=learning_rate(step, training), stop=False, seconds=lambda: 0.0)

    rates = rates_of(update, endless(split, system.batch_tokens), device, warm + steps)
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


def endless(split: EncodedSplit, batch_tokens: int) -> Iterator[Batch]:
    """Yield training batches."""
    batches = Batches(split, batch_tokens=batch_tokens, seed=1)
    return (batch for epoch in count() for batch in batches.epoch(epoch))


def rates_of(update: Callable[[int, Batch], object], batches: Iterator[Batch], device: torch.device, steps: int) -> list[float]:
    """Return the target tokens a second of each of some updates, numbered from 1."""
    rates = []
    for step in range(1, steps + 1):
        batch = next(batches)
        _wait(device)
        began = time.perf_counter()
        update(step, batch)
        _wait(device)
        rates.append(batch.target_tokens / (time.perf_counter() - began))
    return rates


def measure_plain(system: System, device: torch.device, warm: int, steps: int, pairs: int = PAIRS) -> float:
    """Return what `measure` does of plain torch in bf16 autocast, with fused Adam: target tokens a second."""
    torch.manual_seed(1)
    model = system.plain().to(device)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def update(_: int, batch: Batch) -> None:
        batch = batch.to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            logits = model(batch.source, batch.source_mask, batch.inputs)
            loss = functional.cross_entropy(logits.flatten(0, 1).float(), batch.targets.flatten(), ignore_index=PAD)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        float(loss.detach())  # as our log has it

    batches = endless(random_split(pairs, system.sizes.vocabulary), system.batch_tokens)
    return statistics.median(rates_of(update, batches, device, warm + steps)[warm:])


def measure_search(system: System, device: torch.device, sentences: int = 1024) -> float:
    """Return sentences a second of an untrained model's beam search; the first batch warms up."""
    torch.manual_seed(1)
    vocabulary = system.sizes.vocabulary
    settings = EncoderDecoderSettings.model_validate({**system.model, "tie": "none"})  # a bias of its own for EOS
    model = build_model(settings, source_vocabulary=vocabulary, target_vocabulary=vocabulary).to(device).eval()
    with torch.no_grad():
        model.output.bias[EOS] = -1e4
    usual = searching.length_limits
    searching.length_limits = lambda mask, *_: mask.sum(dim=1) - 1
    try:
        batches = list(evaluation_batches(random_split(sentences, vocabulary), 256 * MEAN_LENGTH))
        for chosen in (batches[:1], batches):
            _wait(device)
            began = time.perf_counter()
            for batch in (batch.to(device) for batch in chosen):
                searching.search_n_best(model, batch.source, batch.source_mask, SearchSettings(beam=5))
            _wait(device)
    finally:
        searching.length_limits = usual
    return sentences / (time.perf_counter() - began)


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
