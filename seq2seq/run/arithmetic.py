"""The arithmetic of a run: which library and precision multiply its matrices, chosen by measurement, on how many threads.

Which is fastest depends on processor, shapes and version of torch in ways that no processor flag tells, so the matmuls of the
model at hand are timed with each candidate.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.attention.attention import Attention
from seq2seq.config.base import Settings

_SECONDS = 0.35
"""Wall-clock time of a measurement; the fewest rounds may take a little longer."""
_FEWEST_ROUNDS = 3
_WORK = 1 << 24
"""Multiplications in a timed matmul, at most; a larger one is timed on part of its rows and columns and scaled up."""
_MARGIN = 0.1
"""Share of its time by which a candidate has to beat default fp32, so that noise decides nothing."""
_LARGEST_ERROR = 5e-6
"""Largest accepted relative error of an fp32 matmul over 512 terms; IEEE single precision itself gives about 5e-7."""
_MATMUL_PRECISION = {"default": "highest", "onednn": "medium"}
"""What makes torch send fp32 matmuls to a library."""


class Arithmetic(Settings):
    """Arithmetic of a run's matmuls; part of its record."""

    precision: Literal["fp32", "bf16"] = "fp32"
    """Of matmuls in training; parameters, sums and decoding are fp32."""
    library: Literal["default", "onednn"] = "default"
    """Of fp32 matmuls on a CPU: torch's default (MKL where torch was built with it), or oneDNN."""
    threads: int = 1
    """Of each matmul, >= 1."""
    milliseconds: dict[str, float] = Field(default_factory=dict)
    """Measured time of an update's matmuls by candidate, milliseconds; empty where nothing was measured."""

    def describe(self) -> str:
        """Return one line for the start of a run."""
        times = ", ".join(f"{name} {value:.0f}" for name, value in self.milliseconds.items())
        library = " through oneDNN" if self.library == "onednn" else ""
        parts = [f"{self.threads} thread{'s' if self.threads > 1 else ''}", f"{self.precision} matmuls"]
        if self.precision == "fp32":
            parts[-1] += library
        return ", ".join(parts) + (f" (measured, ms an update: {times})" if times else "")


class Matmul(NamedTuple):
    """One shape of matmul: `times` matrix products (rows, inner) x (inner, columns) an update, `batch` at a time."""

    batch: int
    rows: int
    inner: int
    columns: int
    times: float


def matmuls(model: nn.Module, batch_tokens: int, length: float) -> list[Matmul]:
    """List the shapes of a model's matmuls in one update; the model may be on the meta device.

    `batch_tokens` target tokens are in a batch, `length` in a sentence on average.
    """
    tokens, length = max(1, batch_tokens), max(1, round(length))
    sentences = max(1, tokens // length)
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    found: dict[tuple[int, int, int, int], float] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        is_table = id(parameter) in tables and not name.startswith("output.")
        if parameter.dim() < 2 or is_table:
            continue
        rows, times = (sentences, length) if "weight_hh" in name else (tokens, 1)  # a recurrence takes a step at a time
        key = (1, rows, parameter.shape[-1], parameter.shape[-2])
        found[key] = found.get(key, 0.0) + times * parameter.shape[:-2].numel()
    for module in model.modules():
        if isinstance(module, Attention):
            width = max(1, module.context_size // module.heads)
            key = (sentences * module.heads, length, width, length)
            found[key] = found.get(key, 0.0) + 2 * sentences * module.heads  # scores and contexts
    return [Matmul(*shape, times=times) for shape, times in found.items()]


def choose_arithmetic(
    shapes: Sequence[Matmul], precision: str, *, threads: int, times: Callable[..., dict[str, float]] | None = None
) -> Arithmetic:
    """Choose the fastest accurate arithmetic for an update's shapes on this CPU; default fp32 wins ties.

    `precision` is "auto" or the one that is asked for, `threads` those of each matmul; `times` stands in for `measure`.
    """
    libraries = ["default", *(["onednn"] if onednn_is_accurate() else [])]
    candidates = {_name("fp32", library): ("fp32", library) for library in libraries}
    if precision == "auto":
        candidates["bf16"] = ("bf16", "default")
    with _restored():
        torch.set_num_threads(threads)
        found = (times or measure)(shapes, candidates)
    library = "onednn" if found.get("fp32 oneDNN", float("inf")) < (1 - _MARGIN) * found["fp32"] else "default"
    if precision == "auto":
        precision = "bf16" if found["bf16"] < (1 - _MARGIN) * found[_name("fp32", library)] else "fp32"
    return Arithmetic.model_validate(
        {
            "precision": precision,
            "library": library,
            "threads": threads,
            "milliseconds": {name: round(1000 * seconds, 2) for name, seconds in found.items()},
        }
    )


def _name(precision: str, library: str) -> str:
    return f"{precision} oneDNN" if library == "onednn" else precision


def measure(shapes: Sequence[Matmul], candidates: dict[str, tuple[str, str]]) -> dict[str, float]:
    """Return the seconds that each candidate takes for an update's matmuls, forward and backward.

    Candidates take turns, and each shape counts with its fastest repeat: what else the machine does is no cost.
    """
    work = [(scale * shape.times / shape.batch, *tensors) for shape in shapes for scale, tensors in [_sample(shape)]]
    best = {name: [float("inf")] * len(work) for name in candidates}
    until, rounds = time.perf_counter() + _SECONDS, 0
    while rounds < _FEWEST_ROUNDS or time.perf_counter() < until:
        rounds += 1
        for name, (precision, library) in candidates.items():
            torch.set_float32_matmul_precision(_MATMUL_PRECISION[library])
            for i, (_, left, right) in enumerate(work):
                best[name][i] = min(best[name][i], _seconds(left, right, precision))
    return {name: sum(w[0] * seconds for w, seconds in zip(work, best[name], strict=True)) for name in candidates}


def _sample(shape: Matmul) -> tuple[float, tuple[Tensor, Tensor]]:
    """Return inputs of at most `_WORK` multiplications for a shape, and how often they fit into it."""
    work = shape.rows * shape.inner * shape.columns
    batch = max(1, min(shape.batch, _WORK // work))
    shrink = max(1.0, (work / _WORK) ** 0.5)
    columns = max(min(16, shape.columns), round(shape.columns / shrink))
    rows = max(1, min(shape.rows, _WORK // (shape.inner * columns)))
    generator = torch.Generator().manual_seed(0)
    outer = () if shape.batch == 1 else (batch,)
    left = torch.randn(*outer, rows, shape.inner, generator=generator).requires_grad_()
    right = torch.randn(*outer, columns, shape.inner, generator=generator).requires_grad_()
    scale = shape.batch * shape.rows * shape.columns / (batch * rows * columns)
    return scale, (left, right)


def _seconds(left: Tensor, right: Tensor, precision: str) -> float:
    began = time.perf_counter()
    with nullcontext() if precision == "fp32" else torch.autocast("cpu", dtype=torch.bfloat16):
        out = functional.linear(left, right) if left.dim() == 2 else left @ right.transpose(-2, -1)
    torch.autograd.grad(out, (left, right), out.detach())
    return time.perf_counter() - began


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
