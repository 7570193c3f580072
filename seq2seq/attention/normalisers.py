"""Normalisers: how the scores of a row become its weights, among the allowed tokens only."""

from typing import ClassVar

import torch
from entmax import entmax15, sparsemax
from torch import Tensor, nn

from seq2seq.attention.masks import block, masked_softmax


class Normaliser(nn.Module):
    """Scores to weights, row by row. A row with nothing to attend to gets zero weights and finite gradients."""

    formula: ClassVar[str]
    source: ClassVar[str]
    expects: ClassVar[str]

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Normalise.

        Args:
            scores: (B, H, Q, S), unbounded.
            mask: broadcastable to `scores`, True may attend.

        Returns:
            (B, H, Q, S), >= 0, zero where `mask` forbids.
        """
        raise NotImplementedError


class Softmax(Normaliser):
    """weight_s = exp(score_s) / sum exp(score).

    Source: Bahdanau et al. 2015, arXiv:1409.0473, equation 6; their alpha_ij is our weight.
    """

    formula = "softmax(score)"
    source = "Bahdanau et al. 2015, arXiv:1409.0473, equation 6"
    expects = "some weight on every token, always a gradient for all of them"

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        return masked_softmax(scores, mask)


class Sparsemax(Normaliser):
    """The distribution nearest to the scores: argmin_p |p - score|^2, that is max(0, score_s - tau).

    Source: Martins and Astudillo 2016, arXiv:1602.02068, equation 2 and algorithm 1; their z is our score. The `entmax`
    library computes it.
    """

    formula = "max(0, score - tau), tau such that the sum is 1"
    source = "Martins and Astudillo 2016, arXiv:1602.02068, equation 2"
    expects = "few tokens with weight, exactly none on the rest, which then have no gradient either"

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        blocked = ~mask
        weights: Tensor = sparsemax(block(scores, blocked), dim=-1)
        return weights.masked_fill(blocked, 0.0)


class Entmax15(Normaliser):
    """Half way between softmax and sparsemax: max(0, score_s / 2 - tau)^2.

    Source: Peters et al. 2019, arXiv:1905.05702, section 3 (alpha = 1.5); their z is our score. The `entmax` library
    computes it.
    """

    formula = "max(0, score / 2 - tau)^2, tau such that the sum is 1"
    source = "Peters et al. 2019, arXiv:1905.05702, section 3"
    expects = "sparse like sparsemax, smooth like softmax near the edge of its support"

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        blocked = ~mask
        weights: Tensor = entmax15(block(scores, blocked), dim=-1)
        return weights.masked_fill(blocked, 0.0)


class Sigmoid(Normaliser):
    """Each token for itself: weight_s = sigmoid(score_s - log n), n the number of allowed tokens. Rows sum to 0..n.

    Source: Ramapuram et al. 2024, arXiv:2409.04431, section 2, with their bias b = -log n, which makes equal scores of 0 sum
    to nearly one. Their n is the padded length of all sequences; ours is counted from the mask, so that padding changes
    nothing.
    """

    formula = "sigmoid(score - log n)"
    source = "Ramapuram et al. 2024, arXiv:2409.04431, section 2"
    expects = "a context whose length is free: nothing to see gives a context near zero"

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        allowed = mask.sum(dim=-1, keepdim=True).clamp(min=1).to(scores.dtype)  # n: (B, 1, Q or 1, 1)
        return torch.sigmoid(scores - allowed.log()).masked_fill(~mask, 0.0)


class TopK(Normaliser):
    """Softmax among the k largest scores; all others get zero. Scores that tie with the k-th stay in.

    Source: Zhao et al. 2019, arXiv:1912.11637 (explicit sparse Transformer).

    Args:
        k: tokens that may have weight, > 0.
    """

    formula = "softmax over the k largest scores"
    source = "Zhao et al. 2019, arXiv:1912.11637 (explicit sparse Transformer)"
    expects = "softmax with its tail cut off: nothing lost on short sources, less noise on long ones"

    def __init__(self, *, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        lowered = block(scores, ~mask)
        last = lowered.topk(min(self.k, scores.shape[-1]), dim=-1).values[..., -1:]  # (B, H, Q, 1), the k-th largest
        return masked_softmax(scores, mask & (lowered >= last))


NORMALISERS: dict[str, type[Normaliser]] = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax15": Entmax15,
    "sigmoid": Sigmoid,
    "top_k": TopK,
}
