"""Attention among positions that fall into the same bucket of a locality-sensitive hash."""

import math
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.attention.masks import block, masked_softmax
from seq2seq.attention.mechanisms.base import HeadProjections, SelfAttention, empty_heads


class LshCache(NamedTuple):
    """What earlier positions offer: keys and values (N, H, S, D), buckets (N, H, S, rounds)."""

    keys: Tensor
    values: Tensor
    buckets: Tensor


class _Table(NamedTuple):
    """Positions sorted into C buckets of m slots, in each of R rounds."""

    positions: Tensor
    """(B, H, R, C, m), -1 where a bucket is not full."""
    slots: Tensor
    """(B, H, R, N), where each position is among the C * m; 0 for padding, which is in none."""
    size: int
    """m, positions in the largest bucket."""

    @classmethod
    def of(cls, buckets: Tensor, real: Tensor, count: int) -> Self:
        """Sort by bucket (B, H, N, R), the positions of each in order; `real` (B, N), True at real tokens."""
        where = torch.where(real[:, None, None], buckets.transpose(2, 3), count)  # (B, H, R, N), padding comes last
        ordered, order = where.sort(dim=-1, stable=True)
        sizes = torch.zeros(*where.shape[:-1], count + 1, dtype=torch.long, device=where.device)
        sizes.scatter_add_(-1, where, torch.ones_like(where))
        first = sizes.cumsum(dim=-1) - sizes
        even = -(-where.shape[-1] // count)  # what is assumed where there are shapes and no numbers
        size = even if where.is_meta else max(1, int(sizes[..., :count].max()))
        slots = ordered * size + torch.arange(where.shape[-1], device=where.device) - first.gather(-1, ordered)
        slots = slots.where(ordered < count, count * size)  # one more slot for all padding
        positions = torch.full((*where.shape[:-1], count * size + 1), -1, device=where.device).scatter(-1, slots, order)
        back = torch.empty_like(slots).scatter(-1, order, slots)
        return cls(positions[..., :-1].unflatten(-1, (count, size)), back.where(back < count * size, 0), size)

    def place(self, features: Tensor) -> Tensor:
        """Put features (B, H, N, X) into the slots: (B, H, R, C, m, X), those of position 0 where there is none."""
        index = self.positions.clamp_min(0).flatten(2).unsqueeze(-1)
        return features.gather(2, index.expand(-1, -1, -1, features.shape[-1])).unflatten(2, self.positions.shape[2:])

    def collect(self, placed: Tensor) -> Tensor:
        """Take what is in the slots (B, H, R, C, m, X) back to the positions: (B, H, R, N, X)."""
        return placed.flatten(3, 4).gather(3, self.slots.unsqueeze(-1).expand(-1, -1, -1, -1, placed.shape[-1]))


class LshAttention(SelfAttention):
    """Reformer-style attention: softmax over the keys that share a bucket with the query in at least one round.

    The bucket of x is argmax([xR; -xR]) with R (D, buckets / 2) random, a round each (angular hash).
    Source: Kitaev et al. 2020, arXiv:2001.04451, section 2. `shared` is their shared-QK attention: keys are queries of one
    length, and a position sees itself only if it sees nothing else. That length is sqrt(D), as in the authors' code in trax
    (a mean square of 1); the paper writes 1, which with its 1 / sqrt(D) makes scores sqrt(D) smaller. Two differences: R is
    drawn once, not at each call, so that a sentence always means the same; and buckets are taken whole, not cut into chunks of
    sorted positions, whose borders depend on padding. So it is their equation computed exactly, and its cost follows the
    largest bucket, m: rounds x N x m comparisons of a whole sequence, or N^2 where that is less.

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
        "close to full attention if the rounds are many; bad where a query needs a key unlike itself; cost grows with N if "
        "buckets grow with it and stay even"
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
        self.buckets = buckets
        self.register_buffer("rotations", torch.randn(heads, rounds, hidden_size // heads, buckets // 2))
        self.rotations: Tensor  # (H, rounds, D, buckets / 2)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        query, cache = self._project(states)
        size = states.shape[1]
        real = states.new_ones(states.shape[:2], dtype=torch.bool) if mask is None else mask
        hashed = cache.buckets if self.shared else self.hash(query)
        tables = [_Table.of(buckets, real, self.buckets) for buckets in (hashed, cache.buckets)]
        if len(self.rotations[0]) * max(table.size for table in tables) < size:
            return self._attend_in_buckets(query, cache, hashed, *tables)
        return self._attend(query, cache, torch.arange(size, device=states.device), mask)

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

    def _attend_in_buckets(self, query: Tensor, cache: LshCache, hashed: Tensor, asking: "_Table", asked: "_Table") -> Tensor:
        """The same as `_attend`, bucket by bucket: a pair that meets in c rounds has 1/c of its weight in each."""
        left, right = asking.place(query), asked.place(cache.keys)  # (B, H, R, C, m, D)
        scores = left @ right.transpose(-1, -2) / math.sqrt(query.shape[-1])  # (B, H, R, C, m, m')
        rows, columns = asking.positions.unsqueeze(-1), asked.positions.unsqueeze(-2)
        allowed = (rows != columns) & (columns >= 0) & ((columns <= rows) | (not self.causal))
        met = torch.zeros_like(scores, dtype=torch.long)
        for one, other in zip(asking.place(hashed).unbind(-1), asked.place(cache.buckets).unbind(-1), strict=True):
            met += one.unsqueeze(-1) == other.unsqueeze(-2)
        scores = block(scores - met.clamp_min(1).to(scores.dtype).log(), ~allowed)
        top = scores.detach().amax(dim=-1)
        shares = (scores - top.unsqueeze(-1)).exp() * allowed
        mixed = asking.collect(self.dropout(shares) @ asked.place(cache.values))  # (B, H, R, N, D)
        total, top, others = (asking.collect(x.unsqueeze(-1)) for x in (shares.sum(dim=-1), top, allowed.any(dim=-1)))
        own = (query * cache.keys).sum(dim=-1, keepdim=True).unsqueeze(2) / math.sqrt(query.shape[-1])  # (B, H, 1, N, 1)
        if self.shared:
            own = block(own, others.any(dim=2, keepdim=True))
        highest = torch.maximum(top.amax(dim=2, keepdim=True), own.detach())
        factor, alone = (top - highest).exp(), (own - highest).exp()  # (B, H, R, N, 1), (B, H, 1, N, 1)
        weighted = (factor * mixed).sum(dim=2) + self.dropout(alone[:, :, 0]) * cache.values
        return self.projections.merge(weighted / ((factor * total).sum(dim=2) + alone[:, :, 0]))

    def _allowed(self, query_buckets: Tensor, key_buckets: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        """Who sees whom, (B, H, Q, S); `positions` (Q,) are those of the queries, keys stand at 0..S-1."""
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
