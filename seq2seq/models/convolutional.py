"""Convolutional encoder: gated linear units around every token, a residual path, positions added to the embeddings."""

import math
from collections.abc import Sequence
from typing import ClassVar, cast

from torch import Tensor, nn
from torch.nn import functional

from seq2seq.attention.dropout import Dropout
from seq2seq.models.embedding import PositionedEmbedding
from seq2seq.models.interface import Encoder, Memory, mean_memory


class ConvLayer(nn.Module):
    """y = sqrt(1/2) (x + a sigmoid(b)) with [a; b] = W * x + c, a convolution over the tokens within `width` on each side.

    Source: Gehring et al. 2017, arXiv:1705.03122, sections 3.2, 3.4 and 3.5: the gated linear unit, the factor that keeps the
    variance of a sum of two, and the first values of W. Padding is zero before every convolution, so that it is never seen.
    """

    def __init__(self, *, hidden_size: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        seen = 2 * width + 1
        self.dropout = Dropout(dropout)
        self.convolution = nn.Conv1d(hidden_size, 2 * hidden_size, seen, padding=width)
        nn.init.normal_(self.convolution.weight, std=math.sqrt(4 * (1 - dropout) / (seen * hidden_size)))
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]  # there is one

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Read states (B, S, D), mask (B, S) True at real tokens; same shape, meaningless at padding."""
        real = self.dropout(states).masked_fill(~mask.unsqueeze(-1), 0.0)
        gated = functional.glu(self.convolution(real.transpose(1, 2)), dim=1).transpose(1, 2)  # (B, S, D)
        return (states + gated) * math.sqrt(0.5)


class ConvEncoder(Encoder):
    """A stack of convolutions; the fixed vector is the mean of the states at real tokens.

    Differences from the paper: no weight normalisation, and contexts mix the states z_j, where theirs mix z_j plus the
    embedding e_j; the residual path holds e_j already.
    """

    formula: ClassVar[str] = "y = sqrt(1/2) (x + a sigmoid(b)), [a; b] = W * x + c over the tokens within width, once a layer"
    source: ClassVar[str] = "Gehring et al. 2017, arXiv:1705.03122, section 3"
    expects: ClassVar[str] = (
        "all tokens computed at once; a state knows layers x width tokens on each side, and what stands further away only "
        "through the decoder"
    )

    def __init__(
        self, *, embedding: PositionedEmbedding, hidden_size: int, layers: int = 4, width: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.input_proj = nn.Linear(embedding.table.embedding_dim, hidden_size)
        stack = nn.ModuleList(ConvLayer(hidden_size=hidden_size, width=width, dropout=dropout) for _ in range(layers))
        self.layers = cast("Sequence[ConvLayer]", stack)
        self.memory_size = self.summary_size = hidden_size

    def forward(self, source: Tensor, mask: Tensor) -> Memory:
        states = self.input_proj(self.embedding(source))  # (B, S, D)
        for layer in self.layers:
            states = layer(states, mask)
        return mean_memory(states, mask)
