"""Heads: features cut into H slices, and a linear map of its own for each."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def split_heads(features: Tensor, heads: int) -> Tensor:
    """Give each head its slice: (B, N, H * D) -> (B, H, N, D); with one head a view."""
    if heads == 1:
        return features.unsqueeze(1)
    batch, length, size = features.shape
    return features.view(batch, length, heads, size // heads).transpose(1, 2)


def merge_heads(features: Tensor) -> Tensor:
    """Undo `split_heads`: (B, H, N, D) -> (B, N, H * D)."""
    if features.shape[1] == 1:
        return features.squeeze(1)
    return features.transpose(1, 2).flatten(2)


class HeadLinear(nn.Module):
    """A matrix for each head: y_h = W_h x_h (+ b_h), features counted for each. With one head it is nn.Linear."""

    def __init__(self, *, heads: int, in_features: int, out_features: int, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(heads, out_features, in_features))
        self.bias = nn.Parameter(torch.empty(heads, out_features)) if bias else None
        bound = 1 / math.sqrt(in_features)  # as nn.Linear draws its numbers
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, H, N, in_features) to (B, H, N, out_features)."""
        if self.weight.shape[0] == 1:
            return F.linear(features, self.weight[0], None if self.bias is None else self.bias[0])
        mapped = features @ self.weight.transpose(-2, -1)  # (B, H, N, out_features)
        return mapped if self.bias is None else mapped + self.bias.unsqueeze(-2)
