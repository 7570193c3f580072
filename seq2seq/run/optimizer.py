"""Adam, and its state as flat tensors that safetensors can hold."""

import inspect
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.config.training import TrainingSettings

_STATE = {"step", "exp_avg", "exp_avg_sq"}  # what Adam keeps of each parameter
_HIDDEN = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")  # hidden from torch's compiler by a decorator


def build_optimizer(parameters: list[nn.Parameter], settings: TrainingSettings, *, shared: bool = False) -> Any:
    """Return Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019), fused into one pass over the weights.

    With `shared` each process keeps the state of its share of the weights (Rajbhandari et al. 2020, ZeRO stage 1).
    """
    kind = without_compiler(torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam)
    options: dict[str, Any] = {
        "lr": settings.learning_rate,
        "betas": settings.betas,
        "eps": settings.epsilon,
        "weight_decay": settings.weight_decay,
        "fused": True,
    }
    if not shared:
        return kind(parameters, **options)
    from torch.distributed.optim import ZeroRedundancyOptimizer

    return ZeroRedundancyOptimizer(parameters, kind, **options)


@lru_cache
def without_compiler(kind: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """Return the same optimiser, but one that imports torch's compiler neither at its first step nor at its first checkpoint.

    torch decorates some methods to keep its compiler off them, and importing it takes as long as torch itself. This class has
    the undecorated methods; `step` is without gradients, as under its decorator. Not for use inside a compiled function.
    """
    body = {name: inspect.unwrap(getattr(kind, name)) for name in _HIDDEN}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), body | {"step": step})


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's tensors as `<parameter number>.<name>`."""
    return {
        f"{number}.{name}": value
        for number, entry in optimizer.state_dict()["state"].items()
        for name, value in entry.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` returned; a ValueError for any other tensor, or one of another shape."""
    shapes = [parameter.shape for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        if not number.isdecimal() or int(number) >= len(shapes) or name not in _STATE:
            raise ValueError(f"the optimiser has no '{key}'")
        if value.shape != (torch.Size() if name == "step" else shapes[int(number)]):
            raise ValueError(f"'{key}' of the optimiser has shape {tuple(value.shape)}")
        state.setdefault(int(number), {})[name] = value
    for place, entry in state.items():
        if entry.keys() != _STATE:
            raise ValueError(f"the optimiser's state of parameter {place} is not complete")
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
