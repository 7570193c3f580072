"""Boolean masks, True = may attend, and the one softmax that obeys them.

PyTorch has both polarities (`scaled_dot_product_attention`: True attends; `nn.MultiheadAttention`: True is ignored); here
there is one, and whoever calls into torch converts at that border in one visible `~`.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

_LANES = {"AVX512": 16, "AVX2": 8}.get(torch.backends.cpu.get_cpu_capability(), 4)
"""Numbers that torch computes at once in fp32."""


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """Mark the real tokens of a batch padded to S = `size`: lengths (B,) to (B, S), True at real tokens."""
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)  # (B, S)


def attendable(mask: Tensor, extra: Tensor | None = None) -> Tensor:
    """Join the mask of the sentences (B, S) with an `extra` mask, broadcastable to (B, Q, S): (B, 1, 1 or Q, S)."""
    real = mask[:, None, None]  # (B, 1, 1, S)
    if extra is None:
        return real
    return real & (extra.unsqueeze(1) if extra.dim() == 3 else extra)


def block(scores: Tensor, blocked: Tensor) -> Tensor:
    """Put the lowest finite number where `blocked` = ~mask (broadcastable) is True.

    Finite, so that a row with nothing to attend to is a row of equal scores and not a NaN in the backward pass; the lowest,
    so that next to any other score its exponential is exactly zero.
    """
    return scores.masked_fill(blocked, torch.finfo(scores.dtype).min)


def exact(scores: Tensor) -> Tensor:
    """Return scores in fp32 at least: autocast leaves them in bf16, whose sums are wrong by several percent."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last dimension among the allowed positions only.

    A row with nothing to attend to gets zero weights and finite gradients.

    Args:
        scores: (..., S), finite, and far from the largest number there is.
        mask: broadcastable to `scores`, True may attend.
    """
    # a sum with a small tensor and a factor for each row: filling in all of the scores twice takes longer than their softmax
    kind = torch.promote_types(scores.dtype, torch.float32)  # autocast leaves scores in bf16, whose softmax takes longer
    return softmax(scores + barrier(mask, kind)) * mask.any(dim=-1, keepdim=True).to(kind)


def barrier(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what blocks scores when it is added: 0 where the mask is True, else a number below all real scores."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, torch.finfo(dtype).min / 2)


def softmax(scores: Tensor) -> Tensor:
    """Softmax over the last dimension (..., S). On a CPU short rows are padded to a register: others take ten times as long."""
    size = scores.shape[-1]
    if size >= _LANES or scores.device.type != "cpu":
        return torch.softmax(scores, dim=-1)
    return torch.softmax(functional.pad(scores, (0, _LANES - size), value=-math.inf), dim=-1)[..., :size]
