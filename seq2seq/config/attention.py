"""Settings of the bridge: score x scale x normaliser x window x heads, or a fixed context in their place."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from seq2seq.config.base import Part, Seed, Settings, Size


class NoneSettings(Settings):
    """The encoder's fixed vector at every step, in recurrence and readout (Cho et al. 2014); `none-input` is another name."""

    kind: Annotated[Literal["none", "none-input"], AfterValidator(lambda _: "none")] = "none"


class PlainContextSettings(Settings):
    """Other fixed contexts without options.

    none-state: the encoder's fixed vector in the decoder's first state and nowhere else (Sutskever et al. 2014).
    mean: the plain mean of the memory; nothing is trained.
    uniform: equal weights over projected values: the parameters of a value path, without the choice.
    """

    kind: Literal["none-state", "mean", "uniform"]


class DiagonalSettings(Settings):
    """Target position t looks at source position t."""

    kind: Literal["diagonal"] = "diagonal"
    deviation: float = Field(default=0.0, ge=0)
    """Standard deviation of a Gaussian around the position, in tokens, >= 0; 0 is the one nearest token."""


class RandomFrozenSettings(Settings):
    """Weights drawn once for every pair of positions and never trained."""

    kind: Literal["random_frozen"] = "random_frozen"
    seed: Seed = 1
    """Which weights are drawn, 0 to 2**63 - 1; independent of the seed of the run."""


FixedSettings = NoneSettings | PlainContextSettings | DiagonalSettings | RandomFrozenSettings
"""Contexts that are not computed by comparing: nothing that shapes a comparison applies to them."""


class PlainScoreSettings(Settings):
    """Scores without options.

    dot: q . k (Luong et al. 2015, section 3.1).
    scaled: q . k / sqrt(d), the short name of score dot with scale sqrt (Vaswani et al. 2017, section 3.2.1).
    coverage: additive, and how much weight a token has had already (Tu et al. 2016); recurrent decoders only.
    """

    kind: Literal["dot", "scaled", "coverage"]


class BilinearSettings(Settings):
    """q . W k (Luong's general)."""

    kind: Literal["bilinear"] = "bilinear"
    rank: Size | None = None
    """Rank of W, >= 1: W is a product of two thin matrices; null for a full matrix."""


class AdditiveSettings(Settings):
    """v . tanh(W_q q + W_k k) (Bahdanau et al. 2015, section A.1.2)."""

    kind: Literal["additive"] = "additive"
    weight_norm: bool = False
    """Give v a trained length and a free direction, and the tanh a bias."""


class SumTanhSettings(Settings):
    """A sum over tanh(W_q q + W_k k): additive without v. `concat` is its old name, under which Luong has a score with v."""

    kind: Annotated[Literal["sum_tanh", "concat"], AfterValidator(lambda _: "sum_tanh")] = "sum_tanh"


class LocationAwareSettings(Settings):
    """Additive, and a convolution over the weights of the step before (Chorowski et al. 2015); recurrent decoders only."""

    kind: Literal["location_aware"] = "location_aware"
    filters: Size = 10
    """Features that the convolution makes of the weights around a token, >= 1."""
    width: int = Field(default=3, ge=0, le=100)
    """Tokens on each side that the convolution sees, 0 to 100."""


class CosineSettings(Settings):
    """cos(q, k) / temperature, the temperature trained."""

    kind: Literal["cosine"] = "cosine"
    temperature: float = Field(default=0.1, ge=1e-4, le=1e4)
    """The temperature training starts from, 0.0001 to 10,000."""


class MlpSettings(Settings):
    """Additive with more than one hidden layer."""

    kind: Literal["mlp"] = "mlp"
    layers: int = Field(default=2, ge=2, le=256)
    """Hidden layers, 2 to 256 (one is additive)."""


class PositionalSettings(Settings):
    """One trained row for each source position.

    location: asked by the query alone (Luong et al. 2015, equation 8).
    concat_linear: over query and key together.
    """

    kind: Literal["location", "concat_linear"]
    max_source: Size = 200
    """Source positions that have a row, in tokens, >= 1."""
    longer: Literal["refuse", "ignore"] = "refuse"
    """What to do with a longer source: stop, or (as in Luong's paper) never look at the tokens past max_source."""


class CustomSettings(Settings):
    """Somebody's own score: a class derived from seq2seq.attention.scores.Score."""

    kind: Literal["custom"] = "custom"
    path: str
    """module:Class, found as Python finds modules."""
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """Keyword arguments of the class, beside the sizes that every score is given."""

    @field_validator("path")
    @classmethod
    def _names_a_class(cls, path: str) -> str:
        module, _, name = path.partition(":")
        if not all(part.isidentifier() for part in [*module.split("."), name]):
            raise ValueError(f"'{path}' does not name a class; write module:Class, for example my_module:MyScore")
        return path


ComparisonSettings = (
    PlainScoreSettings
    | BilinearSettings
    | AdditiveSettings
    | SumTanhSettings
    | LocationAwareSettings
    | CosineSettings
    | MlpSettings
    | PositionalSettings
    | CustomSettings
)
MemberSettings = Part[ComparisonSettings]


class GatedSettings(Settings):
    """A mixture of scores; each query chooses the shares."""

    kind: Literal["gated"] = "gated"
    members: tuple[MemberSettings, ...] = Field(min_length=2)
    """Two or more scores."""


ScoreSettings = Part[FixedSettings | ComparisonSettings | GatedSettings]


class NoScaleSettings(Settings):
    """Scores as they are."""

    kind: Literal["none"] = "none"


class SqrtScaleSettings(Settings):
    """Scores over sqrt(d)."""

    kind: Literal["sqrt"] = "sqrt"


class LearnedScaleSettings(Settings):
    """Scores times a trained number for each head, which starts at 1 / sqrt(d)."""

    kind: Literal["learned"] = "learned"


ScaleSettings = Part[NoScaleSettings | SqrtScaleSettings | LearnedScaleSettings]


class PlainNormaliserSettings(Settings):
    """Normalisers without options.

    softmax: exp(score) over its sum.
    sparsemax: the nearest distribution to the scores; most weights are exactly zero (Martins and Astudillo 2016).
    entmax15: half way between softmax and sparsemax (Peters et al. 2019).
    sigmoid: each weight for itself; rows need not sum to one (Ramapuram et al. 2024).
    """

    kind: Literal["softmax", "sparsemax", "entmax15", "sigmoid"] = "softmax"


class TopKSettings(Settings):
    """Softmax among the k largest scores (Zhao et al. 2019)."""

    kind: Literal["top_k"] = "top_k"
    k: Size = 8
    """Tokens that may have weight, >= 1."""


class MonotonicSettings(Settings):
    """The expected alignment of a reader that never turns back (Raffel et al. 2017); recurrent decoders only."""

    kind: Literal["monotonic"] = "monotonic"
    offset: float = Field(default=-1.0, ge=-1000, le=1000)
    """What is added to scores before training, -1000 to 1000; the more negative, the further a step reads."""
    noise: float = Field(default=1.0, ge=0, le=1000)
    """Standard deviation of the noise on scores in training, 0 to 1000; it teaches scores to be decisions."""
    at_test: Literal["soft", "hard"] = "soft"
    """soft: the expected alignment, as in training; hard: stop at the first token whose probability is over a half."""


class HierarchicalSettings(Settings):
    """Segments first, then the tokens in them (Yang et al. 2016, Nallapati et al. 2016); needs data.join.separator."""

    kind: Literal["hierarchical"] = "hierarchical"
    form: Literal["nested", "rescaled"] = "nested"
    """nested: the weight of a segment is shared out in it; rescaled: a token's weight is multiplied by that of its segment."""


NormaliserSettings = Part[PlainNormaliserSettings | TopKSettings | MonotonicSettings | HierarchicalSettings]


class GlobalSettings(Settings):
    """All of the source."""

    kind: Literal["global"] = "global"


class _LocalSettings(Settings):
    width: Size = 10
    """D, tokens on each side of the centre, >= 1."""
    edges: Literal["hard", "soft"] = "hard"
    """hard: no weight past D tokens; soft: only the Gaussian falls off."""
    gaussian: bool
    """Multiply weights by a Gaussian around the centre with standard deviation D / 2."""

    @model_validator(mode="after")
    def _has_an_edge(self) -> "_LocalSettings":
        if self.edges == "soft" and not self.gaussian:
            raise ValueError("soft edges without the Gaussian are no window at all; set gaussian: true, or window: global")
        return self


class LocalMonotonicSettings(_LocalSettings):
    """A window around source position t (Luong et al. 2015, section 3.2, local-m)."""

    kind: Literal["local_m"] = "local_m"
    gaussian: bool = False
    """Multiply weights by a Gaussian around the centre with standard deviation D / 2; the paper does not for local-m."""


class LocalPredictiveSettings(_LocalSettings):
    """A window around a position that the query predicts (Luong et al. 2015, section 3.2, local-p)."""

    kind: Literal["local_p"] = "local_p"
    gaussian: bool = True
    """Multiply weights by a Gaussian around the centre, standard deviation D / 2; without it the prediction is not trained."""


WindowSettings = Part[GlobalSettings | LocalMonotonicSettings | LocalPredictiveSettings]


class GateSettings(Settings):
    """Heads that switch themselves off (Voita et al. 2019)."""

    penalty: float = Field(default=0.01, ge=0, le=1000)
    """Added to the loss, in nats of a target token, for each open head, 0 to 1000."""


class AttentionSettings(Settings):
    """Bridge: the decoder's view of the source at each step."""

    score: ScoreSettings = AdditiveSettings()
    """How query and key are compared, or the fixed context in place of a comparison; `none-input` is a name of `none`."""
    scale: ScaleSettings = NoScaleSettings()
    """What scores are multiplied by: none, sqrt or learned; d is the features that the score compares."""
    normaliser: NormaliserSettings = PlainNormaliserSettings()
    """How scores become weights: softmax, sparsemax, entmax15, sigmoid, top_k, monotonic or hierarchical."""
    window: WindowSettings = GlobalSettings()
    """Where a query may look: global, local_m or local_p."""
    heads: Size = 1
    """Comparisons side by side, >= 1; more than one comes with projections of query, key, value and output."""
    attention_size: Size | None = None
    """Features in which query and memory are compared, >= 1, shared out between heads; null is those of the query.
    With one head, a score without a comparison space of its own (dot, cosine ...) gets two projections into it if given."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability of dropping a weight in training, 0 to 1."""
    gates: GateSettings | None = None
    """Let heads switch themselves off; null leaves all on. Needs two heads or more."""

    @property
    def scores(self) -> tuple[Any, ...]:
        """The score, or the members of a mixture."""
        return self.score.members if isinstance(self.score, GatedSettings) else (self.score,)

    @property
    def reads_past(self) -> str | None:
        """The part that needs the weights of the step before, as `score: coverage`; None if no part of ours does."""
        found = [f"score: {score.kind}" for score in self.scores if score.kind in ("location_aware", "coverage")]
        found += ["normaliser: monotonic"] if isinstance(self.normaliser, MonotonicSettings) else []
        return found[0] if found else None

    @model_validator(mode="before")
    @classmethod
    def _scaled_is_dot_with_sqrt(cls, data: Any) -> Any:
        if not isinstance(data, dict) or _kind(data.get("score")) != "scaled":
            return data
        if "scale" in data and _kind(data["scale"]) != "sqrt":
            raise ValueError(
                f"score: scaled is dot with scale: sqrt, and cannot have scale: {_kind(data['scale'])}; "
                "leave scale out, or write score: dot"
            )
        return {**data, "scale": {"kind": "sqrt"}}

    def changed(self, *names: str) -> dict[str, Any]:
        """Return those of these settings that differ from their default, by name."""
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value != type(self).model_fields[name].default}

    @model_validator(mode="after")
    def _options_apply(self) -> "AttentionSettings":
        if isinstance(self.score, FixedSettings):
            for name in self.changed("scale", "normaliser", "window", "heads", "attention_size", "gates"):
                raise ValueError(f"{name} does not apply to score: {self.score.kind}, which compares nothing; leave it out")
        positional = [s.kind for s in self.scores if isinstance(s, PositionalSettings)]
        if isinstance(self.normaliser, HierarchicalSettings) and (positional or self.reads_past):
            raise ValueError(
                "normaliser: hierarchical compares a query with segments as with tokens, which "
                f"{self.reads_past or f'score: {positional[0]}'} cannot; use a score of query and key alone"
            )
        if self.gates is not None and self.heads == 1:
            raise ValueError("gates: a single head cannot be switched off; set heads to 2 or more")
        return self


def _kind(part: Any) -> Any:
    """The name of a part, however it is written."""
    return part.get("kind") if isinstance(part, dict) else getattr(part, "kind", part)
