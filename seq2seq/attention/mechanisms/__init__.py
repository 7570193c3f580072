"""Self-attention: who sees whom, and at what cost. A mechanism is a class, a line in `MECHANISMS` and a settings class."""

from seq2seq.attention.mechanisms.base import SelfAttention
from seq2seq.attention.mechanisms.linear import LinearAttention
from seq2seq.attention.mechanisms.linformer import LinformerAttention
from seq2seq.attention.mechanisms.lsh import LshAttention
from seq2seq.attention.mechanisms.patterns import FullAttention, StridedAttention, WindowAttention
from seq2seq.attention.mechanisms.span import AdaptiveSpanAttention

__all__ = [
    "MECHANISMS",
    "PATTERNS",
    "AdaptiveSpanAttention",
    "LinearAttention",
    "LinformerAttention",
    "LshAttention",
    "SelfAttention",
]

PATTERNS: dict[str, type[FullAttention]] = {
    "full": FullAttention,
    "window": WindowAttention,
    "adaptive_span": AdaptiveSpanAttention,
    "strided": StridedAttention,
}
"""Those that leave the comparison to a score."""
MECHANISMS: dict[str, type[SelfAttention]] = {
    **PATTERNS,
    "linear": LinearAttention,
    "linformer": LinformerAttention,
    "lsh": LshAttention,
}
