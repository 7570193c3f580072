"""Settings of models: which encoder, which decoder, what bridges them."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from seq2seq.config.attention import AttentionSettings, FixedSettings
from seq2seq.config.base import SHORTHAND, Settings, Size
from seq2seq.config.transformer import DecoderOnlySettings, TransformerDecoderSettings, TransformerEncoderSettings


class RnnEncoderSettings(Settings):
    """A recurrent encoder (Bahdanau et al. 2015, section 3.2)."""

    kind: Literal["rnn"] = "rnn"
    cell: Literal["gru", "lstm"] = "gru"
    """The recurrence."""
    hidden_size: Size = 128
    """Features of the state of each direction, >= 1."""
    bidirectional: bool = True
    """Read both ways and concatenate, so that an annotation knows what follows it."""
    layers: int = Field(default=1, ge=1, le=256)
    """Stacked recurrences, 1 to 256."""
    embedding_size: Size = 256
    """Features of a source token, >= 1."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Probability of dropping a feature of the embeddings and between layers, 0 to 1."""

    @property
    def memory_size(self) -> int:
        """Features of an annotation."""
        return self.hidden_size * (2 if self.bidirectional else 1)


class RnnDecoderSettings(Settings):
    """A recurrent decoder whose attention stands before the recurrence (Bahdanau) or after it (Luong)."""

    kind: Literal["rnn"] = "rnn"
    cell: Literal["gru", "lstm"] = "gru"
    """The recurrence."""
    hidden_size: Size = 256
    """Features of the decoder state, >= 1."""
    layers: int = Field(default=1, ge=1, le=256)
    """Stacked recurrences, 1 to 256."""
    embedding_size: Size = 256
    """Features of a target token, >= 1."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Probability of dropping a feature of embeddings, between layers and of the attentional state, 0 to 1."""
    placement: Literal["before", "after"] = "after"
    """before: the previous state asks and the context enters the cell; after: the new state asks, which computes faster."""
    input_feeding: bool = False
    """Feed the previous attentional state into the cell (Luong et al. 2015, section 3.3)."""


def _default_kind(value: Any) -> Any:
    """A part that does not say its kind is an RNN."""
    return {"kind": "rnn", **value} if isinstance(value, dict) else value


EncoderSettings = Annotated[
    RnnEncoderSettings | TransformerEncoderSettings, BeforeValidator(_default_kind), SHORTHAND, Field(discriminator="kind")
]
DecoderSettings = Annotated[
    RnnDecoderSettings | TransformerDecoderSettings, BeforeValidator(_default_kind), SHORTHAND, Field(discriminator="kind")
]


class EncoderDecoderSettings(Settings):
    """An encoder and a decoder with a bridge of attention between them."""

    architecture: Literal["encoder_decoder"] = "encoder_decoder"
    encoder: EncoderSettings = RnnEncoderSettings()
    """Reads the source: kind rnn or transformer."""
    decoder: DecoderSettings = RnnDecoderSettings()
    """Writes the target: kind rnn or transformer."""
    attention: AttentionSettings = AttentionSettings()
    """The bridge: what the decoder may know of the source at each step."""
    tie: Literal["none", "output", "all"] = "none"
    """Share embeddings: target with output layer, or source, target and output (needs a joint vocabulary and equal sizes)."""

    @model_validator(mode="after")
    def _sizes_can_be_tied(self) -> "EncoderDecoderSettings":
        if self.tie == "all" and self.encoder.embedding_size != self.decoder.embedding_size:
            raise ValueError(
                f"tie: all needs encoder.embedding_size {self.encoder.embedding_size} to equal "
                f"decoder.embedding_size {self.decoder.embedding_size}"
            )
        return self

    @model_validator(mode="after")
    def _heads_share_out(self) -> "EncoderDecoderSettings":
        """More than one head, and a Transformer always, cuts the comparison and the context into equal parts."""
        heads = self.attention.heads
        query = self.decoder.hidden_size
        sizes = {"the comparison (attention_size, or those of the decoder's state)": self.attention.attention_size or query}
        if self.decoder.kind == "rnn":
            sizes["the context (those of the encoder's states)"] = self.encoder.memory_size
        else:
            sizes["the context (decoder.hidden_size)"] = query
        for owner, features in sizes.items():
            if features % heads and not isinstance(self.attention.score, FixedSettings):
                raise ValueError(
                    f"attention.heads: {heads} heads cannot share out the {features} features of {owner}; "
                    f"choose a number of heads that divides {features}"
                )
        return self


def _default_architecture(value: Any) -> Any:
    return {"architecture": "encoder_decoder", **value} if isinstance(value, dict) else value


ModelSettings = Annotated[
    EncoderDecoderSettings | DecoderOnlySettings,
    BeforeValidator(_default_architecture),
    Field(discriminator="architecture"),
]
