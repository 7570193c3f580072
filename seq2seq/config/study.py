"""A study: one base, and systems that each say only what they change.

Two systems of a study differ in the lines under their names and nowhere else, so whether a comparison is fair can be read
off the page.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from seq2seq.config.base import Count, Settings
from seq2seq.config.data import DataSettings, TokenizerSettings
from seq2seq.config.embedded import IMAGE, SCENES
from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.config.languages import resolve_tokenizer
from seq2seq.config.model import EncoderDecoderSettings, ModelSettings
from seq2seq.config.training import SearchSettings, TrainingSettings


class RunSettings(Settings):
    """Everything that one system is: with a seed, it determines a run."""

    data: DataSettings
    """Which sentences."""
    tokenizer: TokenizerSettings = TokenizerSettings()
    """How sentences become subwords."""
    model: ModelSettings = EncoderDecoderSettings()
    """Which encoder, which decoder, which bridge."""
    training: TrainingSettings = TrainingSettings()
    """How long, how fast and how carefully to train."""
    search: SearchSettings = SearchSettings()
    """How translations are looked for."""

    @model_validator(mode="after")
    def _parts_fit_each_other(self) -> Self:
        pair = self.model if isinstance(self.model, EncoderDecoderSettings) else None
        is_image, join, pretrain = self.data.source == IMAGE, self.data.join, self.training.pretrain
        if self.model.tie == "all" and not self.tokenizer.joint:
            raise ValueError(
                "model.tie: all shares one table between both languages, but tokenizer.joint is false; write joint: true, "
                "or tie: output"
            )
        if pretrain is not None and pretrain.kind == "masked":
            if pair is None:
                raise ValueError("training.pretrain: masked trains an encoder, and a decoder-only model has none; write causal")
            if is_image:
                raise ValueError("training.pretrain: masked hides subwords, and the source is a picture; write causal")
        if pair and pair.attention.normaliser.kind == "hierarchical" and (join is None or join.separator is None):
            raise ValueError(
                "model.attention.normaliser: hierarchical needs segments, and without data.join.separator: source every source "
                "is one, for which it is softmax"
            )
        if is_image and self.tokenizer.joint:
            raise ValueError("tokenizer.joint: a picture is made of pixels, a caption of subwords; write joint: false")
        if pair and pair.encoder.kind == IMAGE and not is_image:
            raise ValueError(f"model.encoder: image reads pictures; use it with corpus '{SCENES}', or another kind")
        return self


def _read_percentage(value: Any) -> Any:
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip()[:-1]) / 100
    return value


Share = Annotated[
    float,
    Field(gt=0, le=1),
    BeforeValidator(_read_percentage),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {"type": "string", "pattern": "%\\s*$"}]}
    ),
]
"""A share, which may be written as a percentage."""


class MatchSettings(Settings):
    """Make systems comparable: widths are chosen so that a budget agrees with the reference system's."""

    parameters: Share | None = None
    """Largest relative difference in trainable parameters, 0 to 1; may be written as a percentage."""
    flops: Share | None = None
    """Largest relative difference in FLOPs per target token at 25 source and target subwords, 0 to 1; may be a percentage."""
    to: str | None = None
    """Name of the system whose budget the others meet; None for the first."""


class StudyHeader(Settings):
    """The part of a study file that belongs to no single system."""

    question: str = ""
    """What the study is to answer, in a sentence."""
    jobs: Count | Literal["auto"] = "auto"
    """Runs trained side by side, >= 1; auto: one a core on a CPU without an accelerator, else one."""
    match: MatchSettings | None = None
    """Choose widths so that systems agree in a budget; None leaves them as written."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """How systems are scored and compared; the same for all of them."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study file, read, merged and validated."""

    name: str
    path: str
    header: StudyHeader
    systems: dict[str, RunSettings]
    overrides: tuple[str, ...] = ()
    """`PATH=VALUE` texts laid over every system."""

    def bleu_tokenizer(self, system: str) -> str:
        """Return sacreBLEU's tokenizer for a system's target language; a `UserError` if the study's cannot serve it."""
        return resolve_tokenizer(self.header.evaluation.tokenizer, self.systems[system].data.target)
