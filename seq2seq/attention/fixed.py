# ruff: noqa: ARG002 - a fixed context answers the same calls as an attention, and needs little of what they bring
"""Fixed contexts and controls: what stands in the place of a comparison, behind the same calls.

They tell "attention helps" apart from "another path, or more parameters, helps".
"""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.attention.described import Described
from seq2seq.attention.keys import AttentionOutput, Keys, Past
from seq2seq.attention.masks import attendable, masked_softmax

Placement = Literal["before", "after"] | None


class FixedContext(Described):
    """A context that does not depend on what is asked, only (if at all) on when."""

    placement: ClassVar[Placement] = None
    """Placement in a recurrent decoder whatever its settings say; None: theirs."""

    heads = 1
    reads_past = False
    context_size: int

    def project_keys(self, memory: Tensor, mask: Tensor, summary: Tensor | None = None, segments: Tensor | None = None) -> Keys:
        """Prepare B sentences; see `Attention.project_keys`."""
        raise NotImplementedError

    def forward(
        self,
        query: Tensor,
        keys: Keys,
        *,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        need_weights: bool = True,
        past: Past | None = None,
    ) -> AttentionOutput:
        """Answer Q queries; see `Attention.forward`. Of `query` only the number is read."""
        queries = query.shape[1]
        if positions is None:
            positions = torch.arange(queries, device=query.device)
        context, weights = self.contexts(keys, positions, attendable(keys.mask, mask))
        return AttentionOutput(context, weights.expand(-1, -1, queries, -1) if need_weights else None)

    def contexts(self, keys: Keys, positions: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        """Return contexts (B, Q, context_size) and weights (B, 1, 1 or Q, S) of queries at positions (Q,) or (B, Q)."""
        raise NotImplementedError


class NoContext(FixedContext):
    """`none`: the encoder's fixed vector at every step. It attends to no token: all its weights are zero.

    As in Cho et al., s_t = f(s_{t-1}, y_{t-1}, c) and p(y_t) = g(s_t, y_{t-1}, c): a recurrent decoder gets c in its cell and
    in its readout, whatever its placement. Their c is tanh(V h) of one direction's last state; ours is the last states of both
    directions, and nothing is projected unless another size is asked for. Their readout is a maxout layer over s_t, y_{t-1}
    and c, ours is tanh(W_a [c; s_t]), as for every other bridge. In a Transformer it stands in place of the cross-attention.
    """

    formula = "context = summary of the encoder, at every step in cell and readout; none-input is another name for it"
    source = "Cho et al. 2014, arXiv:1406.1078, section 2.2; RNNencdec of Bahdanau et al. 2015, arXiv:1409.0473"
    expects = "good on short sentences; one vector must hold every long one (Bahdanau et al. 2015, figure 2)"
    placement: ClassVar[Placement] = "before"

    def __init__(self, *, summary_size: int, context_size: int) -> None:
        super().__init__()
        self.context_size = context_size
        self.output_proj = nn.Linear(summary_size, context_size, bias=False) if context_size != summary_size else None

    def project_keys(self, memory: Tensor, mask: Tensor, summary: Tensor | None = None, segments: Tensor | None = None) -> Keys:
        if summary is None:
            raise ValueError("the fixed context 'none' is the encoder's summary, and was given None")
        empty = memory[:, None, :, :0]  # (B, 1, S, 0): no token can be attended to
        kept = summary[:, : self.context_size] if self.output_proj is None else self.output_proj(summary)
        return Keys(empty, empty, mask, kept)

    def contexts(self, keys: Keys, positions: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        assert keys.summary is not None  # from `project_keys`
        context = keys.summary.unsqueeze(1).expand(-1, positions.shape[-1], -1)  # (B, Q, context_size)
        return context, torch.zeros_like(allowed, dtype=context.dtype)


class StateContext(NoContext):
    """`none-state`: no context at all. The decoder has the encoder's fixed vector from its first state alone.

    The decoder of Sutskever et al. starts from the encoder's last states themselves; ours, with every bridge, from
    s_0 = tanh(W_s summary).
    """

    formula = "context = nothing (0 features); the summary enters s_0 = tanh(W summary) and nothing else"
    source = "Sutskever et al. 2014, arXiv:1409.3215, section 2; None-State of Britz et al. 2017, arXiv:1703.03906"
    expects = "below none: the state must keep the source while it writes"
    placement: ClassVar[Placement] = "after"

    def __init__(self) -> None:
        super().__init__(summary_size=0, context_size=0)


class FixedWeights(FixedContext):
    """A context whose weights know positions and lengths, never content.

    Args:
        memory_size: features of the memory, > 0.
        context_size: features of the context, > 0; None for those of the memory.
        value_size: features that values are projected to first, > 0; None for none.
        dropout: probability of dropping a weight.
    """

    def __init__(
        self, *, memory_size: int, context_size: int | None = None, value_size: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        mixed = value_size or memory_size
        self.context_size = context_size or memory_size
        self.dropout = dropout
        self.value_proj = nn.Linear(memory_size, value_size, bias=False) if value_size else None
        projects = self.context_size != mixed or value_size is not None
        self.output_proj = nn.Linear(mixed, self.context_size, bias=False) if projects else None

    def project_keys(self, memory: Tensor, mask: Tensor, summary: Tensor | None = None, segments: Tensor | None = None) -> Keys:
        values = memory if self.value_proj is None else self.value_proj(memory)
        return Keys(keys=memory[:, None, :, :0], values=values.unsqueeze(1), mask=mask)

    def weigh(self, positions: Tensor, allowed: Tensor, dtype: torch.dtype) -> Tensor:
        """Weights of queries at `positions` (Q,) or (B, Q) over the allowed tokens (B, 1, 1 or Q, S): (B, 1, 1 or Q, S)."""
        raise NotImplementedError

    def contexts(self, keys: Keys, positions: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        weights = self.weigh(positions, allowed, keys.values.dtype).expand(-1, -1, positions.shape[-1], -1)  # (B, 1, Q, S)
        mixing = F.dropout(weights, self.dropout, self.training)
        context = (mixing @ keys.values).squeeze(1)  # (B, Q, memory_size or value_size)
        return context if self.output_proj is None else self.output_proj(context), weights


class MeanContext(FixedWeights):
    """`mean`: every token counts the same, nothing is projected. weight_s = 1 / n."""

    formula = "context = mean of the memory"
    source = "attention with all scores equal (Bahdanau et al. 2015, arXiv:1409.0473, equations 5-6)"
    expects = "above none where the last state forgets; knows every word and no order but what the encoder wrote into them"

    def weigh(self, positions: Tensor, allowed: Tensor, dtype: torch.dtype) -> Tensor:
        return allowed.to(dtype) / allowed.sum(dim=-1, keepdim=True).clamp(min=1)


class UniformContext(MeanContext):
    """`uniform`: equal weights over projected values, so with the value and output matrices of a full attention.

    Against `mean` it shows what the parameters bring, against a real attention what the choice brings.
    """

    formula = "context = W_o mean of W_v memory"
    source = "Zhang et al. 2018, arXiv:1805.00631, section 3 (average attention), without gate"
    expects = "what the value path alone is worth: near mean"


class DiagonalContext(FixedWeights):
    """`diagonal`: target position t looks at the allowed token nearest to source position t.

    That is the earlier of two that are as near; with a `deviation` sigma > 0, weight_s is proportional to
    exp(-(s - t)^2 / (2 sigma^2)).
    """

    formula = "weight = 1 at the token nearest to s = t (or a Gaussian around it)"
    source = "You et al. 2020, arXiv:2005.00742, section 3"
    expects = "the right word where both languages have one order, else a neighbour of it; shows what reordering costs"

    def __init__(self, *, deviation: float = 0.0, **sizes: Any) -> None:
        super().__init__(**sizes)
        self.deviation = deviation

    def weigh(self, positions: Tensor, allowed: Tensor, dtype: torch.dtype) -> Tensor:
        size = allowed.shape[-1]
        steps = positions.view(-1, 1, positions.shape[-1], 1)  # (B or 1, 1, Q, 1)
        distance = (torch.arange(size, device=allowed.device) - steps).abs()  # (B or 1, 1, Q, S)
        if self.deviation:
            scores = -0.5 * (distance.to(dtype) / self.deviation) ** 2
            return masked_softmax(scores.expand(allowed.shape[0], -1, -1, -1), allowed)
        far = torch.iinfo(distance.dtype).max
        nearest = distance.masked_fill(~allowed, far).argmin(dim=-1, keepdim=True)  # (B, 1, Q, 1), the first of equals
        return (torch.arange(size, device=allowed.device) == nearest).to(dtype) * allowed


class RandomFrozenContext(FixedWeights):
    """`random_frozen`: softmax of scores drawn once from N(0, 1) for each pair of target and source position, never trained.

    The paper's R has a row for every position up to a maximum; ours repeats after 256, so that no length is too long.
    """

    PERIOD: ClassVar[int] = 256

    formula = "weight = softmax(R[t, s]), R ~ N(0, 1), frozen"
    source = "Tay et al. 2020, arXiv:2005.00743 (fixed random synthesizer)"
    expects = "near mean: a choice that is not about anything is no choice"

    def __init__(self, *, seed: int = 1, **sizes: Any) -> None:
        super().__init__(**sizes)
        drawn = torch.randn(self.PERIOD, self.PERIOD, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("scores", drawn)
        self.scores: Tensor  # (PERIOD, PERIOD), target by source

    def weigh(self, positions: Tensor, allowed: Tensor, dtype: torch.dtype) -> Tensor:
        tokens = torch.arange(allowed.shape[-1], device=allowed.device) % self.PERIOD
        rows = self.scores[positions.view(-1, 1, positions.shape[-1]) % self.PERIOD]  # (B or 1, 1, Q, PERIOD)
        return masked_softmax(rows[..., tokens].to(dtype).expand(allowed.shape[0], -1, -1, -1), allowed)


FIXED: dict[str, type[FixedContext]] = {
    "none": NoContext,
    "none-state": StateContext,
    "mean": MeanContext,
    "uniform": UniformContext,
    "diagonal": DiagonalContext,
    "random_frozen": RandomFrozenContext,
}
