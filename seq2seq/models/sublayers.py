"""Parts of Transformer layers: feed-forward, the residual path around a sublayer, and the layer without a bridge."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from seq2seq.attention.build import build_self_attention
from seq2seq.attention.dropout import Dropout, dropped_relu
from seq2seq.attention.mechanisms import SelfAttention
from seq2seq.config.transformer import StackSettings


class FeedForward(nn.Module):
    """FFN(x) = W_2 act(W_1 x + b_1) + b_2 at each position (Vaswani et al. 2017, section 3.3); dropout before W_2."""

    def __init__(self, *, hidden_size: int, feedforward_size: int, activation: str = "relu", dropout: float = 0.0) -> None:
        super().__init__()
        self.inner = nn.Linear(hidden_size, feedforward_size)
        self.is_relu = activation == "relu"
        self.dropout = Dropout(dropout)
        self.outer = nn.Linear(feedforward_size, hidden_size)
        for layer in (self.inner, self.outer):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, states: Tensor) -> Tensor:
        """(..., hidden_size) to the same shape."""
        inner = self.inner(states)
        inner = dropped_relu(inner, self.dropout.p, self.training) if self.is_relu else self.dropout(functional.gelu(inner))
        output: Tensor = self.outer(inner)
        return output


class Residual(nn.Module):
    """Residual path around a sublayer f: norm "post" is LN(x + f(x)), "pre" x + f(LN(x)); dropout on f's output."""

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


class EncoderLayer(nn.Module):
    """Self-attention of any mechanism, then feed-forward; `around` is hidden_size, dropout and norm, as in `Residual`."""

    def __init__(self, *, self_attention: SelfAttention, feedforward: FeedForward, **around: Any) -> None:
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


def encoder_layers(settings: StackSettings, *, causal: bool) -> list[EncoderLayer]:
    """Build the layers of a stack without a bridge."""
    attentions = (build_self_attention(settings, causal=causal) for _ in range(settings.layers))
    return [EncoderLayer(self_attention=attention, **around_attention(settings)) for attention in attentions]


def around_attention(settings: StackSettings) -> dict[str, Any]:
    """Return the arguments of a layer beside its attention: a feed-forward sublayer, and the settings of residual paths."""
    feedforward = FeedForward(**settings.model_dump(include={"hidden_size", "feedforward_size", "activation", "dropout"}))
    return {"feedforward": feedforward, **settings.model_dump(include={"hidden_size", "dropout", "norm"})}
