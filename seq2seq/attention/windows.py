# ruff: noqa: ARG002 - every window answers the same call, and needs little of it
"""Windows: where a query may look, before it is known what stands there."""

from typing import Any, Literal

import torch
from torch import Tensor

from seq2seq.attention.described import Described
from seq2seq.attention.heads import HeadLinear

View = tuple[Tensor | None, Tensor | None]
"""Mask, True may attend, None for everything; and a factor of the weights, None for one: broadcastable to (B, H, Q, S)."""


class Window(Described):
    """Mask of where each query of H heads, of query_size features each, may look."""

    def __init__(self, *, heads: int, query_size: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_size = query_size

    def forward(self, query: Tensor, positions: Tensor, mask: Tensor) -> View:
        """Place the window.

        Args:
            query: (B, H, Q, query_size).
            positions: (Q,) or (B, Q), the target position of each query, from 0.
            mask: (B, S), True at real tokens.
        """
        raise NotImplementedError


class GlobalWindow(Window):
    """All of the source."""

    formula = "all s"
    source = "Luong et al. 2015, arXiv:1508.04025, section 3.1"
    expects = "the choice is left to the scores alone"

    def forward(self, query: Tensor, positions: Tensor, mask: Tensor) -> View:
        return None, None


class LocalWindow(Window):
    """Tokens within D of a centre p, and a Gaussian exp(-(s - p)^2 / (2 sigma^2)), sigma = D / 2, on their weights.

    Source: Luong et al. 2015, arXiv:1508.04025, section 3.2 and equation 10. The Gaussian is put on after the normaliser, as
    in the paper, so that the weights of a row then sum to less than one. Source positions are counted from 0 here. D is
    `width`, tokens on each side; "hard" edges cut there, "soft" ones leave it to the Gaussian.
    """

    def __init__(self, *, width: int, edges: Literal["hard", "soft"] = "hard", gaussian: bool, **sizes: int) -> None:
        super().__init__(**sizes)
        self.width = width
        self.edges = edges
        self.gaussian = gaussian

    def centre(self, query: Tensor, positions: Tensor, lengths: Tensor) -> Tensor:
        """Choose p for each query, broadcastable to (B, H, Q, 1), given the real lengths (B, 1, 1, 1)."""
        raise NotImplementedError

    def forward(self, query: Tensor, positions: Tensor, mask: Tensor) -> View:
        lengths = mask.sum(dim=1).view(-1, 1, 1, 1)
        tokens = torch.arange(mask.shape[1], device=mask.device)
        distance = tokens - self.centre(query, positions, lengths)  # (B, H or 1, Q, S)
        inside = distance.abs() <= self.width if self.edges == "hard" else None
        factor = torch.exp(-2 * (distance / self.width) ** 2).to(query.dtype) if self.gaussian else None  # sigma = D / 2
        return inside, factor


class LocalMonotonicWindow(LocalWindow):
    """local-m: the centre of target position t is p_t = t, or the last token, where the paper's window would be empty."""

    formula = "|s - p| <= D, p = min(t, n - 1)"
    source = "Luong et al. 2015, arXiv:1508.04025, section 3.2 (local-m)"
    expects = "languages of the same order and sentences of the same length; the farther from both, the worse"

    def centre(self, query: Tensor, positions: Tensor, lengths: Tensor) -> Tensor:
        steps = positions[:, None, :, None] if positions.dim() == 2 else positions[None, None, :, None]
        return torch.minimum(steps, (lengths - 1).clamp(min=0))  # (B, 1, Q, 1)


class LocalPredictiveWindow(LocalWindow):
    """local-p: the query predicts the centre, p = n sigmoid(v . tanh(W q)), n the length of the source.

    The paper's S is our n, its W_p and v_p our W and v, its h_t our query. Each head predicts its own. Only the Gaussian passes
    a gradient to W and v.
    """

    formula = "|s - p| <= D, p = n sigmoid(v . tanh(W q)), weights times exp(-(s - p)^2 / (2 (D/2)^2))"
    source = "Luong et al. 2015, arXiv:1508.04025, equations 9-10 (local-p)"
    expects = "what global does where the place can be told from the query; begins in the middle of the source"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        size = self.query_size
        self.hidden_proj = HeadLinear(heads=self.heads, in_features=size, out_features=size)
        self.place_proj = HeadLinear(heads=self.heads, in_features=size, out_features=1)

    def centre(self, query: Tensor, positions: Tensor, lengths: Tensor) -> Tensor:
        return lengths * torch.sigmoid(self.place_proj(torch.tanh(self.hidden_proj(query))))  # (B, H, Q, 1)


WINDOWS: dict[str, type[Window]] = {
    "global": GlobalWindow,
    "local_m": LocalMonotonicWindow,
    "local_p": LocalPredictiveWindow,
}
