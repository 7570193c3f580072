"""The processes that train one run together, as `torchrun` starts them; one process on its own costs nothing.

Each takes its shard of every batch, gradients are summed, and the first one alone decides, writes and prints.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import torch
from torch import nn

from seq2seq.config.errors import RunError, UserError, first_line

T = TypeVar("T")

_PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: longer than the first one needs to prepare a corpus or to validate."""


class Processes:
    """The processes of a run, seen from one of them; `fabric` connects them, None for a process on its own."""

    def __init__(self, fabric: Any = None) -> None:
        self._fabric = fabric
        self.rank = int(fabric.global_rank) if fabric else 0
        self.world = int(fabric.world_size) if fabric else 1
        self.device: str | None = str(fabric.device) if fabric else None
        """Device of this process; None leaves the choice to the machine."""

    @property
    def first(self) -> bool:
        """Whether this process is the one that decides, writes and prints."""
        return self.rank == 0

    def sum(self, *values: float) -> list[float]:
        """Return each value summed over the processes, the same bits in all of them."""
        if not self._fabric:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        with self._talking():
            summed: list[float] = self._fabric.all_reduce(total, reduce_op="sum").tolist()
        return summed

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace every gradient by its sum over the processes, in one message; one that all of them miss stays missing."""
        if not self._fabric:
            return
        there = parameters[0].new_tensor([p.grad is not None for p in parameters])
        flat = torch.cat([*((torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters), there])
        with self._talking():
            flat = self._fabric.all_reduce(flat, reduce_op="sum")
        *parts, there = flat.split([*(p.numel() for p in parameters), len(parameters)])
        for parameter, part, some in zip(parameters, parts, there.tolist(), strict=True):
            parameter.grad = part.view_as(parameter) if some else None

    def on_first(self, work: Callable[[], T]) -> T:
        """Let the first process work while others wait; all return its result or raise its error, whose text it alone has."""
        if not self._fabric:
            return work()
        failed: UserError | RunError | None = None
        result: Any = None
        if self.first:
            try:
                result = work()
            except (UserError, RunError) as error:
                failed = error
        with self._talking():
            kind, result = self._fabric.broadcast((failed and type(failed), result))
        if kind is None:
            return result  # type: ignore[no-any-return]
        raise failed or kind("")

    def named(self) -> str:
        """Return what a message of this process alone begins with."""
        return f"process {self.rank} of {self.world}: " if self._fabric else ""

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Turn the failure of a message into one line: it means that another process has died."""
        try:
            yield
        except RuntimeError as error:
            raise RunError(
                f"{self.named()}another process of this run has ended ({first_line(error)[:120]}); its own message "
                "says why. What was saved is kept: the same command goes on from there"
            ) from error


@cache
def join_processes() -> Processes:
    """Find the other processes that `torchrun` has started, if any; safe to call again."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Processes()
    from lightning_fabric import Fabric  # 2 s, paid only here
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    here = int(os.environ.get("LOCAL_WORLD_SIZE", world))
    fabric = Fabric(
        accelerator="cuda" if torch.cuda.is_available() else "cpu",
        devices=here,
        num_nodes=world // here,
        strategy=DDPStrategy(timeout=_PATIENCE),
        plugins=[TorchElasticEnvironment()],
    )
    fabric.launch()
    return Processes(fabric)
