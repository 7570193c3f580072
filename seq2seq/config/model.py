"""Settings of models: which encoder, which decoder, what bridges them."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from seq2seq.config.attention import AttentionSettings, FixedSettings
from seq2seq.config.base import Part, Settings, Size, usual
from seq2seq.config.transformer import (
    DecoderOnlySettings,
    LearnedPositionsSettings,
    PlainPositionsSettings,
    TransformerDecoderSettings,
    TransformerEncoderSettings,
)


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


class ConvEncoderSettings(Settings):
    """A convolutional encoder of gated linear units (Gehring et al. 2017); its fixed vector is the mean of its states."""

    kind: Literal["conv"] = "conv"
    hidden_size: Size = 256
    """Features of a state, >= 1."""
    layers: int = Field(default=4, ge=1, le=256)
    """Convolutions, >= 1; a state knows layers x width tokens on each side."""
    width: int = Field(default=1, ge=0, le=100)
    """Tokens that a convolution sees on each side, 0 to 100; 1 is the kernel of 3 of the paper."""
    embedding_size: Size = 256
    """Features of a source token, >= 1."""
    positions: Part[LearnedPositionsSettings | PlainPositionsSettings] = LearnedPositionsSettings()
    """What is added to the embeddings: learned (as in the paper), sinusoidal or none."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Probability of dropping a feature of the embeddings and before each convolution, 0 to 1."""

    @model_validator(mode="after")
    def _waves_come_in_pairs(self) -> "ConvEncoderSettings":
        if self.positions.kind == "sinusoidal" and self.embedding_size % 2:
            raise ValueError(f"positions: sinusoidal pairs sines with cosines; embedding_size {self.embedding_size} is odd")
        return self


class ImageEncoderSettings(Settings):
    """A small convolutional network over a picture, whose last grid is the memory (Xu et al. 2015); corpus `scenes` only."""

    kind: Literal["image"] = "image"
    hidden_size: int = Field(default=128, ge=8, le=65_536)
    """Features of a cell of the last grid, >= 8; every earlier grid has half as many, 8 at least."""
    layers: int = Field(default=3, ge=1, le=5)
    """Convolutions, 1 to 5; each halves the picture, so 3 make 4 x 4 cells of its 32 x 32 pixels."""
    embedding_size: Size = 8
    """Features of a pixel's colour, >= 1."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Probability of dropping a feature of a cell, 0 to 1."""


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
    """before: the previous state asks and the context enters the cell; after: the new state asks, which computes faster.
    The fixed context none enters cell and readout in both."""
    input_feeding: bool = False
    """Feed the previous attentional state into the cell (Luong et al. 2015, section 3.3)."""


EncoderSettings = Annotated[
    Part[RnnEncoderSettings | ConvEncoderSettings | ImageEncoderSettings | TransformerEncoderSettings], usual(kind="rnn")
]
DecoderSettings = Annotated[Part[RnnDecoderSettings | TransformerDecoderSettings], usual(kind="rnn")]


class EncoderDecoderSettings(Settings):
    """An encoder and a decoder with a bridge of attention between them."""

    architecture: Literal["encoder_decoder"] = "encoder_decoder"
    encoder: EncoderSettings = RnnEncoderSettings()
    """Reads the source: kind rnn, conv, image or transformer."""
    decoder: DecoderSettings = RnnDecoderSettings()
    """Writes the target: kind rnn or transformer."""
    attention: AttentionSettings = AttentionSettings()
    """The bridge: what the decoder may know of the source at each step."""
    tie: Literal["none", "output", "all"] = "none"
    """Share embeddings: target with output layer, or source, target and output (needs a joint vocabulary and equal sizes)."""

    @model_validator(mode="after")
    def _both_sides_fit_the_bridge(self) -> "EncoderDecoderSettings":
        is_transformer = self.decoder.kind == "transformer"
        if is_transformer and self.attention.reads_past:
            raise ValueError(
                f"attention.{self.attention.reads_past} needs the weights of the step before, and a Transformer decodes all "
                "steps at once; use decoder.kind: rnn, or another part"
            )
        if is_transformer and self.attention.score.kind == "none-state":
            raise ValueError(
                "attention.score: none-state gives the source to the decoder's first state, and a Transformer has none; "
                "use none, or decoder.kind: rnn"
            )
        if self.tie == "all" and self.encoder.embedding_size != self.decoder.embedding_size:
            raise ValueError(
                f"tie: all needs encoder.embedding_size {self.encoder.embedding_size} to equal "
                f"decoder.embedding_size {self.decoder.embedding_size}"
            )
        return self

    @model_validator(mode="after")
    def _heads_share_out(self) -> "EncoderDecoderSettings":
        """More than one head, and a Transformer always, cuts the comparison and the context into equal parts."""
        heads, query, memory = self.attention.heads, self.decoder.hidden_size, self.encoder.hidden_size
        if isinstance(self.encoder, RnnEncoderSettings) and self.encoder.bidirectional:
            memory *= 2
        sizes = {"the comparison (attention_size, or those of the decoder's state)": self.attention.attention_size or query}
        if self.decoder.kind == "rnn":
            sizes["the context (those of the encoder's states)"] = memory
        else:
            sizes["the context (decoder.hidden_size)"] = query
        for owner, features in sizes.items():
            if features % heads and not isinstance(self.attention.score, FixedSettings):
                raise ValueError(
                    f"attention.heads: {heads} heads cannot share out the {features} features of {owner}; "
                    f"choose a number of heads that divides {features}"
                )
        return self


ModelSettings = Annotated[
    EncoderDecoderSettings | DecoderOnlySettings, Field(discriminator="architecture"), usual(architecture="encoder_decoder")
]
