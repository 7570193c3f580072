"""The output layer: features to logits, alone or sharing its weights with an embedding, and where it starts."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def build_output(size: int, vocabulary: int, tied_to: nn.Embedding | None = None) -> nn.Linear:
    """Return a linear layer with a bias; its weights are the embedding's where it is tied (Press and Wolf 2017).

    Args:
        size: features.
        vocabulary: V.
        tied_to: the embedding (V, size) whose weights it uses.
    """
    output = nn.Linear(size, vocabulary)
    nn.init.zeros_(output.bias)
    if tied_to is None:
        nn.init.xavier_uniform_(output.weight)
    else:
        output.weight = tied_to.weight
    return output


def start_at_frequencies(output: nn.Linear, counts: NDArray[np.int64]) -> None:
    """Set the bias to log relative frequencies, so that an untrained model predicts each token as often as it occurs.

    Without it the first hundred updates teach exactly that, and teach it by driving a tanh before the layer into saturation,
    from where it comes back slowly.

    Args:
        output: the layer.
        counts: (V,) occurrences of each target token in the training split; one is added to each.
    """
    share = (counts + 1) / (counts.sum() + len(counts))
    with torch.no_grad():
        output.bias.copy_(torch.from_numpy(np.log(share)))
