"""What passes in and out of every attention: values, so that rows can be re-indexed and nothing is remembered."""

from typing import NamedTuple, Self

import torch
from torch import Tensor


class Keys(NamedTuple):
    """What B sentences offer to be attended to."""

    keys: Tensor
    """(B, H, S, A), the memory projected by the score."""
    values: Tensor
    """(B, H, S, Dv), what a context is a mixture of."""
    mask: Tensor
    """(B, S), True at the tokens that may be attended to."""
    summary: Tensor | None = None
    """(B, context_size), the encoder's fixed vector, for the fixed context `none`; else None."""

    def extend(self, more: Self) -> "Keys":
        """Append the tokens of `more` along S, as a decoder does that looks back at its own steps; the summary stays."""
        return Keys(
            keys=torch.cat([self.keys, more.keys], dim=2),
            values=torch.cat([self.values, more.values], dim=2),
            mask=torch.cat([self.mask, more.mask], dim=1),
            summary=self.summary,
        )


class AttentionOutput(NamedTuple):
    """What a query gets back."""

    context: Tensor
    """(B, Q, context_size)."""
    weights: Tensor | None
    """(B, H, Q, S), before dropout; None when not asked for."""
