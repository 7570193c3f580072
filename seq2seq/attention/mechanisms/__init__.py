"""Self-attention: who sees whom, and at what cost. A mechanism is a class, a line in `MECHANISMS` and a settings class."""

from seq2seq.attention.attention import Attention, build_attention
from seq2seq.attention.mechanisms.base import SelfAttention
from seq2seq.attention.mechanisms.linear import LinearAttention
from seq2seq.attention.mechanisms.linformer import LinformerAttention
from seq2seq.attention.mechanisms.lsh import LshAttention
from seq2seq.attention.mechanisms.patterns import FullAttention, StridedAttention, WindowAttention
from seq2seq.attention.positions import (
    AbsolutePositions,
    AlibiRelation,
    LearnedPositions,
    Relation,
    RelativeRelation,
    RotaryRelation,
    SinusoidalPositions,
)
from seq2seq.config.transformer import (
    LearnedPositionsSettings,
    LinearMechanismSettings,
    LinformerMechanismSettings,
    LshMechanismSettings,
    PositionSettings,
    RelativePositionsSettings,
    SelfAttentionSettings,
    StackSettings,
    StridedMechanismSettings,
    WindowMechanismSettings,
)

__all__ = [
    "MECHANISMS",
    "FullAttention",
    "LinearAttention",
    "LinformerAttention",
    "LshAttention",
    "SelfAttention",
    "StridedAttention",
    "WindowAttention",
    "build_absolute_positions",
    "build_pattern",
    "build_relation",
    "build_self_attention",
]

MECHANISMS: dict[str, type[SelfAttention]] = {
    "full": FullAttention,
    "window": WindowAttention,
    "strided": StridedAttention,
    "linear": LinearAttention,
    "linformer": LinformerAttention,
    "lsh": LshAttention,
}


def build_self_attention(settings: StackSettings, *, causal: bool) -> SelfAttention:
    """Build the self-attention of one layer.

    Args:
        settings: of the stack; its sizes, positions and self_attention are used.
        causal: positions see what stands before them only.
    """
    attention, mechanism, size = settings.self_attention, settings.self_attention.mechanism, settings.hidden_size
    if isinstance(mechanism, LinearMechanismSettings):
        return LinearAttention(hidden_size=size, heads=attention.heads, causal=causal)
    if isinstance(mechanism, LinformerMechanismSettings):
        return LinformerAttention(
            hidden_size=size,
            heads=attention.heads,
            max_length=mechanism.max_length,
            rank=mechanism.rank,
            dropout=attention.dropout,
        )
    if isinstance(mechanism, LshMechanismSettings):
        return LshAttention(
            hidden_size=size,
            heads=attention.heads,
            buckets=mechanism.buckets,
            rounds=mechanism.rounds,
            shared=mechanism.shared,
            causal=causal,
            dropout=attention.dropout,
        )
    return build_pattern(settings, causal=causal)


def build_pattern(settings: StackSettings, *, causal: bool) -> FullAttention:
    """Build a mechanism that leaves the comparison to a score: full, window or strided."""
    mechanism = settings.self_attention.mechanism
    comparison = _build_comparison(settings.self_attention, settings.hidden_size)
    relation = build_relation(settings)
    if isinstance(mechanism, WindowMechanismSettings):
        return WindowAttention(attention=comparison, relation=relation, causal=causal, width=mechanism.width)
    if isinstance(mechanism, StridedMechanismSettings):
        return StridedAttention(attention=comparison, relation=relation, causal=causal, stride=mechanism.stride)
    return FullAttention(attention=comparison, relation=relation, causal=causal)


def build_relation(settings: StackSettings) -> Relation:
    """Build what self-attention itself knows of positions; nothing if they are added to the embeddings."""
    attention = settings.self_attention
    if isinstance(settings.positions, RelativePositionsSettings):
        return RelativeRelation(
            head_size=(attention.attention_size or settings.hidden_size) // attention.heads,
            value_size=settings.hidden_size // attention.heads,
            max_distance=settings.positions.max_distance,
        )
    if settings.positions.kind == "rope":
        return RotaryRelation(head_size=(attention.attention_size or settings.hidden_size) // attention.heads)
    return AlibiRelation(heads=attention.heads) if settings.positions.kind == "alibi" else Relation()


def build_absolute_positions(settings: PositionSettings, *, embedding_size: int) -> AbsolutePositions | None:
    """Build what is added to the embeddings; None if self-attention knows of positions itself, or nothing does."""
    if isinstance(settings, LearnedPositionsSettings):
        return LearnedPositions(embedding_size=embedding_size, max_positions=settings.max_positions)
    return SinusoidalPositions(embedding_size=embedding_size) if settings.kind == "sinusoidal" else None


def _build_comparison(settings: SelfAttentionSettings, size: int) -> Attention:
    built = build_attention(settings, query_size=size, memory_size=size, summary_size=size, projected=True, context_size=size)
    if not isinstance(built, Attention):
        raise ValueError(f"self-attention cannot be a fixed context: {settings.score.kind}")
    return built
