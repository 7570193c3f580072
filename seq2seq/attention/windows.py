# ruff: noqa: ARG002 - every window answers the same call, and needs little of it
"""Windows: where a query may look, before it is known what stands there."""

from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.attention.heads import HeadLinear


class View(NamedTuple):
    """Part of the source that a window leaves."""

    mask: Tensor | None
    """Broadcastable to (B, H, Q, S), True may attend; None is everything."""
    factor: Tensor | None
    """Broadcastable to (B, H, Q, S), multiplied with the weights; None is one."""


class Window(nn.Module):
    """Mask of where each query may look.

    Args:
        heads: H, > 0.
        query_size: features of a query (of one head), > 0.
    """

    formula: ClassVar[str]
    source: ClassVar[str]
    expects: ClassVar[str]

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
    """All of the source. Source: Luong et al. 2015, arXiv:1508.04025, section 3.1."""

    formula = "all s"
    source = "Luong et al. 2015, arXiv:1508.04025, section 3.1"
    expects = "the choice is left to the scores alone"

    def forward(self, query: Tensor, positions: Tensor, mask: Tensor) -> View:
        return View(mask=None, factor=None)


class LocalWindow(Window):
    """Tokens within D of a centre p, and a Gaussian exp(-(s - p)^2 / (2 sigma^2)), sigma = D / 2, on their weights.

    Source: Luong et al. 2015, arXiv:1508.04025, section 3.2 and equation 10. The Gaussian is put on after the normaliser, as
    in the paper, so that the weights of a row then sum to less than one. Source positions are counted from 0 here.

    Args:
        sizes: as in `Window`.
        width: D, > 0, tokens on each side.
        edges: "hard" cuts at D; "soft" leaves it to the Gaussian.
        gaussian: put the Gaussian on.
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
        return View(mask=inside, factor=factor)


class LocalMonotonicWindow(LocalWindow):
    """local-m: the centre of target position t is p_t = t.

    Source: Luong et al. 2015, arXiv:1508.04025, section 3.2. Past the end of the source we stay at its last token, where the
    paper's window would be empty.
    """

    formula = "|s - p| <= D, p = min(t, n - 1)"
    source = "Luong et al. 2015, arXiv:1508.04025, section 3.2 (local-m)"
    expects = "languages of the same order and sentences of the same length; the farther from both, the worse"

    def centre(self, query: Tensor, positions: Tensor, lengths: Tensor) -> Tensor:
        steps = positions[:, None, :, None] if positions.dim() == 2 else positions[None, None, :, None]
        return torch.minimum(steps, (lengths - 1).clamp(min=0))  # (B, 1, Q, 1)


class LocalPredictiveWindow(LocalWindow):
    """local-p: the query predicts the centre, p = n sigmoid(v . tanh(W q)), n the length of the source.

    Source: Luong et al. 2015, arXiv:1508.04025, equations 9 and 10; their S is our n, their W_p and v_p our W and v, their
    h_t our query. Each head predicts its own. Only the Gaussian passes a gradient to W and v.

    Args:
        options: as in `LocalWindow`; W has query_size features.
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
