"""Scores that add query and key inside a tanh: additive, sum_tanh, mlp."""

import math

import torch
from torch import Tensor, nn

from seq2seq.attention.heads import HeadLinear
from seq2seq.attention.scores.base import Score


class SumScore(Score):
    """What this family shares: W_q q + W_k k for every pair of query and key, the second term made once per sentence."""

    def __init__(self, *, heads: int, query_size: int, memory_size: int, attention_size: int) -> None:
        super().__init__(heads=heads, query_size=query_size, memory_size=memory_size, attention_size=attention_size)
        self.query_proj = HeadLinear(heads=heads, in_features=query_size, out_features=attention_size)
        self.key_proj = HeadLinear(heads=heads, in_features=memory_size, out_features=attention_size)

    def project_keys(self, memory: Tensor) -> Tensor:
        projected: Tensor = self.key_proj(memory)  # (B, H, S, A)
        return projected

    def hidden(self, query: Tensor, keys: Tensor) -> Tensor:
        """Add and squash: (B, H, Q, query_size), (B, H, S, A) -> (B, H, Q, S, A)."""
        return torch.tanh(self.query_proj(query).unsqueeze(3) + keys.unsqueeze(2))


class AdditiveScore(SumScore):
    """Additive ("MLP") attention: score = v . tanh(W_q q + W_k k).

    With `weight_norm`: score = g v / |v| . tanh(W_q q + W_k k + b), g = 1 / sqrt(A) and b = 0 before training.

    Source: Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2. Their annotation h_j is our memory, their energy e_ij our
    score, W_a and U_a our W_q and W_k, v_a our v, n' our A. Luong's concat (section 3.1) is the same formula with
    W_a = [W_q W_k]. The normalised form is Salimans and Kingma 2016, arXiv:1602.07868, equation 2, as in tf-nmt.
    No projection has a bias.

    Args:
        heads: H, > 0.
        query_size: features of a query, > 0.
        memory_size: features of the memory, > 0.
        attention_size: A, features of the comparison space, > 0.
        weight_norm: give v a learned length, and the tanh a bias.
    """

    formula = "score = v . tanh(W_q q + W_k k)"
    source = "Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2"
    expects = "scores bounded by the length of v, at home with any sizes; memory of Q x S x A numbers, so the dearest of all"

    def __init__(
        self, *, heads: int, query_size: int, memory_size: int, attention_size: int, weight_norm: bool = False
    ) -> None:
        super().__init__(heads=heads, query_size=query_size, memory_size=memory_size, attention_size=attention_size)
        self.v = nn.Parameter(torch.empty(heads, attention_size).uniform_(-1, 1) / math.sqrt(attention_size))
        self.gain = nn.Parameter(torch.full((heads, 1), 1 / math.sqrt(attention_size))) if weight_norm else None
        self.bias = nn.Parameter(torch.zeros(heads, 1, attention_size)) if weight_norm else None

    def project_keys(self, memory: Tensor) -> Tensor:
        projected = super().project_keys(memory)
        return projected if self.bias is None else projected + self.bias  # b is the same for every query: add it here, once

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        v = self.v if self.gain is None else self.gain * self.v / self.v.norm(dim=-1, keepdim=True)  # (H, A)
        return weighted_sum(self.hidden(query, keys), v)


class SumTanhScore(SumScore):
    """Additive without v: score = sum over A of tanh(W_q q + W_k k).

    Source: Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2, with v_a = 1. Its name was concat
    once; Luong's score of that name has a v, and is `additive`.
    """

    formula = "score = sum tanh(W_q q + W_k k)"
    source = "Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2, with v = 1"
    expects = "close to additive; scores begin sqrt(3 A) times larger, so the softmax begins sharper"

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return self.hidden(query, keys).sum(dim=-1)


class MlpScore(SumScore):
    """A deeper network: score = v . tanh(W_L ... tanh(W_2 tanh(W_q q + W_k k))), L hidden layers.

    Source: Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2, who name a feedforward network and keep it to one hidden
    layer because it is evaluated for every pair of tokens. No layer has a bias.

    Args:
        heads: H, > 0.
        query_size: features of a query, > 0.
        memory_size: features of the memory, > 0.
        attention_size: A, features of each hidden layer, > 0.
        layers: L, >= 1; with one this is additive.
    """

    formula = "score = v . tanh(W_2 tanh(W_q q + W_k k))"
    source = "after Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2, with more hidden layers"
    expects = "no better than additive, whose one layer can already tell any query from any key, at A times the products"

    def __init__(self, *, heads: int, query_size: int, memory_size: int, attention_size: int, layers: int = 2) -> None:
        super().__init__(heads=heads, query_size=query_size, memory_size=memory_size, attention_size=attention_size)
        self.v = nn.Parameter(torch.empty(heads, attention_size).uniform_(-1, 1) / math.sqrt(attention_size))
        self.layers = nn.ModuleList(
            HeadLinear(heads=heads, in_features=attention_size, out_features=attention_size) for _ in range(layers - 1)
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
