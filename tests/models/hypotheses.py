"""Several hypotheses a sentence, as the second step of a search has them, and the best one of a search."""

from typing import Any

import torch
from torch import Tensor

from seq2seq.models.interface import State
from seq2seq.models.search import Hypothesis, search_n_best


def search(*given: Any, **options: Any) -> list[Hypothesis]:
    """The best hypothesis of each sentence; arguments as of `search_n_best`."""
    return [found[0] for found in search_n_best(*given, **options)]


def expand(state: State, beam: int) -> State:
    """Give every sentence `beam` copies of its hypothesis rows."""
    first = state.hypothesis
    while not isinstance(first, Tensor):
        first = next(item for item in first if item is not None)
    rows = torch.arange(first.shape[0], device=first.device).repeat_interleave(beam)
    return state.select(rows)
