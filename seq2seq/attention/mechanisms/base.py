"""Interface of self-attention in a Transformer layer, and the projections of mechanisms with a formula of their own."""

from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.attention.described import Described
from seq2seq.attention.heads import merge_heads


class SelfAttention(Described):
    """Attention of a sequence over itself; a mechanism says who sees whom and at what cost.

    `forward` over a whole sequence equals `start` and repeated `step`. A cache is a value: a tensor or a nest of tuples of
    tensors, one row a hypothesis, that can be re-indexed. A mechanism that reads whole sequences only has neither `start`,
    `step` nor `follow`.
    """

    causal: bool
    """Position p sees s <= p only."""

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """Let every position of states (B, N, hidden_size) attend; what comes of padding is meaningless and finite.

        `mask` (B, N) is True at real tokens; None if all are, as in a decoder, whose padding lies behind what counts.
        """
        if mask is None:
            mask = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
        return self.read(states, mask)[0]

    def read(self, states: Tensor, mask: Tensor, *, bidirectional: bool = False) -> tuple[Tensor, Any]:
        """Answer as `forward`, and return what `follow` needs of these positions: a nest of tensors, a row a sentence.

        So a source is read that a target continues; `bidirectional` lifts causality.
        """
        raise NotImplementedError

    def no_past(self, states: Tensor) -> Any:
        """Return what `follow` knows of positions behind those that were read when there are none; `states` as for `start`."""
        return self.start(states)

    def follow(
        self, states: Tensor, read: Any, past: Any, positions: Tensor, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None, Any]:
        """Attend from the newest positions to those that were read and to those behind them, up to each one's own.

        Args:
            states: (N, T, hidden_size).
            read: from `read`, a row for each of the N.
            past: from `no_past` or the call before.
            positions: (N, S + P + T), where those read, those behind them and these stand in the sequence of each row.
            need_weights: return weights over the S positions that were read.

        Returns:
            Contexts (N, T, hidden_size), weights (N, H, T, S) if asked for, and the past with these positions in it.
        """
        raise NotImplementedError

    def start(self, states: Tensor) -> Any:
        """Return the cache before the first step; `states` (N, ...) only lends its rows, type and device."""
        raise NotImplementedError

    def step(self, states: Tensor, cache: Any, position: int) -> tuple[Tensor, Any]:
        """Attend from the newest position, of states (N, 1, hidden_size), to itself and the `position` ones before.

        Returns:
            (N, 1, hidden_size), and the cache, from `start` or the step before, with this position in it.
        """
        raise NotImplementedError


class HeadProjections(nn.Module):
    """The projections around a mechanism: one product makes query, key and value of all heads, without bias.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2. The heads share out the hidden_size, which they divide;
    `shared` is one projection for query and key (Reformer).
    """

    def __init__(self, *, hidden_size: int, heads: int, shared: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.parts = 2 if shared else 3
        self.input_proj = nn.Linear(hidden_size, self.parts * hidden_size, bias=False)
        self.output_proj = nn.Linear(hidden_size, hidden_size, bias=False)
        for block in self.input_proj.weight.chunk(self.parts):
            nn.init.xavier_uniform_(block)
        nn.init.xavier_uniform_(self.output_proj.weight)

    def split(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Project states (B, N, hidden_size) to query, keys and values, each (B, H, N, D)."""
        rows, size, _ = states.shape
        projected = self.input_proj(states).view(rows, size, self.parts, self.heads, -1)
        parts = projected.permute(2, 0, 3, 1, 4).unbind(0)
        return parts[0], parts[-2], parts[-1]

    def merge(self, context: Tensor) -> Tensor:
        """Join heads (B, H, N, D) and project to (B, N, hidden_size)."""
        merged: Tensor = self.output_proj(merge_heads(context))
        return merged
