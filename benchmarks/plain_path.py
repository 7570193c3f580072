"""The formulas as they stand in place of everything written for speed: what the fast path is compared with.

Only here, not in the package: nobody has a reason to train this way but to see that it makes no difference. Dropout draws the
same masks in both, so that curves differ by nothing but the order of sums and the width of numbers.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.attention.dropout import dropout, dropout_noise
from seq2seq.models.output import Loss


@contextmanager
def plain_path() -> Iterator[None]:
    """Meanwhile: torch.nn's GRU, a loop over target positions, all logits at once, torch's default product."""
    precision = torch.get_float32_matmul_precision()
    with ExitStack() as held:
        held.enter_context(patch("seq2seq.models.recurrent.RecurrentLayer.has_kernel", _no))
        held.enter_context(patch("seq2seq.models.rnn.has_kernel", _no))
        held.enter_context(patch("seq2seq.models.sublayers.dropped_relu", _relu_then_dropout))
        held.enter_context(patch("seq2seq.run.update.linear_cross_entropy", _all_logits))
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(precision)


@contextmanager
def same_masks() -> Iterator[None]:
    """Meanwhile the fused decoder draws its dropout masks position by position, as the loop does."""
    with patch("seq2seq.models.rnn.dropout_noise", _position_by_position):
        yield


def _no(*_: Any, **__: Any) -> bool:
    return False


def _relu_then_dropout(features: Tensor, p: float, training: bool = True) -> Tensor:
    return dropout(features.relu(), p, training)


def _all_logits(features: Tensor, wanted: Tensor, output: nn.Linear, smoothing: float) -> Loss:
    logits = output(features)  # (M, V)
    smoothed = functional.cross_entropy(logits, wanted, reduction="sum", label_smoothing=smoothing)
    nats = functional.cross_entropy(logits.detach(), wanted, reduction="sum")
    return Loss(smoothed=smoothed, nats=nats)


def _position_by_position(shape: tuple[int, int, int], p: float, *like: Any) -> Tensor:
    return torch.stack([dropout_noise(shape[1:], p, *like) for _ in range(shape[0])])  # (T, B, O)
