"""Dropout from sixteen random bits a number: on a CPU torch's own takes longer than the product before it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_LEVELS = 1 << 16


class Dropout(nn.Module):
    """Drop each number with probability p and scale the rest by 1 / (1 - p) (Srivastava et al. 2014), in training only.

    Args:
        p: probability, 0 to 1; on a CPU rounded to a multiple of 1 / 65,536.
    """

    def __init__(self, p: float = 0.0) -> None:
        super().__init__()
        self.p = p

    def forward(self, features: Tensor) -> Tensor:
        """(...) to the same shape."""
        return dropout(features, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def dropout(features: Tensor, p: float, training: bool = True) -> Tensor:
    """Drop numbers of `features` (...) with probability p while training."""
    if not training or not p:
        return features
    if features.device.type != "cpu" or torch.compiler.is_compiling():
        return functional.dropout(features, p)
    return features * dropout_noise(features.shape, p, features.dtype)


class _DroppedRelu(torch.autograd.Function):
    """Keeps nothing but its result: a gradient passes where that is positive, and is scaled as the result was."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, p: float) -> Tensor:
        result = features.relu().mul_(dropout_noise(features.shape, p, features.dtype))
        ctx.save_for_backward(result)
        ctx.scale = _scale(p)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (result,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(grad, result, 0).mul_(ctx.scale), None


def dropped_relu(features: Tensor, p: float, training: bool = True) -> Tensor:
    """Dropout after relu, of `features` (...)."""
    if not training or not p or features.device.type != "cpu" or torch.compiler.is_compiling():
        return dropout(features.relu(), p, training)
    result: Tensor = _DroppedRelu.apply(features, p)  # type: ignore[no-untyped-call]
    return result


def dropout_noise(
    shape: torch.Size | tuple[int, ...], p: float, dtype: torch.dtype, device: torch.device | None = None
) -> Tensor:
    """Draw factors, 0 with probability p, else 1 / (1 - p); None is the CPU.

    There one draw from torch's generator seeds a fast generator of numpy's (SFC64), so torch's seed and saved state decide all.
    """
    if device is not None and device.type != "cpu":
        return functional.dropout(torch.ones(shape, dtype=dtype, device=device), p)
    count = torch.Size(shape).numel()
    generator = np.random.SFC64(int(torch.randint(2**62, ())))
    bits = torch.from_numpy(generator.random_raw(-(-count // 4)).view(np.int16))[:count].view(shape)
    # int16, uniform from -32,768 on; 1 or 0 as well, since torch makes booleans and makes numbers of them ten times as slowly
    kept = torch.ge(bits, round(p * _LEVELS) - _LEVELS // 2, out=bits)
    return kept.to(dtype).mul_(_scale(p))


def _scale(p: float) -> float:
    return _LEVELS / (_LEVELS - round(p * _LEVELS))
