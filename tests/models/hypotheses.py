"""Several hypotheses a sentence, as the second step of a search has them."""

import torch
from torch import Tensor

from seq2seq.models.interface import State


def expand(state: State, beam: int) -> State:
    """Give every sentence `beam` copies of its hypothesis rows."""
    first = state.hypothesis
    while not isinstance(first, Tensor):
        first = next(item for item in first if item is not None)
    rows = torch.arange(first.shape[0], device=first.device).repeat_interleave(beam)
    return state.select(rows)
