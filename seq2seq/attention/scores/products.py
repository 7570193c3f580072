"""Scores that multiply: dot, scaled, bilinear, cosine."""

import math
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.attention.heads import HeadLinear
from seq2seq.attention.scores.base import ProductScore, Sizes


class DotScore(ProductScore):
    """Dot product: score = q . k. No parameters; query and memory must be of one size.

    The paper's target state h_t is our query, its source state h_s our key and memory.
    """

    formula = "score = q . k"
    source = "Luong et al. 2015, arXiv:1508.04025, section 3.1 (dot)"
    expects = (
        "the variance of a score grows with the number of features: at large width the softmax saturates and learns slowly"
    )
    equal_sizes = True


class ScaledDotScore(DotScore):
    """Dot product over the root of its features: score = q . k / sqrt(d), d = query_size of a head, the paper's d_k.

    Their Q K^T is made after the projections of section 3.2.2, which are here the work of `Attention`.
    """

    formula = "score = q . k / sqrt(d)"
    source = "Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1"
    expects = (
        "the variance of a score stays near 1 at any width if features have variance 1, so that the softmax starts out soft; "
        "on raw GRU states, which are far smaller, it starts nearly uniform and takes longer to choose"
    )

    def project_query(self, query: Tensor) -> Tensor:
        return query * (1 / math.sqrt(self.width))  # the query, not the scores: fewer numbers, the same product


class BilinearScore(ProductScore):
    """Bilinear ("general"): score = q . W k; with a rank r, W = U^T V and score = U q . V k.

    Our W is the W_a of Luong et al.; it is applied to the memory, once per sentence. The low rank is the multiplicative
    <W_1 h, W_2 s> of Britz et al.
    """

    formula = "score = q . W k (W = U^T V with a rank)"
    source = "Luong et al. 2015, arXiv:1508.04025, section 3.1 (general); Britz et al. 2017, arXiv:1703.03906, section 4.5"
    expects = "what dot does, with a learned notion of likeness; query and memory may differ in size"

    def __init__(self, *, rank: int | None = None, **sizes: Unpack[Sizes]) -> None:
        super().__init__(**sizes)
        query_size = sizes["query_size"]
        self.width = rank or query_size
        self.key_proj = HeadLinear(heads=self.heads, in_features=sizes["memory_size"], out_features=self.width)
        self.query_proj = HeadLinear(heads=self.heads, in_features=query_size, out_features=rank) if rank else None

    def project_keys(self, memory: Tensor) -> Tensor:
        projected: Tensor = self.key_proj(memory)  # (B, H, S, r or query_size)
        return projected

    def project_query(self, query: Tensor) -> Tensor:
        return query if self.query_proj is None else self.query_proj(query)


class CosineScore(ProductScore):
    """Cosine over a temperature: score = cos(q, k) / tau, tau = exp(log_temperature) of each head, learned.

    The paper's key strength beta_t is our 1 / tau; the controller emits theirs at every step, ours is a parameter. A vector of
    zeros has cosine 0 with everything. `temperature` is tau before training.
    """

    formula = "score = cos(q, k) / tau, tau learned"
    source = "Graves et al. 2014, arXiv:1410.5401, equations 5-6"
    expects = "scores within +-1/tau at any width: never saturated, and only as sharp as tau lets them be"
    equal_sizes = True

    def __init__(self, *, temperature: float = 0.1, **sizes: Unpack[Sizes]) -> None:
        super().__init__(**sizes)
        self.log_temperature = nn.Parameter(torch.full((self.heads,), math.log(temperature)))

    def project_keys(self, memory: Tensor) -> Tensor:
        return F.normalize(memory, dim=-1)

    def project_query(self, query: Tensor) -> Tensor:
        return F.normalize(query, dim=-1) * torch.exp(-self.log_temperature).view(-1, 1, 1)
