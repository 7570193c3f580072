"""The output layer: features to logits, alone or sharing its weights with an embedding, where it starts, and the loss."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_CHUNK_BYTES = 16 * 1024 * 1024
"""Logits of a chunk, in fp32."""


class Loss(NamedTuple):
    """Sums over the real target tokens of a batch."""

    smoothed: Tensor
    """Label-smoothed cross-entropy, nats, with gradient."""
    nats: Tensor
    """Plain cross-entropy, nats, without gradient."""


class _LinearCrossEntropy(torch.autograd.Function):
    """Output layer and smoothed cross-entropy, chunk by chunk: no logits are kept, gradients are made in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, wanted: Tensor, weight: Tensor, bias: Tensor, smoothing: float, matmul: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        table, vocabulary = weight.to(matmul), len(weight)
        gradients = torch.empty_like(features), torch.zeros_like(weight), torch.zeros_like(bias)
        by_features, by_weight, by_bias = gradients
        nats = smoothed = features.new_zeros(())
        size = max(1, _CHUNK_BYTES // (4 * vocabulary))
        parts = (torch.split(part, size) for part in (features, wanted.unsqueeze(1), by_features))
        for rows, target, by_rows in zip(*parts, strict=True):
            inputs = rows.to(matmul)
            logits = (inputs @ table.t()).to(rows.dtype).add_(bias)
            largest = logits.amax(dim=-1)
            scored, average = logits.gather(1, target).squeeze(1), logits.mean(dim=-1)
            chances = torch.softmax(logits, dim=-1, out=logits)
            norms = largest - chances.amax(dim=-1).log()  # log sum exp: passes of maxima cost less than one of exp
            nats = nats + (norms - scored).sum()
            smoothed = smoothed + (norms - (1 - smoothing) * scored - smoothing * average).sum()
            by_logits = chances.sub_(smoothing / vocabulary)  # p - s / V - (1 - s) onehot(y)
            by_logits.scatter_add_(1, target, by_logits.new_full(target.shape, smoothing - 1))
            by_bias += by_logits.sum(dim=0)
            by_logits = by_logits.to(matmul)
            by_rows.copy_(by_logits @ table)
            by_weight += by_logits.t() @ inputs  # sums over chunks stay fp32
        ctx.save_for_backward(*gradients)
        ctx.mark_non_differentiable(nats)
        return smoothed, nats

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        by_features, by_weight, by_bias = (found * grad for found in ctx.saved_tensors)
        return by_features, None, by_weight, by_bias, None, None


def linear_cross_entropy(features: Tensor, wanted: Tensor, output: nn.Linear, smoothing: float) -> Loss:
    """Score the predictions of an output layer with a bias, as fast as torch's cross-entropy and in a fraction of its memory.

    Smoothing follows Szegedy et al. 2016 (arXiv:1512.00567, section 7) with a uniform prior over the whole vocabulary:
    (1 - s) * -log p(y) + s * mean over v of -log p(v). Matmuls are in the autocast type if there is one, sums in fp32.

    Args:
        features: (M, output_size).
        wanted: (M,) tokens.
        output: the layer that gives logits (M, V).
        smoothing: s, 0 to 1.
    """
    kind = features.device.type
    matmul = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else output.weight.dtype
    with torch.autocast(kind, enabled=False):
        features = features.to(output.weight.dtype)
        loss = _LinearCrossEntropy.apply(features, wanted, output.weight, output.bias, smoothing, matmul)  # type: ignore[no-untyped-call]
    return Loss(*loss)


def real_positions(features: Tensor, targets: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Keep the features (M, output_size) and targets (M,) of real positions, so that padding costs no logits."""
    real = mask.flatten().nonzero().flatten()
    return features.flatten(0, 1).index_select(0, real), targets.flatten().index_select(0, real)


def build_output(size: int, vocabulary: int, tied_to: nn.Embedding | None = None) -> nn.Linear:
    """Return a linear layer with a bias; its matrix is the embedding's (V, size) where it is tied (Press and Wolf 2017)."""
    output = nn.Linear(size, vocabulary)
    nn.init.zeros_(output.bias)
    if tied_to is None:
        nn.init.xavier_uniform_(output.weight)
    else:
        output.weight = tied_to.weight
    return output


def start_at_frequencies(output: nn.Linear, counts: NDArray[np.int64]) -> None:
    """Set the bias to log relative frequencies, so that an untrained model predicts each token as often as it occurs.

    Without it the first hundred updates teach exactly that, and teach it by driving a tanh before the layer into saturation,
    from where it comes back slowly. `counts` (V,) are of the training split; one is added to each.
    """
    share = (counts + 1) / (counts.sum() + len(counts))
    with torch.no_grad():
        output.bias.copy_(torch.from_numpy(np.log(share)))
