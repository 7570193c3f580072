"""Attention for queries that come step by step, additive or by products, the backward pass by hand.

The formulas are those of `attention.scores.AdditiveScore`, which needs no tanh a step here, and of `DotScore` with heads.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq.attention.masks import softmax
from seq2seq.attention.scores.blocks import bounded_exp, factors
from seq2seq.models.kernels.gru import add_product, multiply, transposed_product, write_product

_NUMBERS = 1 << 20
"""Of a block of keys, which a processor's cache holds: 4 MiB in fp32."""

softmax_backward = torch.ops.aten._softmax_backward_data


class Attended(NamedTuple):
    """Keys and mask that are attended to."""

    keys: Tensor
    """(B, S, A), W_k h, or its factors exp(2 W_k h) for `attend_factored`; of a product with heads (B, H, S, D)."""
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
        self.one = attended.keys.new_ones(())
        self.pull = (-2 * v).unsqueeze(1)  # (A, 1): as a matrix, since torch takes twice as long with a vector
        self.asked_size, self.context_size, self.rows = len(v), attended.values.shape[-1], len(attended.keys)
        self.block = max(1, _NUMBERS // attended.keys[0].numel()) if v.device.type == "cpu" else self.rows  # sentences
        self.key_factors = torch.split(factors(attended.keys), self.block)  # each (b, S, A)
        self.blocked = [part.reshape(-1, 1) for part in torch.split(attended.blocked, self.block)]  # each (b * S, 1)
        self.turned = attended.values.transpose(1, 2)
        self.room = torch.empty_like(attended.keys[: self.block])

    def attend(self, query: Tensor, asked: Tensor, out: Tensor) -> Tensor:
        """Return contexts (B, C), given queries (B, H) in the type of products.

        `asked` (B, A), exp(2 W_q q), and the weights `out` (B, S) are written.
        """
        bounded_exp(multiply(query, self.doubled).to(asked.dtype), out=asked)
        scores = torch.empty_like(out)
        for inside, blocked, part in zip(self._inside(asked), self.blocked, torch.split(scores, self.block), strict=True):
            torch.addmm(blocked, inside.flatten(0, 1), self.pull, out=part.view(-1, 1))
        torch.softmax(scores, dim=-1, out=out)
        return torch.bmm(out.unsqueeze(1), self.attended.values).squeeze(1)

    def _inside(self, asked: Tensor) -> Iterator[Tensor]:
        """Yield r (b, S, A) block by block, each in the place of the one before."""
        for keys, queries in zip(self.key_factors, torch.split(asked.unsqueeze(1), self.block), strict=True):
            inside = self.room[: len(keys)]
            torch.addcmul(self.one, keys, queries, out=inside)
            yield inside.reciprocal_()

    def begin_backward(self, steps: int) -> None:
        """Make room for the gradients of so many steps."""
        self.by_keys = torch.zeros_like(self.attended.keys)  # without the factor 4 v, as is by_query
        self.by_v = self.one.new_zeros(1, self.asked_size)  # without the factor -2
        self.by_query = self.one.new_empty(steps, self.rows, self.asked_size)
        self.to_query = (4 * self.v).unsqueeze(1).to(self.query_weight.dtype) * self.query_weight

    def backward(self, step: int, asked: Tensor, alpha: Tensor, by_context: Tensor, by_state: Tensor) -> None:
        """Undo one `attend`, given what it wrote; the gradient of the query (B, H) is added to `by_state`.

        With g = V d c and e the scores: d e = alpha (g - sum alpha g),  d v = -2 sum d e r,  d (W_k h) = 4 v d e r (1 - r),
        d (W_q q) = its sum over s.
        """
        # (B, S); values times a column, as one would write it, take up to twelve times as long on a CPU
        by_alpha = torch.bmm(by_context.unsqueeze(1), self.turned).squeeze(1)
        by_scores = softmax_backward(by_alpha, alpha, -1, alpha.dtype).unsqueeze(1)
        parts = (torch.split(each, self.block) for each in (by_scores, self.by_keys, self.by_query[step].unsqueeze(1)))
        for inside, part, by_keys, by_query in zip(self._inside(asked), *parts, strict=True):
            self.by_v.addmm_(part.reshape(1, -1), inside.flatten(0, 1))
            slope = inside.addcmul_(inside, inside, value=-1)  # r (1 - r), in the place of r
            by_keys.addcmul_(slope, part.transpose(1, 2))
            torch.bmm(part, slope, out=by_query)
        add_product(by_state, self.by_query[step], self.to_query)

    def gradients(self, _: Tensor, alphas: Tensor, by_context: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of keys and values, given all weights and the gradients of all contexts (T, B, C)."""
        by_values = torch.bmm(alphas.permute(1, 2, 0), by_context.transpose(0, 1))
        return self.by_keys * (4 * self.v), by_values

    def gradients_of_weights(self, queries: Tensor, product: torch.dtype) -> tuple[Tensor, Tensor]:
        """Gradients of W_q and v, given all queries (T, B, H)."""
        return transposed_product(self.by_query, queries, product) * (4 * self.v).unsqueeze(1), self.by_v.squeeze(0) * -2


class ProductAttention:
    """Attention of one query a row with H heads, and its gradients, gathered step by step.

    Where there is a scale it is in W_q (H * D, Q), in the type of products, and the projection of the output is in whatever
    reads the context; v, of additive attention, is passed through.
    """

    def __init__(self, query_weight: Tensor, v: Tensor, attended: Attended) -> None:
        self.query_weight, self.v, self.attended = query_weight, v, attended
        self.keys, self.values = attended.keys.flatten(0, 1), attended.values.flatten(0, 1)  # (B * H, S, D), (B * H, S, C)
        self.turned = self.keys.transpose(1, 2)
        heads = attended.keys.shape[1]
        self.rows, self.asked_size, self.context_size = len(self.keys), len(query_weight), heads * self.values.shape[-1]
        self.blocked = attended.blocked.repeat_interleave(heads, dim=0).unsqueeze(1)  # (B * H, 1, S)

    def attend(self, query: Tensor, asked: Tensor, out: Tensor) -> Tensor:
        """Return contexts (B, H * C), given queries (B, Q) in the type of products.

        `asked` (B, H * D), W_q q, and the weights `out` (B * H, S) are written.
        """
        write_product(query, self.query_weight.t(), asked)
        scores = torch.baddbmm(self.blocked, asked.view(self.rows, 1, -1), self.turned)
        torch.softmax(scores.squeeze(1), dim=-1, out=out)
        return torch.bmm(out.unsqueeze(1), self.values).view(len(query), -1)

    def begin_backward(self, steps: int) -> None:
        """Make room for the gradients of so many steps."""
        count, length, size = self.keys.shape
        self.by_query = self.keys.new_empty(steps, count, 1, size)
        self.by_scores = self.keys.new_empty(steps, count, length)

    def backward(self, step: int, _: Tensor, alpha: Tensor, by_context: Tensor, by_state: Tensor) -> None:
        """Undo one `attend`, given the weights it wrote; the gradient of the query (B, Q) is added to `by_state`.

        With g = V d c and e the scores: d e = alpha (g - sum alpha g),  d (W_q q) = K d e.
        """
        by_alpha = torch.bmm(by_context.reshape(self.rows, 1, -1), self.values.transpose(1, 2)).squeeze(1)  # (B * H, S)
        softmax_backward(by_alpha, alpha, -1, alpha.dtype, grad_input=self.by_scores[step])
        torch.bmm(self.by_scores[step].unsqueeze(1), self.keys, out=self.by_query[step])
        add_product(by_state, self.by_query[step].view(len(by_state), -1), self.query_weight)

    def gradients(self, asked: Tensor, alphas: Tensor, by_context: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of keys and values, given what all steps wrote and the gradients of their contexts (T, B, H * C)."""
        steps = len(asked)
        by_keys = self.by_scores.permute(1, 2, 0) @ asked.view(steps, self.rows, -1).transpose(0, 1)
        by_values = alphas.permute(1, 2, 0) @ by_context.reshape(steps, self.rows, -1).transpose(0, 1)
        return by_keys.view_as(self.attended.keys), by_values.view_as(self.attended.values)

    def gradients_of_weights(self, queries: Tensor, product: torch.dtype) -> tuple[Tensor, Tensor]:
        """Gradient of W_q, given all queries (T, B, Q), and v."""
        return transposed_product(self.by_query.view(*queries.shape[:2], -1), queries, product), self.v


def attend_factored(projected: Tensor, v: Tensor, attended: Attended) -> tuple[Tensor, Tensor]:
    """Additive attention of K queries a sentence, W_q q (B, K, A), to factors of keys, something to attend to in each sentence.

    Returns:
        Contexts (B, K, C) and weights (B, K, S).
    """
    inside = torch.addcmul(v.new_ones(()), attended.keys.unsqueeze(1), factors(projected).unsqueeze(2)).reciprocal_()
    scores = functional.linear(inside, (-2 * v).unsqueeze(0)).squeeze(3).add_(attended.blocked.unsqueeze(1))
    weights = softmax(scores)
    return torch.bmm(weights, attended.values), weights
