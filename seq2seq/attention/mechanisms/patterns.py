"""Mechanisms that only say who sees whom: the comparison is any score of the family, with any relation of positions."""

import operator
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F

from seq2seq.attention.attention import Attention, Part
from seq2seq.attention.keys import AttentionOutput, Keys
from seq2seq.attention.mechanisms.base import SelfAttention
from seq2seq.attention.mechanisms.pool import Pool
from seq2seq.attention.positions import Places, Relation
from seq2seq.attention.windows import GlobalWindow


class FullAttention(SelfAttention):
    """Everyone sees everyone, or, if causal, all that stands before; `relation` is what the comparison knows of positions."""

    formula = "p sees every s (decoder: s <= p)"
    source = "Vaswani et al. 2017, arXiv:1706.03762, section 3.2.3"
    expects = "the yardstick: cost and memory grow with the square of the length"

    def __init__(self, *, attention: Attention, relation: Relation, causal: bool) -> None:
        super().__init__()
        self.attention = attention
        self.relation = relation
        self.causal = causal

    def sees(self, query_positions: Tensor, key_positions: Tensor) -> Tensor | None:  # noqa: ARG002 (everyone sees everyone)
        """The pattern without causality: (Q, S), or (B, Q, S) where rows have positions of their own; None for everyone."""
        return None

    def read(self, states: Tensor, mask: Tensor, *, bidirectional: bool = False) -> tuple[Tensor, Keys]:
        keys, positions = self.project_keys(states, mask), torch.arange(states.shape[1], device=states.device)
        return self.attend(states, keys, positions, positions, bidirectional=bidirectional).context, keys

    def follow(
        self, states: Tensor, read: Keys, past: Keys, positions: Tensor, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None, Keys]:
        grown = past.extend(self.project_keys(states))
        newest = positions[:, -states.shape[1] :]
        seen = self.attend(states, read.extend(grown), newest, positions, need_weights=need_weights)
        return seen.context, None if seen.weights is None else seen.weights[..., : read.mask.shape[1]], grown

    def no_past(self, states: Tensor) -> Keys:
        return self.project_keys(states.new_zeros(states.shape[0], 0, self.attention.context_size))

    def start(self, states: Tensor) -> Keys | Pool:
        keys = self.no_past(states)
        can_pool = self.attention.score.position_blind and isinstance(self.attention.window, GlobalWindow)
        return Pool.empty(keys) if can_pool else keys

    def step(self, states: Tensor, cache: Keys | Pool, position: int) -> tuple[Tensor, Keys | Pool]:
        if isinstance(cache, Pool):
            pool = cache.append(self.project_keys(states), position)
            mask, places = pool.view()  # (B, K, P), (P,); what is in a pool stands before what asks
            asking, here = states.view(*mask.shape[:2], -1), places.new_full(mask.shape[1:2], position)
            output = self.attend(asking, pool.keys(), here, places, bidirectional=True, mask=mask)
            return output.context.reshape(states.shape), pool
        grown = cache.extend(self.project_keys(states))
        positions = torch.arange(position + 1, device=states.device)
        return self.attend(states, grown, positions[-1:], positions).context, grown

    def project_keys(self, states: Tensor, mask: Tensor | None = None) -> Keys:
        """Keys and values of states (B, N, hidden_size); mask (B, N), None if all are real tokens."""
        if mask is None:
            mask = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
        return self.attention.project_keys(states, mask)

    def attend(
        self,
        states: Tensor,
        keys: Keys,
        query_positions: Tensor,
        key_positions: Tensor,
        *,
        mask: Tensor | None = None,
        bidirectional: bool = False,
        need_weights: bool = False,
    ) -> AttentionOutput:
        """Attend within the pattern.

        Args:
            states: (B, Q, hidden_size), who asks.
            keys: of S positions.
            query_positions: (Q,) or (B, Q).
            key_positions: (S,) or (B, S).
            mask: (B, Q, S), True may attend, on top of the pattern and the mask of the keys.
            bidirectional: lift causality for this call.
            need_weights: return weights (B, H, Q, S).
        """
        parts = [mask, self.sees(query_positions, key_positions)]
        if self.causal and not bidirectional:
            parts.append(key_positions.unsqueeze(-2) <= query_positions.unsqueeze(-1))  # (Q, S) or (B, Q, S)
        masks = [part for part in parts if part is not None]
        output: AttentionOutput = self.attention(
            states,
            keys,
            mask=reduce(operator.and_, masks) if masks else None,
            positions=query_positions,
            key_positions=key_positions,
            relation=self.relation,
            need_weights=need_weights,
        )
        return output


class WindowAttention(FullAttention):
    """p sees its neighbours, |p - s| <= width.

    The paper's w, half on each side, is 2 width. Long sequences are cut into blocks of `width` queries, each with the keys of
    its own block and of those beside it, so that cost grows with N.
    """

    formula = "p sees s if |p - s| <= width (decoder: and s <= p)"
    source = "Beltagy et al. 2020, arXiv:2004.05150, section 3.1"
    expects = "linear cost in length; what lies further away arrives through several layers or not at all"

    def __init__(self, *, attention: Attention, relation: Relation, causal: bool, width: int) -> None:
        super().__init__(attention=attention, relation=relation, causal=causal)
        self.width = width

    def sees(self, query_positions: Tensor, key_positions: Tensor) -> Tensor | None:
        return (key_positions.unsqueeze(-2) - query_positions.unsqueeze(-1)).abs() <= self.width

    def read(self, states: Tensor, mask: Tensor, *, bidirectional: bool = False) -> tuple[Tensor, Keys]:
        size, width = states.shape[1], self.width
        if size <= 3 * width or not self.attention.score.position_blind:  # what counts places in the row cannot be cut
            return super().read(states, mask, bidirectional=bidirectional)
        blocks = -(-size // width)
        padded = F.pad(states, (0, 0, 0, blocks * width - size))  # (B, n * width, D)
        reach = width * (2 if self.causal and not bidirectional else 3)  # keys a block sees: before it, its own, after
        keys = self.project_keys(states, mask)
        around = _overlapping(keys, width, blocks, reach)  # (B * n, H, reach, A)
        here = torch.arange(reach, device=states.device)  # relations know only the distance: count from the block's first key
        asking, places = padded.view(-1, width, states.shape[-1]), here[width : 2 * width]
        context = self.attend(asking, around, places, here, bidirectional=bidirectional).context
        return context.reshape(padded.shape)[:, :size], keys


class StridedAttention(FullAttention):
    """p sees its neighbours and every stride-th position: |p - s| <= stride or (p - s) mod stride = 0.

    The strided pattern (section 4.3; their l is our stride), both parts of it in one head ("merged", section 5.1). The paper is
    causal; an encoder looks both ways. Written as a table with `stride` columns, a long sequence compares neighbours in blocks
    of rows and distant positions within columns: N (3 stride + N / stride) comparisons, not N^2.
    """

    formula = "p sees s if |p - s| <= stride or (p - s) mod stride = 0 (decoder: and s <= p)"
    source = "Child et al. 2019, arXiv:1904.10509, sections 4.3 and 5.1"
    expects = (
        "every position within two layers of every other; made for data with a period, which text has not; cost grows with "
        "N^1.5 if the stride grows with sqrt(N)"
    )

    def __init__(self, *, attention: Attention, relation: Relation, causal: bool, stride: int) -> None:
        super().__init__(attention=attention, relation=relation, causal=causal)
        self.stride = stride

    def sees(self, query_positions: Tensor, key_positions: Tensor) -> Tensor:
        distance = (key_positions.unsqueeze(-2) - query_positions.unsqueeze(-1)).abs()
        return (distance <= self.stride) | (distance % self.stride == 0)

    def read(self, states: Tensor, mask: Tensor, *, bidirectional: bool = False) -> tuple[Tensor, Keys]:
        size, stride, causal = states.shape[1], self.stride, self.causal and not bidirectional
        if size <= 3 * stride or not self.attention.score.position_blind:  # what counts places in the row cannot be cut
            return super().read(states, mask, bidirectional=bidirectional)
        rows, blocks = states.shape[0], -(-size // stride)
        padded = F.pad(states, (0, 0, 0, blocks * stride - size))  # (B, n * stride, D)
        keys = self.project_keys(padded, F.pad(mask, (0, blocks * stride - size)))
        here = torch.arange(stride * (2 if causal else 3), device=states.device)  # keys before a block, its own, after
        around = _overlapping(keys, stride, blocks, len(here))  # of B * n blocks
        near = Part(
            cut=lambda x: torch.unflatten(x, 2, (blocks, stride)).transpose(1, 2).flatten(0, 1),
            join=lambda x: torch.unflatten(x, 0, (rows, blocks)).transpose(1, 2).flatten(2, 3),
            keys=around,
            allowed=around.mask[:, None, None] & _distant(here[stride : 2 * stride], here, 0, stride, causal),
            places=Places(self.relation, here[stride : 2 * stride], here),
        )

        def column(x: Tensor) -> Tensor:  # (B, H, n * stride, X) -> (B * stride, H, n, X)
            return torch.unflatten(x, 2, (blocks, stride)).permute(0, 3, 1, 2, 4).flatten(0, 1)

        seen = column(keys.mask[:, None, :, None])[:, 0, :, 0]  # (B * stride, n)
        down = stride * torch.arange(blocks, device=states.device)
        far = Part(
            cut=column,
            join=lambda x: torch.unflatten(x, 0, (rows, stride)).permute(0, 2, 3, 1, 4).flatten(2, 3),
            keys=Keys(keys=column(keys.keys), values=column(keys.values), mask=seen),
            allowed=seen[:, None, None] & _distant(down, down, stride + 1, size, causal),
            places=Places(self.relation, down, down),
        )
        read = Keys(keys=keys.keys[:, :, :size], values=keys.values[:, :, :size], mask=keys.mask[:, :size])
        return self.attention.over_parts(padded, (near, far))[:, :size], read


def _distant(queries: Tensor, keys: Tensor, least: int, most: int, causal: bool) -> Tensor:
    """(Q, S), whether a query may see a key at a distance from `least` to `most`."""
    distance = queries.unsqueeze(-1) - keys
    return (distance.abs() >= least) & (distance.abs() <= most) & ((distance >= 0) | (not causal))


def _overlapping(keys: Keys, width: int, blocks: int, reach: int) -> Keys:
    """Give each of n blocks the `reach` keys from the one before it on: rows B become B * n, sentence by sentence."""
    after = (blocks - 2) * width + reach - keys.mask.shape[1]

    def cut(features: Tensor) -> Tensor:  # (B, H, S, A) -> (B * n, H, reach, A)
        windows = F.pad(features, (0, 0, width, after)).unfold(2, reach, width)  # (B, H, n, A, reach)
        return windows.permute(0, 2, 1, 4, 3).flatten(0, 1)

    mask = F.pad(keys.mask, (width, after)).unfold(1, reach, width)  # (B, n, reach)
    return Keys(keys=cut(keys.keys), values=cut(keys.values), mask=mask.flatten(0, 1))
