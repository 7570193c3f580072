"""The loss: cross-entropy in nats per real target token, label-smoothed, without logits for padding.

The output layer dominates small models. Its product and the cross-entropy are therefore computed together, a few hundred
positions at a time, so that logits stay in the processor's cache and are never kept for the backward pass.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_BLOCK_BYTES = 4 * 1024 * 1024
"""Logits of a block on a CPU, in fp32: a few passes are made over them, so they should stay in a cache."""

_CHUNK_BYTES = 32 * 1024 * 1024
"""What blocks pass back on a CPU, in the type of products, before it is multiplied: products want many rows."""


class Loss(NamedTuple):
    """Sums over the real target tokens of a batch."""

    smoothed: Tensor
    """Label-smoothed cross-entropy, nats, with gradient."""
    nats: Tensor
    """Plain cross-entropy, nats, without gradient."""


class _Gradients(NamedTuple):
    """Of the smoothed loss."""

    features: Tensor
    """(M, D)."""
    weight: Tensor
    """(V, D)."""
    bias: Tensor | None
    """(V,)."""


class _Layer(NamedTuple):
    """The output layer, and what is wanted of it."""

    table: Tensor
    """(V, D), in the type of products."""
    bias: Tensor | None
    """(V,), in the type of sums."""
    smoothing: float


class _LinearCrossEntropy(torch.autograd.Function):
    """Output layer and smoothed cross-entropy in one, chunk by chunk; gradients are made on the way forward.

    With logits z = W x + b, l = logsumexp(z), p = softmax(z) and M positions,

        loss = l - (1 - s) z_y - s mean(z),    d loss / d z = p - (1 - s) onehot(y) - s / V.

    The two smoothing terms are linear in z, so they never touch logits: mean(z) = mean_v(W) x + mean(b), and their gradient
    is a constant row for x and for W. Of each (M, V) array there is one pass for p and one for each of the three products.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, wanted: Tensor, weight: Tensor, bias: Tensor | None, smoothing: float, product: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        table, inputs = weight.to(product), features.to(product)
        needed = ctx.needs_input_grad[0] or ctx.needs_input_grad[2]
        gradients = (
            _Gradients(torch.empty_like(features), torch.zeros_like(weight), None if bias is None else torch.zeros_like(bias))
            if needed
            else None
        )
        total, picked = _each_chunk(inputs, wanted, _Layer(table, bias, smoothing), gradients)
        nats = (total - picked).sum()
        mean_weight = weight.mean(dim=0)  # (D,)
        mean_logits = (features @ mean_weight).sum() + (0.0 if bias is None else len(features) * bias.mean())
        smoothed = nats + smoothing * (picked.sum() - mean_logits) if smoothing else nats.clone()
        if gradients is not None and smoothing:
            gradients.features.sub_(smoothing * mean_weight)
            gradients.weight.sub_(features.sum(dim=0) * (smoothing / len(weight)))
            if gradients.bias is not None:
                gradients.bias.sub_(smoothing * len(features) / len(weight))
        ctx.save_for_backward(*(gradients or (None, None, None)))
        ctx.mark_non_differentiable(nats)
        return smoothed, nats

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        by_features, by_weight, by_bias = (None if g is None else g * grad for g in ctx.saved_tensors)
        return by_features, None, by_weight, by_bias, None, None


def _each_chunk(inputs: Tensor, wanted: Tensor, layer: _Layer, gradients: _Gradients | None) -> tuple[Tensor, Tensor]:
    """Return logsumexp and the wanted logit of every position, both (M,), and add up what logits pass back.

    Logits live for a block, which a cache holds; what they pass back is multiplied a chunk at a time, which is many blocks.

    Args:
        inputs: (M, D), in the type of products.
        wanted: (M,) tokens.
        layer: makes logits.
        gradients: where p - (1 - s) onehot(y) is carried to; None if nowhere.
    """
    kind = torch.float64 if inputs.dtype == torch.float64 else torch.float32
    vocabulary, count = len(layer.table), max(1, len(inputs))
    size = min(count, _rows(inputs, _CHUNK_BYTES, vocabulary * inputs.element_size()))
    height = min(size, _rows(inputs, _BLOCK_BYTES, vocabulary * kind.itemsize))
    logits = inputs.new_empty(height, vocabulary, dtype=kind)
    room = inputs.new_empty(size, vocabulary)
    found = []
    for first in range(0, count, size):
        rows = slice(first, first + size)
        passed = room[: len(inputs[rows])]
        blocks = (torch.split(part, height) for part in (inputs[rows], wanted[rows].unsqueeze(1), passed))
        for block, target, by_logits in zip(*blocks, strict=True):
            chances = by_logits if gradients is not None and room.dtype == kind else logits[: len(block)]
            found.append(_block(block, target, layer, logits[: len(block)], chances))
            if gradients is not None:
                _into(by_logits, chances, target, layer.smoothing, gradients)
        if gradients is not None:
            _pass_back(passed, inputs[rows], layer.table, gradients, rows)
    return torch.cat([total for total, _ in found]), torch.cat([picked for _, picked in found])


def _block(inputs: Tensor, target: Tensor, layer: _Layer, logits: Tensor, chances: Tensor) -> tuple[Tensor, Tensor]:
    """Write logits (R, V) and then probabilities, which may take their place; see `_each_chunk` for what is returned."""
    if layer.table.dtype == logits.dtype:
        torch.mm(inputs, layer.table.t(), out=logits)
    else:
        logits.copy_(inputs @ layer.table.t())
    if layer.bias is not None:
        logits += layer.bias
    highest, picked = logits.amax(dim=-1), logits.gather(1, target).squeeze(1)
    torch.softmax(logits, dim=-1, out=chances)
    return highest - chances.amax(dim=-1).log(), picked  # the largest p is at least 1 / V: never log 0


def _into(by_logits: Tensor, chances: Tensor, target: Tensor, smoothing: float, gradients: _Gradients) -> None:
    """Turn probabilities into what logits pass back, in the type of products."""
    chances.scatter_add_(1, target, chances.new_full(target.shape, smoothing - 1))
    if gradients.bias is not None:
        gradients.bias.add_(chances.sum(dim=0))
    if by_logits is not chances:
        by_logits.copy_(chances)


def _pass_back(by_logits: Tensor, inputs: Tensor, table: Tensor, gradients: _Gradients, rows: slice) -> None:
    if table.dtype == gradients.weight.dtype:
        torch.mm(by_logits, table, out=gradients.features[rows])
        gradients.weight.addmm_(by_logits.t(), inputs)
    else:
        gradients.features[rows] = by_logits @ table
        gradients.weight.add_(by_logits.t() @ inputs)  # sums over chunks stay fp32


def _rows(like: Tensor, most: int, row_bytes: int) -> int:
    """Number of rows to hold at a time."""
    return max(1, most // row_bytes) if like.device.type == "cpu" else 8192


def linear_cross_entropy(features: Tensor, wanted: Tensor, output: nn.Linear, smoothing: float) -> Loss:
    """Score the predictions of an output layer.

    Smoothing follows Szegedy et al. 2016 (arXiv:1512.00567, section 7) with a uniform prior over the whole vocabulary:
    (1 - s) * -log p(y) + s * mean over v of -log p(v). Products are in the autocast type if there is one, sums in fp32.

    Args:
        features: (M, output_size).
        wanted: (M,) tokens.
        output: the layer that gives logits (M, V).
        smoothing: s, 0 to 1.
    """
    kind = features.device.type
    product = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else output.weight.dtype
    with torch.autocast(kind, enabled=False):
        smoothed, nats = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
            features.to(output.weight.dtype), wanted, output.weight, output.bias, smoothing, product
        )
    return Loss(smoothed=smoothed, nats=nats)


def real_positions(features: Tensor, targets: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Keep the features (M, output_size) and targets (M,) of real positions, so that padding costs no logits."""
    real = mask.flatten().nonzero().flatten()
    return features.flatten(0, 1).index_select(0, real), targets.flatten().index_select(0, real)
