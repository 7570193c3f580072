"""Attention: score x scale x normaliser x window x heads, and the mask, the weighted sum and the projections around them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.attention.dropout import dropout
from seq2seq.attention.gates import HeadGates
from seq2seq.attention.heads import merge_heads, split_heads
from seq2seq.attention.keys import AttentionOutput, Keys, Past, Segments, answer, mean_of_segments, remember
from seq2seq.attention.masks import attendable
from seq2seq.attention.normalisers import Normaliser, Softmax
from seq2seq.attention.positions import NO_RELATION, Places, Relation
from seq2seq.attention.scales import Scale
from seq2seq.attention.scores import ProductScore, Score
from seq2seq.attention.windows import Window

_FEW_WEIGHTS = 1 << 24
"""64 MiB in fp32; on a CPU torch's kernel took 1.5 to 10 times as long below, and above the memory it saves counts more."""


class Projections(NamedTuple):
    """The linear maps around a score, without bias (Vaswani et al. 2017, section 3.2.2); None is the identity."""

    query: nn.Linear | None = None
    key: nn.Linear | None = None
    value: nn.Linear | None = None
    output: nn.Linear | None = None


class Part(NamedTuple):
    """Some of the keys of B rows of queries, which are cut into G groups that share keys."""

    cut: Callable[[Tensor], Tensor]
    """(B, H, N, ...) to groups (G, H, Q, ...)."""
    join: Callable[[Tensor], Tensor]
    """Its inverse."""
    keys: Keys
    """Of G groups."""
    allowed: Tensor
    """(1 or G, 1, Q, S), True may attend."""
    places: Places


class Attention(nn.Module):
    """Compare, normalise, mix: weights = normaliser(scale * score(query, keys)), context = weights @ values.

    Vaswani et al. 2017, arXiv:1706.03762, sections 3.2.1 and 3.2.2, for any score. With one head and no projection this is the
    formula of Bahdanau et al. 2015, equations 5 and 6: the values are the memory itself.

    Args:
        score: compares.
        scale: multiplies scores.
        normaliser: makes weights of scores.
        window: says where a query may look.
        projections: the linear maps around the score; those of a several-headed attention give H equal slices.
        heads: H, > 0, the heads of all four parts.
        context_size: features of the context, after the output projection.
        dropout: probability of dropping a weight.
        gates: switch heads off; None leaves them all on.
    """

    def __init__(
        self,
        *,
        score: Score,
        scale: Scale,
        normaliser: Normaliser,
        window: Window,
        projections: Projections,
        heads: int,
        context_size: int,
        dropout: float = 0.0,
        gates: HeadGates | None = None,
    ) -> None:
        super().__init__()
        self.score = score
        self.scale = scale
        self.normaliser = normaliser
        self.window = window
        self.reads_past = score.reads_past or normaliser.reads_past
        self.query_proj, self.key_proj, self.value_proj, self.output_proj = projections
        self.heads = heads
        self.context_size = context_size
        self.dropout = dropout
        self.gates = gates

    def project_keys(
        self,
        memory: Tensor,
        mask: Tensor,
        summary: Tensor | None = None,  # noqa: ARG002 (for `none`)
        segments: Tensor | None = None,
    ) -> Keys:
        """Compute once per sentence all that no query changes.

        Args:
            memory: (B, S, memory_size).
            mask: (B, S), True at real tokens.
            summary: the encoder's fixed vector, of use to the fixed context `none` only.
            segments: (B, S), the segment of each token, from 0, of use to a normaliser that reads them; None is one segment.
        """
        whole = memory.unsqueeze(1)  # (B, 1, S, memory_size)
        features = whole if self.key_proj is None else split_heads(self.key_proj(memory), self.heads)
        values = whole if self.value_proj is None else split_heads(self.value_proj(memory), self.heads)  # (B, H, S, Dv)
        features = features.expand(-1, self.heads, -1, -1)
        keys, means = self.score.project_keys(features), None  # (B, H, S, A)
        if segments is not None and self.normaliser.reads_segments:
            means = Segments(segments, self.score.project_keys(mean_of_segments(features, mask, segments)))
        return Keys(keys=keys.contiguous(), values=values.contiguous(), mask=mask, segments=means)

    def forward(
        self,
        query: Tensor,
        keys: Keys,
        *,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        key_positions: Tensor | None = None,
        need_weights: bool = True,
        relation: Relation = NO_RELATION,
        past: Past | None = None,
    ) -> AttentionOutput:
        """Answer Q queries for each of B sentences; every query for itself.

        Args:
            query: (B, Q, query_size).
            keys: from `project_keys`.
            mask: broadcastable to (B, Q, S), True may attend, joined with the mask of the keys; None allows all.
            positions: (Q,) or (B, Q), target position of each query; several queries may share one; None is 0, 1 ... Q - 1.
            key_positions: (S,) or (B, S), position of each key, read by `relation` only; None is 0, 1 ... S - 1.
            need_weights: return the weights. Where they are not asked for, a fused kernel is used if there is one.
            relation: what self-attention knows of positions.
            past: what the step before gave back for these queries, if the attention reads its past; None at the first step.
        """
        heads = split_heads(query if self.query_proj is None else self.query_proj(query), self.heads)  # (B, H, Q, D)
        if positions is None:
            positions = torch.arange(query.shape[1], device=query.device)
        if key_positions is None:
            key_positions = torch.arange(keys.mask.shape[1], device=query.device)
        places = Places(relation, positions, key_positions)
        real = self.score.limit(keys.mask)  # (B, S)
        allowed = attendable(real, mask)  # (B, 1, 1 or Q, S)
        inside, factor = self.window(heads, positions, real)  # None is everything, and one
        allowed = allowed if inside is None else allowed & inside
        product = self._product()
        # torch has a kernel for this very formula, but it keeps the weights to itself
        has_kernel = isinstance(self.normaliser, Softmax) and factor is None and not relation.mixes_values
        earlier = None if past is None else past.of(query.shape[0])
        if product is not None and has_kernel and not need_weights and not _fits_cache(heads, keys):
            context, weights = self._fused(product, heads, keys, allowed, places), None
        else:
            context, weights = self._plain(heads, keys, allowed, factor, places, earlier)
        output = self._output(context)
        following = remember(past, weights) if self.reads_past and weights is not None else None
        return AttentionOutput(output, weights if need_weights else None, following)

    def _plain(
        self,
        query: Tensor,
        keys: Keys,
        allowed: Tensor,
        factor: Tensor | None,
        places: Places,
        past: Past | None,
    ) -> tuple[Tensor, Tensor]:
        """The formula as it stands: contexts (B, H, Q, Dv) and weights (B, H, Q, S)."""
        inputs = [self._scores(query, keys, places, past), allowed]
        if keys.segments is not None:
            of_segments = self._scores(query, keys._replace(keys=keys.segments.keys), places._replace(relation=NO_RELATION))
            inputs += [keys.segments.ids, of_segments]
        weights = answer(self.normaliser, *inputs, past=past)
        if factor is not None:
            weights = weights * factor
        return _mix(dropout(weights, self.dropout, self.training), keys, places), weights

    def _scores(self, query: Tensor, keys: Keys, places: Places, past: Past | None = None) -> Tensor:
        """The input of the normaliser, (B, H, Q, S)."""
        product = self._product()
        if product is not None:
            left, right = self._factors(product, query, keys, places)
            scores = left @ right.transpose(-2, -1)  # (B, H, Q, S)
            bias = places.scores(left)
        else:
            scores = self.scale(answer(self.score, query, keys.keys, past=past))
            bias = places.scores(self.scale(query))
        return scores if bias is None else scores + bias

    def over_parts(self, states: Tensor, parts: Sequence[Part]) -> Tensor:
        """Answer queries (B, Q, query_size) whose keys lie in several parts, one normaliser over all; no key is in two."""
        query = split_heads(states if self.query_proj is None else self.query_proj(states), self.heads)  # (B, H, Q, D)
        scores = [part.join(self._scores(part.cut(query), part.keys, part.places)) for part in parts]
        allowed = [part.join(part.allowed.expand(len(part.keys.mask), -1, -1, -1)) for part in parts]
        weights = answer(self.normaliser, torch.cat(scores, dim=-1), torch.cat(allowed, dim=-1), past=None)
        shares = torch.split(dropout(weights, self.dropout, self.training), [some.shape[-1] for some in scores], dim=-1)
        mixed = (part.join(_mix(part.cut(share), part.keys, part.places)) for part, share in zip(parts, shares, strict=True))
        return self._output(torch.stack(list(mixed)).sum(dim=0))

    def _output(self, context: Tensor) -> Tensor:
        """Contexts of heads (B, H, Q, Dv) to (B, Q, context_size)."""
        merged = merge_heads(context if self.gates is None else self.gates(context))  # (B, Q, H * Dv)
        return merged if self.output_proj is None else self.output_proj(merged)

    def _product(self) -> ProductScore | None:
        """The score, if it is a plain product of query and keys (and somebody's subclass has not made it another)."""
        score = self.score
        return score if isinstance(score, ProductScore) and type(score).forward is ProductScore.forward else None

    def _fused(self, score: ProductScore, query: Tensor, keys: Keys, allowed: Tensor, places: Places) -> Tensor:
        """The same contexts from one kernel that never writes the weights down: (B, H, Q, Dv)."""
        left, right = self._factors(score, query, keys, places)
        empty = ~allowed.any(dim=-1, keepdim=True)  # (B, 1, 1 or Q, 1): torch may give NaN on such rows, so open them first
        mask: Tensor = allowed | empty
        bias = places.scores(left)
        if bias is not None:
            mask = bias.masked_fill(~mask, float("-inf"))
        dropout = self.dropout if self.training else 0.0
        context = F.scaled_dot_product_attention(left, right, keys.values, attn_mask=mask, dropout_p=dropout, scale=1.0)
        return context.masked_fill(empty, 0.0)

    def _factors(self, score: ProductScore, query: Tensor, keys: Keys, places: Places) -> tuple[Tensor, Tensor]:
        """Factors of the matmul of scores: (B, H, Q, A), with the scale on it since that is the smaller, and (B, H, S, A)."""
        relation, asked = places.relation, self.scale(score.project_query(query))
        return relation.rotate(asked, places.queries), relation.rotate(keys.keys, places.keys)


def _mix(weights: Tensor, keys: Keys, places: Places) -> Tensor:
    """Contexts (B, H, Q, Dv) of weights (B, H, Q, S)."""
    context, extra = weights @ keys.values, places.relation.values(weights, places.queries, places.keys)
    return context if extra is None else context + extra


def _fits_cache(query: Tensor, keys: Keys) -> bool:
    """Whether the weights (B, H, Q, S) are few enough for a CPU to compute faster by the formula than by torch's kernel."""
    count = query.shape[:3].numel() * keys.mask.shape[1]
    return query.device.type == "cpu" and count <= _FEW_WEIGHTS
