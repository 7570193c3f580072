"""Self-attention: who sees whom, and at what cost. A mechanism is a class, a line in `MECHANISMS` and a settings class."""

from seq2seq.attention.mechanisms.base import SelfAttention
from seq2seq.attention.mechanisms.linear import LinearAttention
from seq2seq.attention.mechanisms.linformer import LinformerAttention
from seq2seq.attention.mechanisms.lsh import LshAttention
from seq2seq.attention.mechanisms.patterns import FullAttention, StridedAttention, WindowAttention

__all__ = [
    "MECHANISMS",
    "FullAttention",
    "LinearAttention",
    "LinformerAttention",
    "LshAttention",
    "SelfAttention",
    "StridedAttention",
    "WindowAttention",
]

MECHANISMS: dict[str, type[SelfAttention]] = {
    "full": FullAttention,
    "window": WindowAttention,
    "strided": StridedAttention,
    "linear": LinearAttention,
    "linformer": LinformerAttention,
    "lsh": LshAttention,
}
