"""Attention among positions that fall into the same bucket of a locality-sensitive hash."""

import math
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.attention.masks import block, masked_softmax
from seq2seq.attention.mechanisms.base import HeadProjections, SelfAttention

BLOCK = 32
"""Positions of a bucket that are compared together."""


class LshCache(NamedTuple):
    """Earlier positions: keys and values (N, H, S, D), buckets (N, H, S, rounds)."""

    keys: Tensor
    values: Tensor
    buckets: Tensor

    def extend(self, more: Self) -> "LshCache":
        """Append positions."""
        return LshCache(*(torch.cat([old, new], dim=2) for old, new in zip(self, more, strict=True)))


class _Blocks(NamedTuple):
    """Positions of G = B * H rows sorted by bucket, each bucket cut into blocks of `BLOCK`, of which there are T."""

    positions: Tensor
    """(T, BLOCK), -1 where a block is not full."""
    slots: Tensor
    """(G, N), where each position is among the T * BLOCK; 0 for padding, which is in none."""
    first: Tensor
    """(G, C), the first block of each bucket."""
    numbers: Tensor
    """(G, C), blocks of each bucket."""

    @classmethod
    def of(cls, buckets: Tensor, count: int) -> Self:
        """Sort by bucket (G, N), 0 to count - 1, or `count` for padding; the positions of a bucket stay in order."""
        ordered, order = buckets.sort(dim=-1, stable=True)
        sizes = torch.zeros(len(buckets), count + 1, dtype=torch.long, device=buckets.device)
        sizes.scatter_add_(-1, buckets, torch.ones_like(buckets))
        blocks = (sizes + BLOCK - 1) // BLOCK
        blocks[:, count] = 0
        first = (blocks.flatten().cumsum(dim=0) - blocks.flatten()).view_as(blocks)
        rank = torch.arange(buckets.shape[-1], device=buckets.device) - (sizes.cumsum(dim=-1) - sizes).gather(-1, ordered)
        total = int(blocks.sum()) * BLOCK
        slots = (first.gather(-1, ordered) * BLOCK + rank).where(ordered < count, total)  # one more slot for all padding
        positions = torch.full((total + 1,), -1, device=buckets.device).scatter(0, slots.flatten(), order.flatten())
        back = torch.empty_like(slots).scatter(-1, order, slots)
        return cls(positions[:-1].view(-1, BLOCK), back.where(back < total, 0), first[:, :count], blocks[:, :count])

    def rows(self) -> Tensor:
        """(T,), which of the G rows each block is of."""
        return torch.arange(len(self.numbers), device=self.numbers.device).repeat_interleave(self.numbers.sum(dim=-1))

    def place(self, features: Tensor) -> Tensor:
        """Put features (G, N, X) into the blocks: (T, BLOCK, X), those of position 0 where there is none."""
        return features[self.rows().unsqueeze(-1), self.positions.clamp_min(0)]

    def collect(self, placed: Tensor) -> Tensor:
        """Take what is in the blocks (T, BLOCK, X) back to the positions: (G, N, X)."""
        return placed.flatten(0, 1)[self.slots]


class LshAttention(SelfAttention):
    """Reformer-style attention: softmax over the keys that share a bucket with the query in at least one round.

    The bucket of x is argmax([xR; -xR]) with R (D, buckets / 2) random, a round each (angular hash). `shared` is the paper's
    shared-QK attention: keys are queries of one length, and a position sees itself only if it sees nothing else. That length
    is sqrt(D), as in the authors' code in trax (a mean square of 1); the paper writes 1, which with its 1 / sqrt(D) makes
    scores sqrt(D) smaller. Two differences: R is drawn once, not at each call, so that a sentence always means the same; and
    buckets are taken whole, not cut into chunks of sorted positions, whose borders depend on padding. So it is their equation
    computed exactly, and a whole sequence costs the sum over rounds and buckets of their squared sizes, or N^2 where that is
    less.
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
        self.projections = HeadProjections(hidden_size=hidden_size, heads=heads, shared=shared)
        self.shared = shared
        self.causal = causal
        self.dropout = nn.Dropout(dropout)
        self.buckets = buckets
        self.register_buffer("rotations", torch.randn(heads, rounds, hidden_size // heads, buckets // 2))
        self.rotations: Tensor  # (H, rounds, D, buckets / 2)

    def read(self, states: Tensor, mask: Tensor, *, bidirectional: bool = False) -> tuple[Tensor, tuple[LshCache, Tensor]]:
        query, cache = self._project(states)
        size, causal = states.shape[1], self.causal and not bidirectional
        hashed = cache.buckets if self.shared else self.hash(query)
        blocks = self._blocks(hashed, cache.buckets, mask)
        compared = sum(int((asking.numbers * asked.numbers).sum()) for asking, asked in blocks) * BLOCK**2
        if compared < query.shape[:2].numel() * size**2:
            context = self._attend_in_blocks(query, hashed, cache, blocks, causal)
        else:
            context, _ = self._attend(query, cache, torch.arange(size, device=states.device), mask, causal)
        return context, (cache, mask)

    def start(self, states: Tensor) -> LshCache:
        heads, rounds, size, _ = self.rotations.shape
        nothing = states.new_zeros(len(states), heads, 0, size)
        return LshCache(nothing, nothing, nothing.new_zeros(len(states), heads, 0, rounds, dtype=torch.long))

    def step(self, states: Tensor, cache: LshCache, position: int) -> tuple[Tensor, LshCache]:
        query, newest = self._project(states)
        grown = cache.extend(newest)
        return self._attend(query, grown, torch.full((1,), position, device=states.device), None, True)[0], grown

    def follow(
        self, states: Tensor, read: tuple[LshCache, Tensor], past: LshCache, positions: Tensor, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None, LshCache]:
        query, newest = self._project(states)
        cache, real = read
        grown = past.extend(newest)
        rows, behind = grown.keys.shape[0], grown.keys.shape[2]
        mask = torch.cat([real, real.new_ones(rows, behind)], dim=1)
        places = torch.arange(positions.shape[1], device=states.device)[-states.shape[1] :]  # of the row, with its padding
        context, weights = self._attend(query, cache.extend(grown), places, mask, True)
        return context, weights[..., : real.shape[1]] if need_weights else None, grown

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

    def _attend(
        self, query: Tensor, cache: LshCache, positions: Tensor, mask: Tensor | None, causal: bool
    ) -> tuple[Tensor, Tensor]:
        """Context (B, Q, hidden_size) and weights (B, H, Q, S); arguments as for `_allowed`."""
        allowed = self._allowed(self.hash(query), cache.buckets, positions, mask, causal)  # (B, H, Q, S)
        weights = masked_softmax(query @ cache.keys.transpose(-1, -2) / math.sqrt(query.shape[-1]), allowed)
        return self.projections.merge(self.dropout(weights) @ cache.values), weights

    def _blocks(self, hashed: Tensor, buckets: Tensor, mask: Tensor) -> list[tuple[_Blocks, _Blocks]]:
        """Queries and keys by bucket, for each round."""
        found = []
        for each in [buckets] if self.shared else [hashed, buckets]:
            real = each.masked_fill(~mask[:, None, :, None], self.buckets)
            found.append([_Blocks.of(some, self.buckets) for some in real.flatten(0, 1).unbind(-1)])
        return list(zip(found[0], found[-1], strict=True))

    def _attend_in_blocks(
        self, query: Tensor, hashed: Tensor, cache: LshCache, blocks: list[tuple[_Blocks, _Blocks]], causal: bool
    ) -> Tensor:
        """The same as `_attend`, bucket by bucket: a pair that meets in c rounds has 1/c of its weight in each."""
        asks, hashed, *asked = (x.flatten(0, 1) for x in (query, hashed, *cache))  # (G, N, X)
        flat = LshCache(*asked)
        own = (asks * flat.keys).sum(dim=-1, keepdim=True) / math.sqrt(query.shape[-1])  # (G, N, 1)
        parts = [self._round(asks, hashed, flat, *both, causal) for both in blocks]
        if self.shared:  # a position sees itself if it sees nothing else
            own = block(own, torch.stack([total > 0 for _, total, _ in parts]).any(dim=0))
        highest = torch.stack([*(top for top, _, _ in parts), own.detach()]).amax(dim=0)
        total = (own - highest).exp()
        mixed = self.dropout(total) * flat.values
        for top, share, weighted in parts:
            factor = (top - highest).exp()
            total, mixed = total + factor * share, mixed + factor * weighted
        return self.projections.merge((mixed / total).view(query.shape))

    def _round(
        self, query: Tensor, hashed: Tensor, cache: LshCache, asking: _Blocks, asked: _Blocks, causal: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One round: the largest score of each query (G, N, 1), its sum of exponentials below that, and of weighted values."""
        keys, values, buckets = (asked.place(features) for features in cache)  # (T, BLOCK, X) each
        blocks = asking.numbers.flatten()  # of queries, by bucket
        many = asked.numbers.flatten().repeat_interleave(blocks)  # (T,), blocks of keys for a block of queries
        left = torch.arange(len(many), device=many.device).repeat_interleave(many)  # (P,), pairs of blocks
        start = asked.first.flatten().repeat_interleave(blocks) - (many.cumsum(dim=0) - many)
        right = start[left] + torch.arange(len(left), device=many.device)
        rows, columns = asking.positions[left].unsqueeze(-1), asked.positions[right].unsqueeze(-2)
        allowed = (rows != columns) & (columns >= 0) & ((columns <= rows) | (not causal))  # (P, BLOCK, BLOCK)
        met = torch.zeros_like(allowed, dtype=torch.int8)
        for one, other in zip(asking.place(hashed)[left].unbind(-1), buckets[right].unbind(-1), strict=True):
            met += one.unsqueeze(-1) == other.unsqueeze(-2)
        scores = asking.place(query)[left] @ keys[right].transpose(-1, -2) / math.sqrt(query.shape[-1])
        scores = block(scores - met.clamp_min(1).to(scores.dtype).log(), ~allowed)
        shape = asking.positions.shape
        lowest = scores.new_full(shape, torch.finfo(scores.dtype).min)
        top = lowest.scatter_reduce(0, left.unsqueeze(-1).expand(-1, BLOCK), scores.detach().amax(dim=-1), "amax")
        shares = (scores - top[left].unsqueeze(-1)).exp() * allowed
        total = scores.new_zeros(shape).index_add(0, left, shares.sum(dim=-1))
        mixed = scores.new_zeros(*shape, values.shape[-1]).index_add(0, left, self.dropout(shares) @ values[right])
        return asking.collect(top.unsqueeze(-1)), asking.collect(total.unsqueeze(-1)), asking.collect(mixed)

    def _allowed(
        self, query_buckets: Tensor, key_buckets: Tensor, positions: Tensor, mask: Tensor | None, causal: bool
    ) -> Tensor:
        """Mask of who sees whom, (B, H, Q, S); `positions` (Q,) are those of the queries, keys stand at 0..S-1."""
        allowed = torch.zeros(*query_buckets.shape[:-1], key_buckets.shape[2], dtype=torch.bool, device=positions.device)
        for query_round, key_round in zip(query_buckets.unbind(-1), key_buckets.unbind(-1), strict=True):
            allowed |= query_round.unsqueeze(-1) == key_round.unsqueeze(-2)
        keys_at = torch.arange(key_buckets.shape[2], device=positions.device)
        own = keys_at == positions.unsqueeze(-1)  # (Q, S)
        if mask is not None:
            allowed = allowed & mask[:, None, None, :]
        if causal:
            allowed = allowed & (keys_at <= positions.unsqueeze(-1))
        if not self.shared:
            return allowed | own  # queries and keys are hashed apart: some queries would see nothing
        others = allowed & ~own
        return others | (own & ~others.any(dim=-1, keepdim=True))
