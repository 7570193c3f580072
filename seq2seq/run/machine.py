"""The machine a run is on: device, threads, memory allocator, and the fastest arithmetic that is still accurate."""

import ctypes
import os
import platform
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from seq2seq.config.errors import UserError

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_LARGEST_ERROR = 5e-6
"""Largest accepted relative error of an fp32 product of 512 terms; IEEE single precision itself gives about 5e-7."""

_PRODUCTS = "64"
"""Compiled products that oneDNN keeps; an update of a small Transformer has a few dozen shapes, several times each."""


@dataclass(frozen=True)
class Machine:
    """What a run computes with."""

    device: torch.device
    precision: Literal["fp32", "bf16"]
    """Of matrix products in training; weights, sums and decoding are fp32."""
    threads: int
    keeps_memory: bool
    """Whether the C library's allocator was told to keep freed memory."""
    onednn: bool
    """Whether fp32 products go through oneDNN."""

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which training computes."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def describe(self) -> str:
        """One line for the start of a run."""
        parts = [str(self.device), f"{self.threads} threads", f"{self.precision} products"]
        if self.device.type == "cpu":
            parts.append("oneDNN fp32" if self.onednn else "default fp32")
        if self.keeps_memory:
            parts.append("allocator keeps memory")
        return ", ".join(parts)


def prepare_machine(precision: str = "auto", *, deterministic: bool = False, device: str | None = None) -> Machine:
    """Set the process up and say what was chosen; safe to call again.

    Args:
        precision: "auto" takes bf16 where the machine computes it natively, else fp32.
        deterministic: ask an accelerator for deterministic kernels.
        device: a torch device name; None takes an accelerator if there is one.
    """
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    keep_few_products()
    keeps = chosen.type == "cpu" and keep_memory()
    onednn = chosen.type == "cpu" and use_onednn_products()
    native = computes_bf16(chosen)
    return Machine(
        device=chosen,
        precision="bf16" if precision == "bf16" or (precision == "auto" and native) else "fp32",
        threads=torch.get_num_threads(),
        keeps_memory=keeps,
        onednn=onednn,
    )


def keep_memory() -> bool:
    """Tell glibc to keep freed memory, which it would otherwise give back to the kernel and fault in again every step."""
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    wanted = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1, _M_TOP_PAD: 128 * 1024 * 1024}
    accepted = [library.mallopt(option, value) for option, value in wanted.items()]
    return all(status == 1 for status in accepted)


def keep_few_products() -> None:
    """Let oneDNN keep fewer of the programs that it compiles, one for each shape of a product; read at its first product.

    By default it keeps 1,024, and batches of all lengths bring new shapes for a long time: most of the memory that a long run
    gained came from there. Whoever has set the variable keeps their choice.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _PRODUCTS)


def use_onednn_products() -> bool:
    """Send fp32 products through oneDNN if it is there and accurate on this machine.

    On some processors torch's default library takes a slower path. "medium" only permits lower precision, it does not demand
    it, so the result is checked against float64 before it is kept.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    if product_error() <= _LARGEST_ERROR:
        return True
    torch.set_float32_matmul_precision(before)
    return False


def product_error() -> float:
    """Return the largest error of an fp32 product of 512 terms against float64, relative to the largest result."""
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(64, 512, generator=generator)
    right = torch.randn(512, 64, generator=generator)
    exact = left.double() @ right.double()
    return float(((left @ right).double() - exact).abs().max() / exact.abs().max())


def computes_bf16(device: torch.device) -> bool:
    """Whether bf16 products are native, not emulated."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def compile_forward(model: nn.Module, wanted: str, device: torch.device, backend: str = "inductor") -> bool:
    """Let torch.compile take over a model's teacher-forced forward, in place; names of weights stay as they are.

    One graph serves batches of all shapes. Validation, search and anything that calls the parts of a model is not touched.
    "auto" leaves recurrent models alone: a loop over positions would be compiled anew for each length.

    Args:
        model: called as a whole in training.
        wanted: "auto", "never" or "always".
        device: where it is.
        backend: torch.compile's.

    Returns:
        Whether it will be compiled, at the first call.

    Raises:
        UserError: "always" on a CPU, where the operations written by hand for it would be lost.
    """
    if device.type == "cpu":
        if wanted == "always":
            raise UserError("training.compile: always needs an accelerator, and this run is on a cpu; write auto or never")
        return False
    is_recurrent = any(isinstance(part, nn.RNNBase) for part in model.modules())
    if wanted == "never" or (wanted == "auto" and is_recurrent):
        return False
    model.compile(dynamic=True, backend=backend)
    return True
