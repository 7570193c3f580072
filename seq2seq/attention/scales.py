"""Scales: what the scores of a head are multiplied by before they are normalised."""

import math

import torch
from torch import Tensor, nn

from seq2seq.attention.described import Described


class Scale(Described):
    """A factor for each head, the same for all queries and keys; so it may as well be put on the query of a product.

    `width` is d, the features that the score multiplies or sums.
    """

    def __init__(self, *, heads: int, width: int) -> None:  # noqa: ARG002 (for a factor of each head)
        super().__init__()
        self.factor = 1 / math.sqrt(width)

    def forward(self, scores: Tensor) -> Tensor:
        """Scale (B, H, Q, anything), same shape."""
        raise NotImplementedError


class NoScale(Scale):
    """Scores as they are."""

    formula = "1"
    source = "Luong et al. 2015, arXiv:1508.04025, section 3.1"
    expects = "nothing for scores that are bounded (additive, cosine); products that grow with the width saturate the softmax"

    def forward(self, scores: Tensor) -> Tensor:
        return scores


class SqrtScale(Scale):
    """Scores over sqrt(d): the product of d features of unit variance keeps unit variance. The paper's d_k is our width."""

    formula = "1 / sqrt(d)"
    source = "Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1"
    expects = "products of unit variance at any width"

    def forward(self, scores: Tensor) -> Tensor:
        return scores * self.factor


class LearnedScale(Scale):
    """A trained factor for each head, 1 / sqrt(d) before training: the freedom of cosine's learned temperature."""

    formula = "g, learned for each head, from 1 / sqrt(d)"
    source = "this project; compare Henry et al. 2020, arXiv:2010.04245 (learned g in place of 1 / sqrt(d))"
    expects = "what sqrt does at first, then as sharp as the data want"

    def __init__(self, *, heads: int, width: int) -> None:
        super().__init__(heads=heads, width=width)
        self.gain = nn.Parameter(torch.full((heads, 1, 1), self.factor))

    def forward(self, scores: Tensor) -> Tensor:
        return scores * self.gain


SCALES: dict[str, type[Scale]] = {"none": NoScale, "sqrt": SqrtScale, "learned": LearnedScale}
