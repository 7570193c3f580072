"""The machine a run is on: device, memory allocator, and the arithmetic that was chosen for it."""

import ctypes
import os
import platform
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from seq2seq.config.errors import UserError, first_line
from seq2seq.run.arithmetic import Arithmetic, use_library

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_PRIMITIVES = "64"
"""Compiled matmuls that are kept; an update of a small Transformer has a few dozen shapes, several times each."""


@dataclass(frozen=True)
class Machine:
    """Machine of a run."""

    device: torch.device
    arithmetic: Arithmetic
    keeps_memory: bool
    """Whether the C library's allocator was told to keep freed memory."""

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which training computes."""
        if self.arithmetic.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def describe(self) -> str:
        memory = ", allocator keeps memory" if self.keeps_memory else ""
        return f"{self.device}, {self.arithmetic.describe()}{memory}"


def prepare_machine(arithmetic: Arithmetic, *, deterministic: bool = False, device: str | None = None) -> Machine:
    """Set the process up for a run; safe to call again.

    Without a `device` it takes an accelerator if there is one; `deterministic` asks that for deterministic kernels.
    """
    chosen = choose_device(device)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    limit_primitives()
    keeps = chosen.type == "cpu" and keep_memory()
    if chosen.type == "cpu":
        arithmetic = arithmetic.model_copy(update={"library": use_library(arithmetic.library)})
    torch.set_num_threads(arithmetic.threads)
    return Machine(device=chosen, arithmetic=arithmetic, keeps_memory=keeps)


def choose_device(named: str | None) -> torch.device:
    """Return the device of that name, of none an accelerator if there is one; a `UserError` if the machine has none such."""
    if named is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=named).device
    except (RuntimeError, AssertionError) as error:  # a name that torch does not know; one that it was not built for
        raise UserError(f"device {named}: {first_line(error)}") from None


def keep_memory() -> bool:
    """Tell glibc to keep freed memory, which it would otherwise give back to the kernel and fault in again every step."""
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    wanted = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1, _M_TOP_PAD: 128 * 1024 * 1024}
    accepted = [library.mallopt(option, value) for option, value in wanted.items()]
    return all(status == 1 for status in accepted)


def limit_primitives() -> None:
    """Limit the caches of compiled matmuls, one for each shape: oneDNN's, and torch's of the same. Before the first matmul.

    By default each keeps 1,024, and batches of all lengths bring new shapes for a long time: most of the memory that a long run
    gained came from there, and a small model took a tenth longer. Whoever has set a variable keeps their choice.
    """
    for variable in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(variable, _PRIMITIVES)


def compile_forward(model: nn.Module, wanted: str, device: torch.device, backend: str = "inductor") -> bool:
    """Let torch.compile take over a model's teacher-forced forward, in place, at its first call; returns whether it will.

    One graph serves all shapes; validation, search and names of weights are not touched. `wanted` is never, always, or auto,
    which leaves recurrent models alone: a loop over positions would be compiled anew for each length. A `UserError` refuses
    always on a CPU, where the operations written by hand for it would be lost.
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
