"""Attention over a fixed number of learned mixtures of the positions."""

import math

import torch
from torch import Tensor, nn

from seq2seq.attention.mechanisms.base import HeadProjections, SelfAttention
from seq2seq.config.errors import UserError


class LinformerAttention(SelfAttention):
    """Low-rank attention: softmax(q (E K)^T / sqrt(D)) (F V), with E and F (rank, max_length) trained.

    Equation 7 of the paper; E and F are shared between heads (their "headwise sharing"). Only the first S columns of E and F
    meet a sentence of S tokens and padding enters as zero, so that a sentence does not depend on its padding. A mixture of
    positions looks at all of them: an encoder only, since a causal one is not defined. The paper's k is our rank.
    """

    formula = "softmax(q (E K)^T / sqrt(D)) F V, E and F of shape (rank, max_length)"
    source = "Wang et al. 2020, arXiv:2006.04768, section 4"
    causal = False
    limited_by = "max_length"
    expects = "linear cost in length; tied to positions, so weaker where the same words move about"

    def __init__(self, *, hidden_size: int, heads: int, max_length: int, rank: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.max_length = max_length
        self.projections = HeadProjections(hidden_size=hidden_size, heads=heads)
        self.key_mixture = nn.Parameter(torch.randn(rank, max_length) / math.sqrt(rank))
        self.value_mixture = nn.Parameter(torch.randn(rank, max_length) / math.sqrt(rank))
        self.dropout = nn.Dropout(dropout)

    def read(self, states: Tensor, mask: Tensor, *, bidirectional: bool = False) -> tuple[Tensor, None]:  # noqa: ARG002
        """Let every position attend to the mixtures; a `UserError` if a sentence has more than `max_length` tokens."""
        query, keys, values = self.projections.split(states)
        real = mask[:, None, :, None]
        mixed_keys = self._columns(self.key_mixture, mask) @ (keys * real)  # (B, H, rank, D)
        mixed_values = self._columns(self.value_mixture, mask) @ (values * real)  # (B, H, rank, D)
        scores = query @ mixed_keys.transpose(-1, -2) / math.sqrt(query.shape[-1])  # (B, H, N, rank)
        return self.projections.merge(self.dropout(torch.softmax(scores, dim=-1)) @ mixed_values), None

    def _columns(self, mixture: Tensor, mask: Tensor) -> Tensor:
        """Columns of a mixture for these positions, (rank, N), zeros where only padding meets them."""
        size, longest = mask.shape[1], self.max_length
        if size <= longest:
            return mixture[:, :size]
        if bool(mask[:, longest:].any()):
            raise UserError(
                f"self_attention.mechanism: linformer was built for max_length {longest} and meets a sentence of "
                f"{int(mask.sum(dim=1).max())} tokens; raise max_length or drop longer sentences"
            )
        return nn.functional.pad(mixture, (0, size - longest))
