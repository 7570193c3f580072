"""Encoder of pictures: convolutions that halve the grid; the cells of the last grid are the memory."""

import math
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from seq2seq.attention.dropout import Dropout
from seq2seq.models.interface import Encoder, Memory, mean_memory


class ImageEncoder(Encoder):
    """A memory of places: what each cell of a coarse grid over the picture shows.

    As in the paper, annotations are the features of a convolutional layer, one for each place. Differences: the network is
    small and trained with the decoder, where theirs had been trained on photographs; a learned vector tells where a cell is,
    since captions here name objects in reading order.

    `side` are the pixels across and down, a multiple of 2^layers.
    """

    formula: ClassVar[str] = "h = norm(W_L * relu(... relu(W_1 * x)) + p), each convolution 3 x 3 with stride 2; p says where"
    source: ClassVar[str] = "Xu et al. 2015, arXiv:1502.03044, section 3.1.1"
    expects: ClassVar[str] = "with attention as many objects as there are cells; one fixed vector has to hold them all"

    def __init__(self, *, embedding: nn.Embedding, side: int, hidden_size: int, layers: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = embedding
        sizes = [embedding.embedding_dim, *(max(8, hidden_size >> left) for left in range(layers - 1, 0, -1)), hidden_size]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(sizes))
        self.source_size, self._side = side**2 + 1, side  # the end of the source comes after the pixels
        self.memory_length = (side >> layers) ** 2
        self.places = nn.Parameter(torch.randn(self.memory_length, hidden_size))
        self.norm = nn.LayerNorm(hidden_size)
        self.dropout = Dropout(dropout)
        self.memory_size = self.summary_size = hidden_size

    def forward(self, source: Tensor, mask: Tensor) -> Memory:
        """Read pixels row by row and the end of the source, (B, side^2 + 1)."""
        picture = self.embedding(source[:, :-1]) * math.sqrt(self.embedding.embedding_dim)
        grid = picture.transpose(1, 2).unflatten(2, (self._side, self._side))  # (B, E, side, side)
        for index, convolution in enumerate(self.convolutions):
            grid = convolution(torch.relu(grid) if index else grid)
        states = self.norm(grid.flatten(2).transpose(1, 2) + self.places)  # (B, cells, D)
        return mean_memory(self.dropout(states), mask.new_ones(states.shape[:2]))
