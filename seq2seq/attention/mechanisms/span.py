"""A window whose width every head learns."""

import math

import torch
from torch import Tensor, nn

from seq2seq.attention.attention import Attention
from seq2seq.attention.keys import Keys
from seq2seq.attention.masks import barrier
from seq2seq.attention.mechanisms.patterns import WindowAttention
from seq2seq.attention.positions import Relation, offsets


class SpanRelation(Relation):
    """The relation `within`, and a mask m_h(x) = clip((ramp + z_h - x) / ramp, 0, 1) on the exponentials at distance x."""

    formula = "score + log m_h(|p - s|), m_h(x) = clip((ramp + z_h - x) / ramp, 0, 1), on top of the stack's own positions"
    source = "Sukhbaatar et al. 2019, arXiv:1905.07799, section 2.2"
    expects = "short spans in most heads and low layers, a few long ones"

    def __init__(self, *, within: Relation, heads: int, max_span: int, ramp: int) -> None:
        super().__init__()
        self.within, self.max_span, self.ramp = within, max_span, ramp
        self.mixes_values = within.mixes_values
        self.log_odds = nn.Parameter(torch.full((heads,), -1.0))

    def spans(self) -> Tensor:
        """Return z (H,), 0 to max_span."""
        return self.max_span * torch.sigmoid(self.log_odds)

    def rotate(self, features: Tensor, positions: Tensor) -> Tensor:
        return self.within.rotate(features, positions)

    def scores(self, query: Tensor, query_positions: Tensor, key_positions: Tensor) -> Tensor:
        distance = offsets(query_positions, key_positions).abs()  # (Q, S) or (B, 1, Q, S)
        mask = (self.ramp + self.spans().view(-1, 1, 1) - distance) / self.ramp  # (H, Q, S) or (B, H, Q, S)
        logarithm = mask.clamp(torch.finfo(mask.dtype).tiny, 1).log()
        hidden = barrier(mask > 0, mask.dtype)  # log(tiny) is -87, and products may lie further apart than that
        spanned = (logarithm + hidden).to(query.dtype)
        other = self.within.scores(query, query_positions, key_positions)
        return spanned if other is None else other + spanned

    def values(self, weights: Tensor, query_positions: Tensor, key_positions: Tensor) -> Tensor | None:
        return self.within.values(weights, query_positions, key_positions)


class AdaptiveSpanAttention(WindowAttention):
    """A window that each head learns: weight_ps = m_h(|p - s|) exp(score) / sum over s of the same.

    The paper is causal, and p does not see itself; an encoder looks both ways, and p sees itself. Other differences: z =
    max_span sigmoid(.) in place of a parameter that is cut to its range, and the penalty is on the mean share z / max_span. The
    window of the widest head is what is computed.
    """

    formula = (
        "softmax(score + log m_h(|p - s|)), m_h(x) = clip((ramp + z_h - x) / ramp, 0, 1); loss + penalty mean(z) / max_span"
    )
    source = "Sukhbaatar et al. 2019, arXiv:1905.07799, section 2.2"
    expects = "short spans in most heads and low layers, a few long ones; cost of the widest"

    def __init__(
        self, *, attention: Attention, relation: Relation, causal: bool, max_span: int, ramp: int, penalty: float
    ) -> None:
        spanned = SpanRelation(within=relation, heads=attention.heads, max_span=max_span, ramp=ramp)
        super().__init__(attention=attention, relation=spanned, causal=causal, width=max_span + ramp)
        self.spanned, self.weight = spanned, penalty

    def sees(self, query_positions: Tensor, key_positions: Tensor) -> Tensor | None:  # noqa: ARG002 (the relation says it)
        return None

    def read(self, states: Tensor, mask: Tensor, *, bidirectional: bool = False) -> tuple[Tensor, Keys]:
        self.width = math.ceil(float(self.spanned.spans().detach().max())) + self.spanned.ramp
        return super().read(states, mask, bidirectional=bidirectional)

    def penalty(self) -> Tensor:
        """Return what is added to the loss of a target token."""
        return self.weight * self.spanned.spans().mean() / self.spanned.max_span

    def used(self) -> float:
        """Return the mean share of positions that heads keep, 0 to 1."""
        return float(self.spanned.spans().detach().mean() / self.spanned.max_span)
