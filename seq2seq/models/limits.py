"""The longest sentences that a model can read and write: what its learned positions and position-bound parts have rows for."""

from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.config.errors import UserError
from seq2seq.models.decoder_only import DecoderOnly
from seq2seq.models.interface import EncoderDecoder, Model


class Limit(NamedTuple):
    """A limit and where it comes from."""

    tokens: int
    """Most tokens, end of sentence included (in a target, begin of sentence instead)."""
    setting: str
    """Name of the setting that says so."""


class Limits(NamedTuple):
    """The limits of a model, `both` of source and target together where they are one sequence; None where there is none."""

    source: Limit | None
    target: Limit | None
    both: Limit | None

    def can_write(self, subwords: Tensor, mask: Tensor) -> Tensor:
        """Return how many of so many target subwords (B,) can be written for source masks (B, S)."""
        if self.target is not None:
            subwords = subwords.clamp(max=self.target.tokens - 1)  # begin of sentence is read as well
        if self.both is not None:
            subwords = torch.minimum(subwords, self.both.tokens - 1 - mask.sum(dim=1))
        return subwords

    def refused(self, source_tokens: int) -> Limit | None:
        """Return the limit that keeps a source of so many tokens, end of sentence included, from being translated."""
        if self.source is not None and source_tokens > self.source.tokens:
            return self.source
        return self.both if self.both is not None and source_tokens >= self.both.tokens else None


def find_limits(model: Model) -> Limits:
    """Return the limits of a model, the tightest of each side; none of a bridge whose memory is always of one length.

    A part with a limit names the setting, which is an attribute of the part too, as `limited_by`. A `UserError` if a memory of
    one length is longer than its bridge can read.
    """
    found: dict[str, list[Limit]] = {"source": [], "target": [], "both": []}
    cells = model.encoder.memory_length if isinstance(model, EncoderDecoder) else None
    for name, part in model.named_modules():
        if setting := getattr(part, "limited_by", None):
            limit, side = Limit(getattr(part, setting), setting), _side(model, name)
            if cells is None or side != "source":
                found[side].append(limit)
            elif limit.tokens < cells:
                raise UserError(
                    f"model: {setting} {limit.tokens} is too small for the {cells} cells of a picture; raise {setting} to "
                    f"{cells}"
                )
    return Limits(**{side: min(limits, default=None) for side, limits in found.items()})


def _side(model: Model, name: str) -> str:
    """Return which sentence the part of that name meets: in a decoder, all but the bridge meet the target."""
    if isinstance(model, DecoderOnly):
        return "source" if name.startswith("source_embedding.") else "both"
    return "target" if name.startswith("decoder.") and (".self_attention" in name or ".positions" in name) else "source"
