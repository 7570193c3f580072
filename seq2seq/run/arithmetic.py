"""The arithmetic of a run: which library and precision multiply its matrices, chosen by measurement, on how many threads.

No processor flag tells which is fastest, and casts and elementwise operations count as well, so the gradients of the model at
hand are timed with each candidate.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Literal

import torch
from pydantic import Field

from seq2seq.config.base import Settings
from seq2seq.config.errors import counted

_SECONDS = 0.4  # wall-clock time of a measurement; the fewest batches may take a little longer
_FEWEST_BATCHES = 3
_MARGIN = 0.1  # share of its time by which a candidate has to beat default fp32, so that noise decides nothing
_LARGEST_ERROR = 5e-6
"""Largest accepted relative error of an fp32 matmul over 512 terms; IEEE single precision itself gives about 5e-7."""
_MATMUL_PRECISION = {"default": "highest", "onednn": "medium"}  # what makes torch send fp32 matmuls to a library


class Arithmetic(Settings):
    """Arithmetic of a run's matmuls; part of its record."""

    precision: Literal["fp32", "bf16"] = "fp32"
    """Of matmuls in training; parameters, sums and decoding are fp32."""
    library: Literal["default", "onednn"] = "default"
    """Of fp32 matmuls on a CPU: torch's default (MKL where torch was built with it), or oneDNN."""
    threads: int = 1
    """Of each matmul, >= 1."""
    milliseconds: dict[str, float] = Field(default_factory=dict)
    """Measured time of gradients (of a large model: on part of a batch) by candidate; empty where nothing was measured."""

    def describe(self) -> str:
        times = ", ".join(f"{name} {value:.0f}" for name, value in self.milliseconds.items())
        threads = counted(self.threads, "thread")
        library = " through oneDNN" if (self.precision, self.library) == ("fp32", "onednn") else ""
        return f"{threads}, {self.precision} matmuls{library}" + (f" (measured, ms: {times})" if times else "")


def choose_arithmetic(work: Callable[[int], object], precision: str, *, threads: int, device: str = "cpu") -> Arithmetic:
    """Choose the fastest accurate arithmetic for some work on a device; default fp32 wins ties.

    `work` computes what is to be fast, such as the gradients of a batch, given its number; `precision` is "auto", or the one
    that is asked for.
    """
    candidates = {"fp32": ("fp32", "default")}
    if device == "cpu" and onednn_is_accurate():
        candidates["fp32 oneDNN"] = ("fp32", "onednn")
    if precision == "auto":
        candidates["bf16"] = ("bf16", "default")
    with _restored():
        torch.set_num_threads(threads)
        found = measure(work, candidates, device)
    best = "fp32 oneDNN" if found.get("fp32 oneDNN", float("inf")) < (1 - _MARGIN) * found["fp32"] else "fp32"
    library = candidates[best][1]
    if precision == "auto":
        precision = "bf16" if found["bf16"] < (1 - _MARGIN) * found[best] else "fp32"
    times = {name: round(1000 * seconds, 2) for name, seconds in found.items()}
    about = {"precision": precision, "library": library, "threads": threads, "milliseconds": times}
    return Arithmetic.model_validate(about)


def measure(work: Callable[[int], object], candidates: dict[str, tuple[str, str]], device: str = "cpu") -> dict[str, float]:
    """Return the seconds that a batch of work takes with each candidate, (precision, library) by name.

    Candidates take turns at every batch; the median counts, on one thread of a CPU of processor time: what else the machine
    does is no cost.
    """
    clock = time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    spent: dict[str, list[float]] = {name: [] for name in candidates}
    until, number = time.perf_counter() + _SECONDS, 0
    while number <= _FEWEST_BATCHES or time.perf_counter() < until:
        for name, (precision, library) in candidates.items():
            torch.set_float32_matmul_precision(_MATMUL_PRECISION[library])
            began = clock()
            with nullcontext() if precision == "fp32" else torch.autocast(device, dtype=torch.bfloat16):
                work(number)
                if device == "cuda":
                    torch.cuda.synchronize()
            spent[name].append(clock() - began)
        number += 1
    return {name: statistics.median(seconds[1:]) for name, seconds in spent.items()}  # the first batch warms up


def onednn_is_accurate() -> bool:
    """Whether oneDNN is there and its fp32 matmul is one: "medium" permits lower precision, so the result is checked."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    with _restored():
        torch.set_float32_matmul_precision("medium")
        return matmul_error() <= _LARGEST_ERROR


def matmul_error() -> float:
    """Return the largest error of an fp32 matmul over 512 terms against float64, relative to the largest result."""
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(64, 512, generator=generator)
    right = torch.randn(512, 64, generator=generator)
    exact = left.double() @ right.double()
    return float(((left @ right).double() - exact).abs().max() / exact.abs().max())


@contextmanager
def _restored() -> Iterator[None]:
    """Put torch's threads and matmul precision back afterwards."""
    precision, threads = torch.get_float32_matmul_precision(), torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.set_num_threads(threads)


def use_library(library: str) -> str:
    """Send fp32 matmuls to a library, or to torch's default where it is not accurate here; returns which it is."""
    used = "onednn" if library == "onednn" and onednn_is_accurate() else "default"
    torch.set_float32_matmul_precision(_MATMUL_PRECISION[used])
    return used
