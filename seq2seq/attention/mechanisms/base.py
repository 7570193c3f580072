"""Interface of self-attention in a Transformer layer, and the projections of mechanisms with a formula of their own."""

from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn


class Followed(NamedTuple):
    """Answer to positions that follow those that were read."""

    context: Tensor
    """(N, T, hidden_size)."""
    weights: Tensor | None
    """(N, H, T, S), over the positions that were read; None when not asked for."""
    past: Any
    """The positions behind those that were read, with these among them."""


class SelfAttention(nn.Module):
    """Attention of a sequence over itself; a mechanism says who sees whom and at what cost.

    `forward` over a whole sequence equals `start` and repeated `step`. A cache is a value: a tensor or a nest of tuples of
    tensors, one row a hypothesis, that can be re-indexed.
    """

    formula: ClassVar[str]
    source: ClassVar[str]
    expects: ClassVar[str]
    causal: bool
    """Position p sees s <= p only."""

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """Let every position attend.

        Args:
            states: (B, N, hidden_size).
            mask: (B, N), True at real tokens; None if all are, as in a decoder, whose padding lies behind what counts.

        Returns:
            (B, N, hidden_size); values at padding are meaningless and finite.
        """
        return self.read(states, mask)[0]

    def read(self, states: Tensor, mask: Tensor | None = None, *, bidirectional: bool = False) -> tuple[Tensor, Any]:
        """Let every position of a sequence attend that another continues: a source, and behind it its target.

        Args:
            states: (B, N, hidden_size).
            mask: as for `forward`.
            bidirectional: lift causality for these positions.

        Returns:
            As `forward`, and what `follow` needs of these positions, a nest of tensors with a row a sentence.
        """
        raise NotImplementedError

    def no_past(self, states: Tensor) -> Any:
        """Return what `follow` knows of positions behind those that were read when there are none; `states` as for `start`."""
        return self.start(states)

    def follow(self, states: Tensor, read: Any, past: Any, positions: Tensor, need_weights: bool = False) -> Followed:  # noqa: ARG002
        """Attend from the newest positions to those that were read and to those behind them, up to each one's own.

        Args:
            states: (N, T, hidden_size).
            read: from `read`, a row for each of the N.
            past: from `no_past` or the call before.
            positions: (N, S + P + T), where those read, those behind them and these stand in the sequence of each row.
            need_weights: return weights over the S positions that were read.

        Raises:
            ValueError: the mechanism reads whole sequences only.
        """
        raise ValueError(f"{type(self).__name__} reads whole sequences at once: it has no steps")

    def start(self, states: Tensor) -> Any:  # noqa: ARG002 (for mechanisms without steps)
        """Return the cache before the first step; `states` (N, ...) only lends its rows, type and device.

        Raises:
            ValueError: the mechanism reads whole sequences only.
        """
        raise ValueError(f"{type(self).__name__} reads whole sequences at once: it has no steps")

    def step(self, states: Tensor, cache: Any, position: int) -> tuple[Tensor, Any]:  # noqa: ARG002 (likewise)
        """Attend from the newest position to itself and all before.

        Args:
            states: (N, 1, hidden_size).
            cache: from `start` or the step before.
            position: how many positions stand before.

        Returns:
            (N, 1, hidden_size), and the cache with this position in it.
        """
        raise ValueError(f"{type(self).__name__} reads whole sequences at once: it has no steps")


class HeadProjections(nn.Module):
    """The projections around a mechanism: one product makes query, key and value of all heads.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2; without bias, as everywhere in the family.

    Args:
        hidden_size: features of a state.
        heads: H, a divisor of hidden_size.
        shared: one projection for query and key (Reformer).
    """

    def __init__(self, *, hidden_size: int, heads: int, shared: bool = False) -> None:
        super().__init__()
        if hidden_size % heads:
            raise ValueError(f"hidden_size {hidden_size} is not divisible by heads {heads}")
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
        merged: Tensor = self.output_proj(context.transpose(1, 2).flatten(2))
        return merged


def empty_heads(states: Tensor, heads: int, size: int) -> Tensor:
    """A cache of no positions: (N, heads, 0, size), in the type and on the device of `states` (N, ...)."""
    return torch.zeros(states.shape[0], heads, 0, size, dtype=states.dtype, device=states.device)
