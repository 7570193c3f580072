"""Tokens to vectors: a lookup, scaled if wanted, plus absolute positions."""

import math

import torch
from torch import Tensor, nn

from seq2seq.attention.build import build_absolute_positions
from seq2seq.attention.dropout import Dropout
from seq2seq.attention.positions import AbsolutePositions
from seq2seq.config.transformer import StackSettings
from seq2seq.corpus.tokenizer import PAD


class PositionedEmbedding(nn.Module):
    """x_p = sqrt(D) table[token_p] + PE(p), then dropout (Vaswani et al. 2017, arXiv:1706.03762, sections 3.4, 3.5 and 5.4).

    Args:
        table: token vectors; may be shared with another embedding or with the output layer.
        positions: added vectors; None where only self-attention knows of positions, or nothing does.
        scaled: multiply by sqrt(D), which brings vectors made for an output layer (variance 1/D) to the size of the waves.
        dropout: probability of dropping a feature of the sum.
    """

    def __init__(
        self, *, table: nn.Embedding, positions: AbsolutePositions | None, scaled: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.table = table
        self.positions = positions
        self.scale = math.sqrt(table.embedding_dim) if scaled else 1.0
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """Look up tokens (B, N) that stand at positions (N,) or (B, N), default 0..N-1: (B, N, D)."""
        vectors = self.table(tokens) * self.scale
        if self.positions is not None:
            if positions is None:
                positions = torch.arange(tokens.shape[1], device=tokens.device)
            if self.positions.limited_by:  # padding may count past the last vector: it stands nowhere
                positions = positions.masked_fill(tokens == PAD, 0)  # (B, N)
            vectors = vectors + self.positions(positions).to(vectors.dtype)
        dropped: Tensor = self.dropout(vectors)
        return dropped


RECURRENT_SPREAD = 2.5
"""How many times larger than 1/sqrt(size) a recurrent decoder's table starts."""


def embed(table: nn.Embedding, tokens: Tensor) -> Tensor:
    """Look tokens (...) up in a recurrent model's table and bring them to unit variance, (..., size).

    Recurrent models learn several times slower from small inputs (Vaswani et al. 2017, section 3.4, scales likewise).
    """
    vectors: Tensor = table(tokens)
    return vectors * (math.sqrt(table.embedding_dim) / RECURRENT_SPREAD)


def token_table(vocabulary: int, size: int, spread: float = 1.0) -> nn.Embedding:
    """Return a table of token vectors, N(0, spread^2 / size).

    With spread 1 an output layer that shares it gives logits of unit variance from features of unit variance, as a layer norm
    makes them. A recurrent decoder's features lie between -1 and 1: with the same table its tanh has to saturate before
    logits are large enough, and then hardly learns; `RECURRENT_SPREAD` gives it room.
    """
    table = nn.Embedding(vocabulary, size, padding_idx=PAD)
    nn.init.normal_(table.weight, std=spread * size**-0.5)
    nn.init.zeros_(table.weight[PAD])
    return table


def build_positioned_embedding(settings: StackSettings, table: nn.Embedding) -> PositionedEmbedding:
    """Put the stack's positions on a table of `hidden_size` features."""
    return PositionedEmbedding(
        table=table,
        positions=build_absolute_positions(settings.positions, embedding_size=settings.hidden_size),
        scaled=settings.scale_embeddings,
        dropout=settings.dropout,
    )
