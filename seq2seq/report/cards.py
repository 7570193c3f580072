"""Description of each system, in a formula and a line, from its configuration."""

from collections.abc import Iterator, Mapping
from typing import Any

from seq2seq.attention.fixed import FIXED
from seq2seq.attention.mechanisms import MECHANISMS
from seq2seq.attention.normalisers import NORMALISERS
from seq2seq.attention.positions import POSITIONS
from seq2seq.attention.scores import SCORES
from seq2seq.attention.windows import WINDOWS
from seq2seq.config.differences import flatten
from seq2seq.report.schema import SystemCard

_TABLES: dict[str, tuple[str, Mapping[str, type[Any]]]] = {
    "attention.normaliser.kind": ("softmax", NORMALISERS),
    "attention.window.kind": ("global", WINDOWS),
    "encoder.positions.kind": ("sinusoidal", POSITIONS),
    "encoder.self_attention.mechanism.kind": ("full", MECHANISMS),
}
"""Settings whose formula is told only where another one was chosen -> the usual choice, and all of them."""


def system_card(config: Mapping[str, Any]) -> SystemCard:
    """Describe a system; a setting that is not there, or a class of the user's own, is passed over."""
    model = flatten(config.get("model") or {})
    parts = [part for part in _parts(model) if part is not None]
    return SystemCard(
        formula="; ".join(str(part.formula) for part in parts),
        source="; ".join(dict.fromkeys(str(part.source) for part in parts)),
        outline=_outline(model),
    )


def attends(config: Mapping[str, Any]) -> bool:
    """Whether a system's decoder weighs source tokens by a score, so that its weights can be read and replaced."""
    model = flatten(config.get("model") or {})
    return model.get("attention.score.kind") in {*SCORES, "custom"} and model.get("architecture") != "decoder_only"


def _parts(model: Mapping[str, Any]) -> Iterator[Any]:
    """The class of the score or of the fixed context, then those of unusual parts."""
    kind = str(model.get("attention.score.kind") or model.get("self_attention.score.kind"))
    yield SCORES.get(kind) or FIXED.get(kind)
    for path, (usual, table) in _TABLES.items():
        if model.get(path) not in (None, usual):
            yield table.get(model[path])


def _outline(model: Mapping[str, Any]) -> str:
    """`GRU, encoder 1 x 96 (bidirectional), decoder 1 x 192; attention after the recurrence`."""

    def size(prefix: str = "") -> str:
        return f"{model.get(f'{prefix}layers', 1)} × {model.get(f'{prefix}hidden_size', '?')}"

    if model.get("architecture") == "decoder_only":
        return f"decoder-only Transformer, {size()}"
    family, parts = [], []
    for side in ("encoder", "decoder"):
        kind = model.get(f"{side}.kind")
        family.append(str(model.get(f"{side}.cell", "rnn")).upper() if kind == "rnn" else str(kind or "").capitalize())
        both_ways = side == "encoder" and model.get("encoder.bidirectional")
        parts.append(f"{side} {size(f'{side}.')}{' (bidirectional)' if both_ways else ''}")
    if (placement := model.get("decoder.placement")) is not None:
        parts.append(f"context {placement} the recurrence")
    if model.get("decoder.input_feeding"):
        parts.append("input feeding")
    heads = model.get("attention.heads")
    if isinstance(heads, int) and heads > 1:
        parts.append(f"{heads} heads")
    return ", ".join(filter(None, [" to ".join(dict.fromkeys(family)), *parts]))
