"""Scores that add query and key inside a tanh: additive, sum_tanh, mlp, location_aware, coverage."""

import math
from typing import Unpack

import torch
from torch import Tensor, nn

from seq2seq.attention.heads import HeadLinear
from seq2seq.attention.keys import Past
from seq2seq.attention.scores.base import Score, Sizes
from seq2seq.attention.scores.blocks import additive_scores


class SumScore(Score):
    """Common part of the family: W_q q + W_k k for every pair of query and key, the second term made once per sentence."""

    def __init__(self, **sizes: Unpack[Sizes]) -> None:
        super().__init__(**sizes)
        self.query_proj = HeadLinear(heads=self.heads, in_features=sizes["query_size"], out_features=self.width)
        self.key_proj = HeadLinear(heads=self.heads, in_features=sizes["memory_size"], out_features=self.width)

    def project_keys(self, memory: Tensor) -> Tensor:
        projected: Tensor = self.key_proj(memory)  # (B, H, S, A)
        return projected

    def draw_v(self) -> nn.Parameter:
        """A vector v for each head, (H, A)."""
        return nn.Parameter(torch.empty(self.heads, self.width).uniform_(-1, 1) / math.sqrt(self.width))

    def hidden(self, query: Tensor, keys: Tensor, more: Tensor | None = None) -> Tensor:
        """Add and squash: (B, H, Q, query_size), (B, H, S, A) and, if given, (B, H, Q, S, A) -> (B, H, Q, S, A)."""
        total = self.query_proj(query).unsqueeze(3) + keys.unsqueeze(2)
        return torch.tanh(total if more is None else total + more)


class AdditiveScore(SumScore):
    """Additive ("MLP") attention: score = v . tanh(W_q q + W_k k).

    With `weight_norm`: score = g v / |v| . tanh(W_q q + W_k k + b), g = 1 / sqrt(A) and b = 0 before training.

    The paper's annotation h_j is our memory, its energy e_ij our score, W_a and U_a our W_q and W_k, v_a our v, n' our A, the
    attention_size. Luong's concat (section 3.1) is the same formula with W_a = [W_q W_k]. The normalised form is Salimans and
    Kingma 2016, arXiv:1602.07868, equation 2, as in tf-nmt. No projection has a bias.
    """

    formula = "score = v . tanh(W_q q + W_k k)"
    source = "Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2"
    expects = "scores bounded by the length of v, at home with any sizes; Q x S x A tanh, so the most expensive of all"

    def __init__(self, *, weight_norm: bool = False, **sizes: Unpack[Sizes]) -> None:
        super().__init__(**sizes)
        self.v = self.draw_v()
        self.gain = nn.Parameter(torch.full((self.heads, 1), 1 / math.sqrt(self.width))) if weight_norm else None
        self.bias = nn.Parameter(torch.zeros(self.heads, 1, self.width)) if weight_norm else None

    def project_keys(self, memory: Tensor) -> Tensor:
        projected = super().project_keys(memory)
        return projected if self.bias is None else projected + self.bias  # b is the same for every query: add it here, once

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        v = self.v if self.gain is None else self.gain * self.v / self.v.norm(dim=-1, keepdim=True)  # (H, A)
        if query.shape[2] > 1 and query.device.type == "cpu":
            return additive_scores(self.query_proj(query), keys, v)
        return weighted_sum(self.hidden(query, keys), v)


class LocationAwareScore(AdditiveScore):
    """Additive, knowing where the step before looked: score = v . tanh(W_q q + W_k k + U f), f_s = F * last around s.

    F * last is a convolution of the weights of the step before, of each head for itself; at the first step they are zero.
    The paper's w, W, V, alpha_{i-1} are our v, W_q, W_k, last; they add a bias inside the tanh.

    `filters` are the features of f (their k), `width` the tokens on each side of s in it (their r is 2 width + 1).
    """

    formula = "score = v . tanh(W_q q + W_k k + U f), f = F * last weights"
    source = "Chorowski et al. 2015, arXiv:1506.07503, equations 8-9"
    expects = "to go on from where it looked, so that of equal words the next is chosen; made for speech, which never reorders"
    position_blind = False
    reads_past = True

    def __init__(self, *, filters: int = 10, width: int = 3, **sizes: Unpack[Sizes]) -> None:
        super().__init__(**sizes)
        heads = self.heads
        self.convolution = nn.Conv1d(heads, heads * filters, 2 * width + 1, padding=width, groups=heads, bias=False)
        self.past_proj = HeadLinear(heads=heads, in_features=filters, out_features=self.width)

    def forward(self, query: Tensor, keys: Tensor, past: Past | None = None) -> Tensor:
        if past is None:
            return super().forward(query, keys)
        last = past.last.transpose(1, 2)  # (B, Q, H, S)
        features = self.convolution(last.flatten(0, 1)).view(*last.shape[:3], -1, last.shape[-1])  # (B, Q, H, filters, S)
        around = features.permute(0, 2, 1, 4, 3)  # (B, H, Q, S, filters)
        more = self.past_proj(around.flatten(2, 3)).view(*past.last.shape, -1)  # (B, H, Q, S, A)
        return weighted_sum(self.hidden(query, keys, more), self.v)


class CoverageScore(AdditiveScore):
    """Additive, knowing what has been covered: score = v . tanh(W_q q + W_k k + u c), c_s the sum of all weights of s so far.

    The paper's linguistic coverage with fertility 1: every token is to have as much weight in total as every other. Its V_a is
    our u. At the first step c is zero.
    """

    formula = "score = v . tanh(W_q q + W_k k + u c), c = sum of earlier weights"
    source = "Tu et al. 2016, arXiv:1601.04811, section 3 (linguistic coverage, fertility 1)"
    expects = "fewer words translated twice or left out, since what has had its weight can be told from what has not"
    reads_past = True

    def __init__(self, **sizes: Unpack[Sizes]) -> None:
        super().__init__(**sizes)
        self.past_proj = HeadLinear(heads=self.heads, in_features=1, out_features=self.width)

    def forward(self, query: Tensor, keys: Tensor, past: Past | None = None) -> Tensor:
        if past is None:
            return super().forward(query, keys)
        covered = past.total.flatten(2).unsqueeze(-1)  # (B, H, Q * S, 1)
        more = self.past_proj(covered).view(*past.total.shape, -1)  # (B, H, Q, S, A)
        return weighted_sum(self.hidden(query, keys, more), self.v)


class SumTanhScore(SumScore):
    """Additive without v: score = sum over A of tanh(W_q q + W_k k). Luong's concat has a v, and is `additive`."""

    formula = "score = sum tanh(W_q q + W_k k)"
    source = "Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2, with v = 1"
    expects = "close to additive; scores begin sqrt(3 A) times larger, so the softmax begins sharper"

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return self.hidden(query, keys).sum(dim=-1)


class MlpScore(SumScore):
    """A deeper network: score = v . tanh(W_L ... tanh(W_2 tanh(W_q q + W_k k))), L hidden layers.

    The paper names a feedforward network and keeps it to one hidden layer because it is evaluated for every pair of tokens. No
    layer has a bias. With L = 1 this is additive.
    """

    formula = "score = v . tanh(W_2 tanh(W_q q + W_k k))"
    source = "after Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2, with more hidden layers"
    expects = "no better than additive, whose one layer can already tell any query from any key, at A times the products"

    def __init__(self, *, layers: int = 2, **sizes: Unpack[Sizes]) -> None:
        super().__init__(**sizes)
        self.v = self.draw_v()
        self.layers = nn.ModuleList(
            HeadLinear(heads=self.heads, in_features=self.width, out_features=self.width) for _ in range(layers - 1)
        )

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        hidden = self.hidden(query, keys)  # (B, H, Q, S, A)
        pairs = hidden.flatten(2, 3)  # (B, H, Q * S, A)
        for layer in self.layers:
            pairs = torch.tanh(layer(pairs))
        return weighted_sum(pairs.view_as(hidden), self.v)


def weighted_sum(hidden: Tensor, v: Tensor) -> Tensor:
    """Multiply the last dimension of (B, H, Q, S, A) by the v of its head (H, A): (B, H, Q, S)."""
    if v.shape[0] == 1:
        return hidden @ v[0]
    return (hidden.flatten(2, 3) @ v.unsqueeze(-1)).view(hidden.shape[:-1])
