"""Parts of Transformer layers: feed-forward, the residual path around a sublayer, and the layer without a bridge."""

from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from seq2seq.attention.dropout import Dropout, dropped_relu
from seq2seq.attention.mechanisms import SelfAttention
from seq2seq.config.transformer import StackSettings

Mechanism = TypeVar("Mechanism", bound=SelfAttention)


class FeedForward(nn.Module):
    """FFN(x) = W_2 act(W_1 x + b_1) + b_2 at each position (Vaswani et al. 2017, section 3.3).

    Args:
        hidden_size: features in and out.
        feedforward_size: features between.
        activation: "relu" or "gelu".
        dropout: probability of dropping a feature between.
    """

    def __init__(self, *, hidden_size: int, feedforward_size: int, activation: str = "relu", dropout: float = 0.0) -> None:
        super().__init__()
        self.inner = nn.Linear(hidden_size, feedforward_size)
        self.activation = {"relu": nn.ReLU, "gelu": nn.GELU}[activation]()
        self.dropout = Dropout(dropout)
        self.outer = nn.Linear(feedforward_size, hidden_size)
        for layer in (self.inner, self.outer):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, states: Tensor) -> Tensor:
        """(..., hidden_size) to the same shape."""
        inner = self.inner(states)
        if isinstance(self.activation, nn.ReLU):
            inner = dropped_relu(inner, self.dropout.p, self.training)
        else:
            inner = self.dropout(self.activation(inner))
        output: Tensor = self.outer(inner)
        return output


class Residual(nn.Module):
    """Residual path around a sublayer f: post-norm LN(x + f(x)), pre-norm x + f(LN(x)); dropout on f's output.

    Args:
        hidden_size: features of a state.
        dropout: probability of dropping a feature of the sublayer's output.
        norm: "pre" or "post".
    """

    def __init__(self, *, hidden_size: int, dropout: float, norm: str) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden_size)
        self.dropout = Dropout(dropout)
        self.is_pre = norm == "pre"

    def enter(self, states: Tensor) -> Tensor:
        """Input of the sublayer."""
        entering: Tensor = self.norm(states) if self.is_pre else states
        return entering

    def leave(self, states: Tensor, update: Tensor) -> Tensor:
        """Add the sublayer's output to its input."""
        total: Tensor = states + self.dropout(update)
        return total if self.is_pre else self.norm(total)


class EncoderLayer(nn.Module, Generic[Mechanism]):
    """Self-attention, then feed-forward.

    Args:
        self_attention: any mechanism, not causal.
        feedforward: the second sublayer.
        around: hidden_size, dropout and norm, as in `Residual`.
    """

    def __init__(self, *, self_attention: Mechanism, feedforward: FeedForward, **around: Any) -> None:
        super().__init__()
        self.self_attention = self_attention
        self.feedforward = feedforward
        self.around_attention = Residual(**around)
        self.around_feedforward = Residual(**around)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """States (B, N, hidden_size), mask (B, N) True at real tokens."""
        around = self.around_attention
        return self.feed(around.leave(states, self.self_attention(around.enter(states), mask)))

    def feed(self, states: Tensor) -> Tensor:
        """The second half."""
        around = self.around_feedforward
        return around.leave(states, self.feedforward(around.enter(states)))


def build_feedforward(settings: StackSettings) -> FeedForward:
    """Build the feed-forward sublayer of one layer."""
    return FeedForward(**settings.model_dump(include={"hidden_size", "feedforward_size", "activation", "dropout"}))


def around_sublayers(settings: StackSettings) -> dict[str, Any]:
    """Settings of every residual path of a stack."""
    return settings.model_dump(include={"hidden_size", "dropout", "norm"})


def build_encoder_layer(settings: StackSettings, self_attention: Mechanism) -> EncoderLayer[Mechanism]:
    """Build a layer around its self-attention."""
    return EncoderLayer(self_attention=self_attention, feedforward=build_feedforward(settings), **around_sublayers(settings))
