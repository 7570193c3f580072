"""Attention by products for queries that come step by step, the backward pass by hand.

The formula is that of `attention.scores.DotScore` with heads; this file computes it in another order and adds none. Where there
is a scale it is in the query's weights, and the projection of the output is in whatever reads the context.
"""

import torch
from torch import Tensor

from seq2seq.models.kernels.additive import Attended
from seq2seq.models.kernels.gru import multiply


class ProductAttention:
    """Attention of one query a row with H heads, and its gradients, gathered step by step.

    Args:
        query_weight: (H * D, Q), W_q, in the type of products.
        attended: keys (B, H, S, D) and values (B, H, S, C).
    """

    def __init__(self, query_weight: Tensor, attended: Attended) -> None:
        self.query_weight, self.attended = query_weight, attended
        self.turned = attended.keys.transpose(2, 3)  # (B, H, D, S)
        self.blocked = attended.blocked.unsqueeze(1)  # (B, 1, S)

    def attend(self, query: Tensor, out: Tensor) -> Tensor:
        """Write weights (B, H, S) to `out`; return contexts (B, H * C), given queries (B, Q) in the type of products."""
        projected = multiply(query, self.query_weight.t()).to(out.dtype).view(*out.shape[:2], 1, -1)
        torch.softmax((projected @ self.turned).squeeze(2) + self.blocked, dim=-1, out=out)
        return (out.unsqueeze(2) @ self.attended.values).flatten(1)

    def begin_backward(self, steps: int) -> None:
        """Make room for the gradients of so many steps."""
        keys, values = self.attended.keys, self.attended.values
        rows, heads, length, size = keys.shape
        self.by_query = keys.new_empty(steps, rows, heads * size)
        self.by_scores = keys.new_empty(steps, rows, heads, length)
        self.by_context = values.new_empty(steps, rows, heads, values.shape[-1])

    def backward(self, step: int, _: Tensor, alpha: Tensor, by_context: Tensor) -> Tensor:
        """Undo one `attend`; returns the gradient of the query (B, Q).

        With g = V d c and e the scores: d e = alpha (g - sum alpha g),  d (W_q q) = K d e.
        """
        self.by_context[step] = by_context.view_as(self.by_context[step])
        by_alpha = (self.attended.values @ self.by_context[step].unsqueeze(3)).squeeze(3)  # (B, H, S)
        by_scores = self.by_scores[step]
        torch.mul(alpha, by_alpha - (alpha * by_alpha).sum(dim=2, keepdim=True), out=by_scores)
        self.by_query[step] = (by_scores.unsqueeze(2) @ self.attended.keys).flatten(1)
        return multiply(self.by_query[step], self.query_weight)

    def gradients(self, alphas: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of keys and values, given all weights (T, B, H, S) and queries (T, B, Q)."""
        projected = multiply(queries, self.query_weight.t()).to(alphas.dtype).view(*alphas.shape[:3], -1)  # (T, B, H, D)
        by_keys = self.by_scores.permute(1, 2, 3, 0) @ projected.permute(1, 2, 0, 3)
        return by_keys, alphas.permute(1, 2, 3, 0) @ self.by_context.permute(1, 2, 0, 3)
