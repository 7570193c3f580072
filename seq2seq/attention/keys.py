"""Values that pass in and out of every attention, so that rows can be re-indexed and nothing is remembered."""

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn


class Segments(NamedTuple):
    """Segments of B sentences, G in the one that has most."""

    ids: Tensor
    """(B, S), the segment of each token, 0 to G - 1."""
    keys: Tensor
    """(B, H, G, A), the mean of the memory in each segment, projected by the score."""


class Keys(NamedTuple):
    """Keys and values of B sentences."""

    keys: Tensor
    """(B, H, S, A), the memory projected by the score."""
    values: Tensor
    """(B, H, S, Dv), what a context is a mixture of."""
    mask: Tensor
    """(B, S), True at the tokens that may be attended to."""
    summary: Tensor | None = None
    """(B, context_size), the encoder's fixed vector, for the fixed context `none`; else None."""
    segments: Segments | None = None
    """For a normaliser that reads them; None is one segment."""

    def extend(self, more: Self) -> "Keys":
        """Append the tokens of `more` along S, as a decoder does that looks back at its own steps; the summary stays."""
        return Keys(
            keys=torch.cat([self.keys, more.keys], dim=2),
            values=torch.cat([self.values, more.values], dim=2),
            mask=torch.cat([self.mask, more.mask], dim=1),
            summary=self.summary,
        )


class Past(NamedTuple):
    """Record of what each of N = B * Q queries has attended to in earlier steps, sentence by sentence; None is nothing yet."""

    last: Tensor
    """(N, H, S), weights of the step before."""
    total: Tensor
    """(N, H, S), sum of the weights of all steps before."""

    def of(self, sentences: int) -> "Past":
        """View the rows of B sentences as (B, H, Q, S), as scores are."""
        return Past(*(rows.view(sentences, -1, *rows.shape[1:]).transpose(1, 2) for rows in self))


def mean_of_segments(states: Tensor, mask: Tensor, ids: Tensor) -> Tensor:
    """Average states (B, H, S, D) over the real tokens of each segment: (B, H, G, D), zero for a segment without tokens.

    `mask` (B, S) is True at real tokens, `ids` (B, S) are their segments, from 0.
    """
    count = int(ids.max()) + 1 if ids.numel() else 1
    members = (ids.unsqueeze(1) == torch.arange(count, device=ids.device).view(-1, 1)) & mask.unsqueeze(1)  # (B, G, S)
    shares = members.to(states.dtype) / members.sum(dim=-1, keepdim=True).clamp(min=1)
    return shares.unsqueeze(1) @ states.masked_fill(~mask[:, None, :, None], 0.0)


def remember(past: Past | None, weights: Tensor) -> Past:
    """Add a step's weights (B, H, Q, S) to the past."""
    rows = weights.transpose(1, 2).flatten(0, 1)  # (N, H, S)
    return Past(last=rows, total=rows if past is None else past.total + rows)


def answer(part: nn.Module, *inputs: Tensor, past: Past | None) -> Tensor:
    """Call a score or a normaliser, with what queries have attended to, (B, H, Q, S), if it reads that."""
    output: Tensor = part(*inputs, past) if part.reads_past else part(*inputs)
    return output


class AttentionOutput(NamedTuple):
    """Answer to a query."""

    context: Tensor
    """(B, Q, context_size)."""
    weights: Tensor | None
    """(B, H, Q, S), before dropout; None when not asked for."""
    past: Past | None = None
    """What the same queries bring to the next step; None for an attention that reads no past."""
