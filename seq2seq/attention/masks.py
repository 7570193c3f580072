"""Boolean masks, True = may attend, and the one softmax that obeys them.

PyTorch has both polarities (`scaled_dot_product_attention`: True attends; `nn.MultiheadAttention`: True is ignored); here
there is one, and whoever calls into torch converts at that border in one visible `~`.
"""

import torch
from torch import Tensor


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """Mark the real tokens of a padded batch.

    Args:
        lengths: (B,) tokens per row, 0 <= length <= size.
        size: S, the padded length.

    Returns:
        (B, S), True at real tokens.
    """
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)  # (B, S)


def attendable(mask: Tensor, extra: Tensor | None = None) -> Tensor:
    """Join the mask of the sentences with the mask of the queries, for scores of H heads.

    Args:
        mask: (B, S), True at real tokens.
        extra: broadcastable to (B, Q, S), True may attend, for example causal; None allows all.

    Returns:
        (B, 1, 1, S) without `extra`, else (B, 1, Q, S) or (B, 1, 1, S).
    """
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


def masked_softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax over the last dimension among the allowed positions only.

    A row with nothing to attend to gets zero weights and finite gradients.

    Args:
        scores: (..., S), unbounded.
        mask: broadcastable to `scores`, True may attend; None allows all.

    Returns:
        (..., S), rows sum to one, or to zero where nothing may be attended to.
    """
    if mask is None:
        return torch.softmax(scores, dim=-1)
    blocked = ~mask
    return torch.softmax(block(scores, blocked), dim=-1).masked_fill(blocked, 0.0)
