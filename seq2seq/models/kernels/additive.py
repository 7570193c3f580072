"""Additive attention for queries that come step by step: no tanh a step, and the backward pass by hand.

The formula is that of `attention.scores.AdditiveScore`; this file computes it in another order and adds none.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq.attention.masks import softmax
from seq2seq.attention.scores.blocks import bounded_exp, factors
from seq2seq.models.kernels.gru import add_product, multiply, transposed_product

softmax_backward = torch.ops.aten._softmax_backward_data


class Attended(NamedTuple):
    """Keys and mask that are attended to."""

    keys: Tensor
    """(B, S, A), W_k h; of a product with heads (B, H, S, D)."""
    values: Tensor
    """(B, S, C); of a product with heads (B, H, S, C)."""
    blocked: Tensor
    """(B, S), `masks.barrier` of what may be attended to."""


class AdditiveAttention:
    """Attention of one query a row, and its gradients, gathered step by step.

    The tanh of a sum is r = 1 / (1 + exp(2 W_q q) exp(2 W_k h)) as in `attention.scores.blocks`, the second factor made once a
    sentence; scores are -2 v . r and a constant, which softmax ignores.

    W_q (A, H) is in the type of products; v is (A,).
    """

    def __init__(self, query_weight: Tensor, v: Tensor, attended: Attended) -> None:
        self.query_weight, self.v, self.attended = query_weight, v, attended
        self.doubled = (2 * query_weight).t()  # (H, A)
        self.key_factors = factors(attended.keys)  # (B, S, A)
        self.inside = torch.empty_like(attended.keys)  # r, (B, S, A)
        self.one = attended.keys.new_ones(())
        self.pull = (-2 * v).unsqueeze(1)  # (A, 1): as a matrix, since torch takes twice as long with a vector
        self.blocked = attended.blocked.view(-1, 1)  # (B * S, 1)
        self.asked_size, self.context_size, self.rows = len(v), attended.values.shape[-1], len(attended.keys)

    def attend(self, query: Tensor, asked: Tensor, out: Tensor) -> Tensor:
        """Return contexts (B, C), given queries (B, H) in the type of products.

        `asked` (B, A), exp(2 W_q q), and the weights `out` (B, S) are written.
        """
        bounded_exp(multiply(query, self.doubled).to(asked.dtype), out=asked)
        scores = torch.addmm(self.blocked, self._compare(asked).flatten(0, 1), self.pull).view_as(out)
        torch.softmax(scores, dim=-1, out=out)
        return torch.bmm(out.unsqueeze(1), self.attended.values).squeeze(1)

    def _compare(self, asked: Tensor) -> Tensor:
        """r, (B, S, A)."""
        torch.addcmul(self.one, self.key_factors, asked.unsqueeze(1), out=self.inside)
        return self.inside.reciprocal_()

    def begin_backward(self, steps: int) -> None:
        """Make room for the gradients of so many steps."""
        self.by_keys = torch.zeros_like(self.attended.keys)  # without the factor 4 v, as is by_query
        self.by_v = self.one.new_zeros(1, self.asked_size)  # without the factor -2
        self.by_query = self.one.new_empty(steps, self.rows, self.asked_size)
        self.slope = torch.empty_like(self.inside)
        self.to_query = (4 * self.v).unsqueeze(1).to(self.query_weight.dtype) * self.query_weight

    def backward(self, step: int, asked: Tensor, alpha: Tensor, by_context: Tensor, by_state: Tensor) -> None:
        """Undo one `attend`, given what it wrote; the gradient of the query (B, H) is added to `by_state`.

        With g = V d c and e the scores: d e = alpha (g - sum alpha g),  d v = -2 sum d e r,  d (W_k h) = 4 v d e r (1 - r),
        d (W_q q) = its sum over s.
        """
        inside = self._compare(asked)
        by_alpha = torch.bmm(self.attended.values, by_context.unsqueeze(2)).squeeze(2)  # (B, S)
        by_scores = softmax_backward(by_alpha, alpha, -1, alpha.dtype)
        self.by_v.addmm_(by_scores.view(1, -1), inside.flatten(0, 1))
        torch.addcmul(inside, inside, inside, value=-1, out=self.slope)
        self.by_keys.addcmul_(self.slope, by_scores.unsqueeze(2))
        torch.bmm(by_scores.unsqueeze(1), self.slope, out=self.by_query[step].unsqueeze(1))
        add_product(by_state, self.by_query[step], self.to_query)

    def gradients(self, _: Tensor, alphas: Tensor, by_context: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of keys and values, given all weights and the gradients of all contexts (T, B, C)."""
        by_values = torch.bmm(alphas.permute(1, 2, 0), by_context.transpose(0, 1))
        return self.by_keys * (4 * self.v), by_values

    def gradients_of_weights(self, queries: Tensor, product: torch.dtype) -> tuple[Tensor, Tensor]:
        """Gradients of W_q and v, given all queries (T, B, H)."""
        return transposed_product(self.by_query, queries, product) * (4 * self.v).unsqueeze(1), self.by_v.squeeze(0) * -2


class FactoredKeys(NamedTuple):
    """Keys of B sentences for queries that come step by step: see `AdditiveAttention`."""

    factors: Tensor
    """(B, S, A), exp(2 W_k h)."""
    values: Tensor
    """(B, S, C)."""
    mask: Tensor
    """(B, S), True where may be attended to."""
    blocked: Tensor
    """(B, S), `masks.barrier` of that."""


def attend_factored(projected: Tensor, v: Tensor, keys: FactoredKeys) -> tuple[Tensor, Tensor]:
    """Additive attention of K queries a sentence, W_q q (B, K, A), to keys with something to attend to in each.

    Returns:
        Contexts (B, K, C) and weights (B, K, S).
    """
    inside = torch.addcmul(v.new_ones(()), keys.factors.unsqueeze(1), factors(projected).unsqueeze(2)).reciprocal_()
    scores = functional.linear(inside, (-2 * v).unsqueeze(0)).squeeze(3).add_(keys.blocked.unsqueeze(1))
    weights = softmax(scores)
    return torch.bmm(weights, keys.values), weights
