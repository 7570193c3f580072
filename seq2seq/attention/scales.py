"""Scales: what the scores of a head are multiplied by before they are normalised."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn


class Scale(nn.Module):
    """A factor for each head, the same for all queries and keys; so it may as well be put on the query of a product.

    Args:
        heads: H, > 0.
        width: d, the features that the score multiplies or sums, > 0.
    """

    formula: ClassVar[str]
    source: ClassVar[str]
    expects: ClassVar[str]

    def __init__(self, *, heads: int, width: int) -> None:  # noqa: ARG002 (for a factor of each head)
        super().__init__()
        self.factor = 1 / math.sqrt(width)

    def forward(self, scores: Tensor) -> Tensor:
        """Scale (B, H, Q, anything), same shape."""
        raise NotImplementedError


class NoScale(Scale):
    """Scores as they are. Source: Luong et al. 2015, arXiv:1508.04025, section 3.1, which scales nothing."""

    formula = "1"
    source = "Luong et al. 2015, arXiv:1508.04025, section 3.1"
    expects = "nothing for scores that are bounded (additive, cosine); products that grow with the width saturate the softmax"

    def forward(self, scores: Tensor) -> Tensor:
        return scores


class SqrtScale(Scale):
    """Scores over sqrt(d): the product of d features of unit variance keeps unit variance.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1 and its footnote; their d_k is our width.
    """

    formula = "1 / sqrt(d)"
    source = "Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1"
    expects = "products of unit variance at any width"

    def forward(self, scores: Tensor) -> Tensor:
        return scores * self.factor


class LearnedScale(Scale):
    """A trained factor for each head, 1 / sqrt(d) before training.

    Source: ours as a part on its own; the same freedom as the learned temperature of cosine attention.
    """

    formula = "g, learned for each head, from 1 / sqrt(d)"
    source = "this project; compare Henry et al. 2020, arXiv:2010.04245 (learned g in place of 1 / sqrt(d))"
    expects = "what sqrt does at first, then as sharp as the data want"

    def __init__(self, *, heads: int, width: int) -> None:
        super().__init__(heads=heads, width=width)
        self.gain = nn.Parameter(torch.full((heads, 1, 1), self.factor))

    def forward(self, scores: Tensor) -> Tensor:
        return scores * self.gain


SCALES: dict[str, type[Scale]] = {"none": NoScale, "sqrt": SqrtScale, "learned": LearnedScale}
