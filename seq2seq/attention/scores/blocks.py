"""Additive scores of many queries on a CPU, a block at a time: the (B, Q, S, A) inside of the score is never kept.

The formula is that of `AdditiveScore`. With y = exp(2 q) exp(2 k), of which each factor is made once, and r = 1 / (1 + y),

    tanh(q + k) = 1 - 2 r,    score = sum(v) - 2 v . r,    d score / d q = d score / d k = 4 v r (1 - r).

The backward pass computes r again, so that both passes read and write a block that the processor's cache holds.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

_NUMBERS = 1 << 17
"""Of a block: half a MiB in fp32."""


def additive_scores(query: Tensor, keys: Tensor, v: Tensor) -> Tensor:
    """Return v . tanh(q + k), (B, H, Q, S) in the dtype of v (H, A), of projected queries (B, H, Q, A), keys (B, H, S, A).

    Exponents are held within +-80 so that factors stay finite: a tanh is wrong only where a query and a key of more than 40
    cancel each other.
    """
    heads = [_Scores.apply(query[:, h], keys[:, h], v[h]) for h in range(len(v))]  # type: ignore[no-untyped-call]
    return torch.stack(heads, dim=1)


class _Scores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor, v: Tensor) -> Tensor:
        by_query, by_key = factors(query.to(v.dtype)), factors(keys.to(v.dtype))  # (B, Q, A), (B, S, A)
        scores = v.new_empty(len(query), query.shape[1], keys.shape[1])
        for rows, inside in _inside(by_query, by_key):
            scores[rows] = functional.linear(inside, (-2 * v).unsqueeze(0)).squeeze(-1)
        ctx.save_for_backward(by_query, by_key, v)
        ctx.dtypes = query.dtype, keys.dtype
        return scores.add_(v.sum())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        by_query, by_key, v = ctx.saved_tensors
        query_grad, key_grad, v_grad = torch.empty_like(by_query), torch.zeros_like(by_key), torch.zeros_like(v).unsqueeze(0)
        for rows, inside in _inside(by_query, by_key):
            part = grad[rows]
            v_grad.addmm_(part.reshape(1, -1), inside.flatten(0, 2))
            slope = inside.addcmul_(inside, inside, value=-1)  # r (1 - r), in the place of r
            query_grad[rows] = torch.matmul(part.unsqueeze(2), slope).squeeze(2)
            key_grad[rows[0]] += slope.mul_(part.unsqueeze(-1)).sum(dim=1)
        of_query, of_key = ctx.dtypes
        v_grad = grad.sum() - 2 * v_grad.squeeze(0)
        return query_grad.mul_(4 * v).to(of_query), key_grad.mul_(4 * v).to(of_key), v_grad


def _inside(by_query: Tensor, by_key: Tensor) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
    """Yield r (b, q, S, A) block by block, with the sentences and queries it belongs to."""
    (count, queries, size), one = by_query.shape, by_query.new_ones(())
    fitting = max(1, _NUMBERS // (by_key.shape[1] * size))  # pairs of sentence and query
    sentences, width = max(1, fitting // queries), min(queries, fitting)
    for row in range(0, count, sentences):
        for first in range(0, queries, width):
            rows = slice(row, row + sentences), slice(first, first + width)
            yield rows, torch.addcmul(one, by_query[rows].unsqueeze(2), by_key[rows[0]].unsqueeze(1)).reciprocal_()


def factors(projected: Tensor) -> Tensor:
    """Return exp(2 x), finite."""
    return bounded_exp(projected * 2)


def bounded_exp(numbers: Tensor, out: Tensor | None = None) -> Tensor:
    """Return exp(x), finite and more than zero; `numbers` are overwritten."""
    limit = 700.0 if numbers.dtype == torch.float64 else 80.0
    return torch.exp(numbers.clamp_(-limit, limit), out=out)
