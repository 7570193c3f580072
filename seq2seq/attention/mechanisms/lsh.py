"""Attention among positions that fall into the same bucket of a locality-sensitive hash."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.attention.masks import masked_softmax
from seq2seq.attention.mechanisms.base import HeadProjections, SelfAttention, empty_heads


class LshCache(NamedTuple):
    """Earlier positions: keys and values (N, H, S, D), buckets (N, H, S, rounds)."""

    keys: Tensor
    values: Tensor
    buckets: Tensor


class LshAttention(SelfAttention):
    """Reformer-style attention: softmax over the keys that share a bucket with the query in at least one round.

    The bucket of x is argmax([xR; -xR]) with R (D, buckets / 2) random, a round each (angular hash).
    Source: Kitaev et al. 2020, arXiv:2001.04451, section 2. `shared` is their shared-QK attention: keys are queries of one
    length, and a position sees itself only if it sees nothing else. That length is sqrt(D), as in the authors' code in trax
    (a mean square of 1); the paper writes 1, which with its 1 / sqrt(D) makes scores sqrt(D) smaller. Two differences: R is
    drawn once, not at each call, so that a sentence always means the same; and the set of keys is taken whole, not cut into
    chunks of sorted positions, whose borders depend on padding. It is their equation computed exactly, at the cost of full
    attention.

    Args:
        hidden_size: features of a state.
        heads: H.
        buckets: 1 or even.
        rounds: independent hashes.
        shared: one projection for queries and keys.
        causal: s <= p only.
        dropout: probability of dropping a weight.
    """

    formula = "softmax over {s: hash(k_s) = hash(q_p) in some round} of q.k/sqrt(D), hash(x) = argmax([xR; -xR])"
    source = "Kitaev et al. 2020, arXiv:2001.04451, section 2"
    expects = (
        "close to full attention if the rounds are many; bad where a query needs a key unlike itself (computed here "
        "exactly, at the cost of full attention)"
    )

    def __init__(
        self, *, hidden_size: int, heads: int, buckets: int, rounds: int, shared: bool, causal: bool, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if buckets != 1 and buckets % 2:
            raise ValueError(f"buckets {buckets}: the hash has a bucket for each direction and its opposite, so 1 or even")
        self.projections = HeadProjections(hidden_size=hidden_size, heads=heads, shared=shared)
        self.shared = shared
        self.causal = causal
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("rotations", torch.randn(heads, rounds, hidden_size // heads, buckets // 2))
        self.rotations: Tensor  # (H, rounds, D, buckets / 2)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        query, cache = self._project(states)
        positions = torch.arange(states.shape[1], device=states.device)
        return self._attend(query, cache, positions, mask)

    def start(self, states: Tensor) -> LshCache:
        heads, rounds, size, _ = self.rotations.shape
        return LshCache(
            keys=empty_heads(states, heads, size),
            values=empty_heads(states, heads, size),
            buckets=empty_heads(states, heads, rounds).long(),
        )

    def step(self, states: Tensor, cache: LshCache, position: int) -> tuple[Tensor, LshCache]:
        query, newest = self._project(states)
        grown = LshCache(*(torch.cat([old, new], dim=2) for old, new in zip(cache, newest, strict=True)))
        return self._attend(query, grown, torch.full((1,), position, device=states.device), None), grown

    def hash(self, features: Tensor) -> Tensor:
        """Bucket of each vector in each round: (B, H, N, D) to (B, H, N, rounds)."""
        if self.rotations.shape[-1] == 0:  # one bucket
            return torch.zeros(*features.shape[:-1], self.rotations.shape[1], dtype=torch.long, device=features.device)
        turned = torch.einsum("bhnd,hrdk->bhnrk", features.detach(), self.rotations.to(features.dtype))
        return torch.cat([turned, -turned], dim=-1).argmax(dim=-1)

    def _project(self, states: Tensor) -> tuple[Tensor, LshCache]:
        query, keys, values = self.projections.split(states)
        if self.shared:
            keys = F.normalize(keys, dim=-1) * math.sqrt(keys.shape[-1])
        return query, LshCache(keys=keys, values=values, buckets=self.hash(keys))

    def _attend(self, query: Tensor, cache: LshCache, positions: Tensor, mask: Tensor | None) -> Tensor:
        allowed = self._allowed(self.hash(query), cache.buckets, positions, mask)  # (B, H, Q, S)
        scores = query @ cache.keys.transpose(-1, -2) / math.sqrt(query.shape[-1])  # (B, H, Q, S)
        return self.projections.merge(self.dropout(masked_softmax(scores, allowed)) @ cache.values)

    def _allowed(self, query_buckets: Tensor, key_buckets: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        """Mask of who sees whom, (B, H, Q, S); `positions` (Q,) are those of the queries, keys stand at 0..S-1."""
        allowed = torch.zeros(*query_buckets.shape[:-1], key_buckets.shape[2], dtype=torch.bool, device=positions.device)
        for query_round, key_round in zip(query_buckets.unbind(-1), key_buckets.unbind(-1), strict=True):
            allowed |= query_round.unsqueeze(-1) == key_round.unsqueeze(-2)
        keys_at = torch.arange(key_buckets.shape[2], device=positions.device)
        own = keys_at == positions.unsqueeze(-1)  # (Q, S)
        if mask is not None:
            allowed = allowed & mask[:, None, None, :]
        if self.causal:
            allowed = allowed & (keys_at <= positions.unsqueeze(-1))
        if not self.shared:
            return allowed | own  # queries and keys are hashed apart: some queries would see nothing
        others = allowed & ~own
        return others | (own & ~others.any(dim=-1, keepdim=True))
