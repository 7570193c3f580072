"""Settings of Transformer stacks: encoder, decoder, and one causal stack for both."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from seq2seq.config.attention import AttentionSettings, FixedSettings, PlainScoreSettings, ScoreSettings
from seq2seq.config.base import Part, Settings, Size


class PlainPositionsSettings(Settings):
    """Positions without options.

    sinusoidal: fixed waves added to the embeddings (Vaswani et al. 2017, section 3.5).
    none: nothing but the mask tells positions apart.
    """

    kind: Literal["sinusoidal", "none"] = "sinusoidal"


class LearnedPositionsSettings(Settings):
    """A trained vector for each position, added to the embeddings."""

    kind: Literal["learned"] = "learned"
    max_positions: Size = 512
    """Longest sentence in tokens, >= 1; a longer one is refused."""


class RelativePositionsSettings(Settings):
    """Trained vectors for clipped distances, in self-attention (Shaw et al. 2018)."""

    kind: Literal["relative"] = "relative"
    max_distance: Size = 16
    """Distance in tokens beyond which all distances are one, >= 1."""


class ComparedPositionsSettings(Settings):
    """Positions that act on the comparison of query and key, in self-attention, without options.

    rope: queries and keys turned by their position (Su et al. 2021).
    alibi: a penalty on distance (Press et al. 2021).
    """

    kind: Literal["rope", "alibi"]


PositionSettings = Part[
    PlainPositionsSettings | LearnedPositionsSettings | RelativePositionsSettings | ComparedPositionsSettings
]


class PlainMechanismSettings(Settings):
    """Mechanisms without options.

    full: every position sees every (allowed) position.
    linear: a product of features in place of the softmax; cost linear in length (Katharopoulos et al. 2020).
    """

    kind: Literal["full", "linear"] = "full"


class WindowMechanismSettings(Settings):
    """Every position sees its neighbours (Beltagy et al. 2020)."""

    kind: Literal["window"] = "window"
    width: Size = 8
    """Neighbours seen on each side, in tokens, >= 1."""


class AdaptiveSpanMechanismSettings(Settings):
    """Every position sees its neighbours, as many as each head learns to need (Sukhbaatar et al. 2019)."""

    kind: Literal["adaptive_span"] = "adaptive_span"
    max_span: Size = 64
    """Widest span on each side, in tokens, >= 1."""
    ramp: Size = 8
    """Tokens over which what a head sees fades out beyond its span, >= 1."""
    penalty: float = Field(default=0.05, ge=0, le=1000)
    """Added to the loss, in nats of a target token, for each layer whose heads all see the widest span, 0 to 1000."""


class StridedMechanismSettings(Settings):
    """Every position sees its neighbours and every stride-th position (Child et al. 2019)."""

    kind: Literal["strided"] = "strided"
    stride: Size = 8
    """Tokens from one distant position to the next, and neighbours seen on each side, >= 1."""


class LinformerMechanismSettings(Settings):
    """Attention over a fixed number of learned mixtures of positions (Wang et al. 2020); encoder only."""

    kind: Literal["linformer"] = "linformer"
    max_length: Size = 512
    """Longest sentence in tokens, >= 1; a longer one is refused."""
    rank: Size = 32
    """Mixtures of positions, >= 1."""


class LshMechanismSettings(Settings):
    """Attention among positions of one hash bucket (Kitaev et al. 2020)."""

    kind: Literal["lsh"] = "lsh"
    buckets: Size = 8
    """Buckets of each round: 1 or an even number."""
    rounds: Size = 4
    """Independent hashes, >= 1; positions see each other if they meet in one of them."""
    shared: bool = True
    """One projection for queries and keys, as in the paper; a position then sees itself only if it sees nothing else."""

    @model_validator(mode="after")
    def _hash_has_opposites(self) -> Self:
        if self.buckets != 1 and self.buckets % 2:
            raise ValueError(f"buckets {self.buckets}: the hash has a bucket for each direction and its opposite, so 1 or even")
        return self


MechanismSettings = Part[
    PlainMechanismSettings
    | WindowMechanismSettings
    | AdaptiveSpanMechanismSettings
    | StridedMechanismSettings
    | LinformerMechanismSettings
    | LshMechanismSettings
]

COMPARING = ("full", "window", "adaptive_span", "strided")
"""Mechanisms that say who sees whom and leave the comparison to the score; the others are a formula of their own."""
STEPPING = (*COMPARING, "linear", "lsh")
"""Mechanisms that can be causal."""


class SelfAttentionSettings(AttentionSettings):
    """Self-attention between the positions of one sequence: a member of the family, and who sees whom."""

    score: ScoreSettings = PlainScoreSettings(kind="scaled")
    """How query and key are compared; fixed contexts have nothing to be a fixed context of here."""
    heads: Size = 4
    """Comparisons side by side, >= 1, a divisor of hidden_size."""
    mechanism: MechanismSettings = PlainMechanismSettings()
    """Who sees whom, and at what cost: full, window, adaptive_span, strided, linear, linformer or lsh."""

    @model_validator(mode="before")
    @classmethod
    def _score_is_scaled_by_default(cls, data: Any) -> Any:
        return {"score": "scaled", **data} if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _parts_fit_the_mechanism(self) -> Self:
        if isinstance(self.score, FixedSettings):
            raise ValueError(f"score: {self.score.kind} is a bridge from the source; self-attention needs one that compares")
        if self.reads_past:
            raise ValueError(f"{self.reads_past} needs the weights of the step before; self-attention answers all at once")
        if self.normaliser.kind == "hierarchical":
            raise ValueError("normaliser: hierarchical reads the segments of a source; it is for the bridge")
        if self.normaliser.kind == "sigmoid" and self.mechanism.kind == "adaptive_span":
            raise ValueError("normaliser: sigmoid counts the keys seen, and an adaptive span sees keys in part; use softmax")
        if self.window.kind != "global":
            raise ValueError(f"window: {self.window.kind} is for the bridge; in self-attention write mechanism: window")
        if self.mechanism.kind not in COMPARING:
            for name, value in self.changed("score", "normaliser", "attention_size", "gates").items():
                said = getattr(value, "kind", value)
                raise ValueError(f"mechanism: {self.mechanism.kind} has its own formula; leave out {name}: {said}")
        if self.mechanism.kind == "linear" and self.dropout:
            raise ValueError("mechanism: linear makes no weights that could be dropped; leave out dropout")
        return self


class StackSettings(Settings):
    """Common settings of stacks of Transformer layers (Vaswani et al. 2017, section 3)."""

    hidden_size: Size = 256
    """Features of a state and of a token embedding, >= 1."""
    layers: int = Field(default=3, ge=1, le=256)
    """Layers, 1 to 256."""
    feedforward_size: Size = 1024
    """Features inside the feed-forward sublayer, >= 1; four times hidden_size is usual."""
    activation: Literal["relu", "gelu"] = "relu"
    """Nonlinearity of the feed-forward sublayer."""
    norm: Literal["pre", "post"] = "pre"
    """pre: normalise what a sublayer reads (trains without care); post: normalise the sum (the paper; needs warm-up)."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Probability of dropping a feature of the embeddings, inside feed-forward and of each sublayer's output, 0 to 1."""
    positions: PositionSettings = PlainPositionsSettings()
    """How order is known: sinusoidal, learned, relative, rope, alibi or none."""
    scale_embeddings: bool = True
    """Multiply token vectors by sqrt(hidden_size) before positions are added (Vaswani et al. 2017, section 3.4)."""
    self_attention: SelfAttentionSettings = SelfAttentionSettings()
    """How the positions of the sequence look at each other."""

    @property
    def embedding_size(self) -> int:
        """Features of a token embedding."""
        return self.hidden_size

    @model_validator(mode="after")
    def _sizes_and_positions_fit(self) -> Self:
        attention, kind = self.self_attention, self.positions.kind
        heads, inner = attention.heads, attention.attention_size or self.hidden_size
        for name, size in (("hidden_size", self.hidden_size), ("self_attention.attention_size", inner)):
            if size % heads:
                raise ValueError(f"{name} {size} is not divisible by self_attention.heads {heads}")
        if kind == "sinusoidal" and self.hidden_size % 2:
            raise ValueError(f"positions: sinusoidal pairs sines with cosines; hidden_size {self.hidden_size} is odd")
        if kind == "rope" and inner // heads % 2:
            raise ValueError(f"positions: rope turns pairs of features; a head of {inner // heads} features has an odd one")
        if kind in ("relative", "rope", "alibi") and attention.mechanism.kind not in COMPARING:
            raise ValueError(
                f"positions: {kind} acts on the comparison of query and key, which mechanism: {attention.mechanism.kind} "
                "replaces; use sinusoidal or learned"
            )
        if kind == "rope" and attention.score.kind not in ("scaled", "dot", "cosine"):
            raise ValueError(
                f"positions: rope knows the distance only through a product of query and key; score: {attention.score.kind} "
                "has none; use dot, scaled or cosine, or other positions"
            )
        return self

    def _refuse_whole(self, reason: str) -> None:
        kind = self.self_attention.mechanism.kind
        if kind not in STEPPING:
            raise ValueError(f"self_attention.mechanism: {kind} {reason}; use {', '.join(STEPPING[:-1])} or {STEPPING[-1]}")


class TransformerEncoderSettings(StackSettings):
    """A Transformer encoder; its fixed vector is the mean of its states."""

    kind: Literal["transformer"] = "transformer"


class TransformerDecoderSettings(StackSettings):
    """A Transformer decoder; the bridge is `model.attention`, the same in every layer."""

    kind: Literal["transformer"] = "transformer"

    @model_validator(mode="after")
    def _mechanism_can_step(self) -> Self:
        self._refuse_whole("mixes all positions, later ones too, and cannot write from left to right")
        return self


class DecoderOnlySettings(StackSettings):
    """One stack over source and target in place of encoder, bridge and decoder, as in a language model."""

    architecture: Literal["decoder_only"] = "decoder_only"
    prefix: Literal["bidirectional", "causal"] = "bidirectional"
    """bidirectional: source positions see the whole source (prefix LM); causal: only what stands before them (GPT)."""
    tie: Literal["none", "output", "all"] = "none"
    """Share embeddings: target with output layer, or source, target and output (needs a joint vocabulary)."""

    @model_validator(mode="after")
    def _attention_can_join_two_sides(self) -> Self:
        self._refuse_whole("cannot join a source with a target: it mixes all positions, later ones too")
        for member in self.self_attention.scores:
            if member.kind in ("location", "concat_linear"):
                raise ValueError(
                    f"self_attention.score: {member.kind} counts places in the padded row, where a target has no fixed place "
                    "behind its source; use a score that compares contents"
                )
        return self
