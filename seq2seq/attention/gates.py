"""Heads that switch themselves off, and what a part costs beside the loss for being in use."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.attention.described import Described

_TEMPERATURE, _LOW, _HIGH = 2 / 3, -0.1, 1.1
"""Louizos et al. 2018, section 4."""
PACE = 10.0
"""Log-odds are so many times a parameter. A gate starts at log-odds of 2 and closes at -2.4; Adam moves a parameter by the rate
of an update at most, which in a thousand updates at 0.002 is half of that way."""


class HeadGates(Described):
    """A gate from 0 to 1 on what each head brings; the expected number of open ones costs `penalty` nats a target token each.

    In training g = clip(1.2 s - 0.1, 0, 1), s = sigmoid((log u - log(1 - u) + a) / (2/3)) with u uniform, one draw a head for
    a whole batch, and P(g > 0) = sigmoid(a - 2/3 log(0.1 / 1.1)); afterwards s = sigmoid(a). So exact zeros are learned. The
    distribution is that of Louizos et al. 2018, arXiv:1712.01312; the paper's lambda is our penalty.
    """

    formula = "context = W_O [g_1 head_1; ...; g_H head_H], g hard concrete; loss + penalty sum_h P(g_h > 0)"
    source = "Voita et al. 2019, arXiv:1905.09418, section 6.1"
    expects = "most heads closed at little loss; those that stay look at neighbours, at syntax, at rare words"

    def __init__(self, *, heads: int, penalty: float) -> None:
        super().__init__()
        self.paced_log_odds = nn.Parameter(torch.full((heads,), 2.0 / PACE))  # open at first
        self.weight = penalty

    @property
    def log_odds(self) -> Tensor:
        """a, (H,)."""
        return PACE * self.paced_log_odds

    def forward(self, context: Tensor) -> Tensor:
        """Multiply the heads of (B, H, Q, Dv)."""
        log_odds = self.log_odds
        if self.training:
            uniform = torch.rand_like(log_odds).clamp(1e-6, 1 - 1e-6)
            log_odds = (torch.logit(uniform) + log_odds) / _TEMPERATURE
        return context * _clipped(log_odds).to(context.dtype)[:, None, None]

    def penalty(self) -> Tensor:
        """Return what is added to the loss of a target token."""
        return self.weight * torch.sigmoid(self.log_odds - _TEMPERATURE * math.log(-_LOW / _HIGH)).sum()

    def open(self) -> Tensor:
        """Return g (H,) as it is after training."""
        return _clipped(self.log_odds).detach()

    def used(self) -> float:
        """Return the share of heads that are not closed after training, 0 to 1."""
        return float((self.open() > 0).float().mean())


def _clipped(log_odds: Tensor) -> Tensor:
    """The stretched and clipped sigmoid: exactly 0 and 1 at its ends."""
    return (torch.sigmoid(log_odds) * (_HIGH - _LOW) + _LOW).clamp(0, 1)


def penalty_of(model: nn.Module) -> Tensor | float:
    """Return the sum of what a model's parts cost for being in use, in nats a target token; 0.0 where no part does."""
    costly: list[Any] = [part for part in model.modules() if hasattr(part, "penalty")]
    return sum((part.penalty() for part in costly), 0.0)
