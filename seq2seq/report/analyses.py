"""Analyses that other commands write as JSON files beside a study's runs, and that the report shows where they are.

Each field of `Analyses` is read from `<runs>/<field>.json`. Keys that a newer analysis adds are kept as they are.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from seq2seq.config.files import read_record


class Analysis(BaseModel):
    """A part of an analysis; unknown keys are kept, names mean what they do in `results.Result`."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True, ser_json_inf_nan="null")


class AlignmentScores(Analysis):
    """Attention read as links, against gold links; all from 0 to 1."""

    aer: float
    """Alignment error rate; lower is better."""
    precision: float
    """Predicted links that are gold."""
    recall: float
    """Gold links that are predicted."""
    soft_mass: float
    """Mean weight on gold-linked source words."""
    low: float | None = None
    high: float | None = None
    aer_by_seed: list[float] = Field(default_factory=list)


class AlignmentReport(Analysis):
    """Alignment of every system whose weights can be read, beside two baselines that know nothing."""

    systems: dict[str, AlignmentScores]
    baselines: dict[str, AlignmentScores] = Field(default_factory=dict)
    """`uniform` and `diagonal` weights on the same sentences."""
    n: int | None = None
    conventions: str = ""
    """How subwords were merged, what happened to EOS, which step a weight belongs to."""


class InterventionBucket(Analysis):
    """BLEU of one length bucket under an intervention."""

    min: int
    """Shortest source in words."""
    max: int | None
    """Longest source in words; null for the open last bucket."""
    n: int
    bleu: float


class Intervention(Analysis):
    """One replacement of the weights, without retraining."""

    bleu: float
    buckets: list[InterventionBucket] = Field(default_factory=list)
    entropy: float | None = None
    """Mean entropy of a row of weights, in bits."""
    eos_mass: float | None = None
    """Mean weight on the end of the source, or on the empty cells of a picture, 0 to 1."""
    coverage: float | None = None
    """Share of source words that get a weight of at least 0.5 in sum, 0 to 1."""
    diagonal_mass: float | None = None
    """Mean weight near the diagonal, 0 to 1."""


class InterventionReport(Analysis):
    """Which interventions were made, on what."""

    systems: dict[str, dict[str, Intervention]]
    """System -> intervention -> result; `none` or `original` is the untouched model."""
    n: int | None = None
    description: dict[str, str] = Field(default_factory=dict)
    """What each intervention does, in a sentence."""


class CostByLength(Analysis):
    """Cost at one source length."""

    length: int
    """Source words."""
    ms_per_sentence: float | None = None
    """Decoding time in milliseconds, measured after training with `sentences` at a time."""
    peak_bytes: int | None = None
    sentences: int = 8


class SystemCosts(Analysis):
    """Speed and memory of one system."""

    training_tokens_per_second: float | None = None
    """Target tokens a second in training."""
    flops_per_token: float | None = None
    """Forward and backward FLOPs per target token."""
    heads_used: float | None = None
    """Share of gated heads that stayed on, 0 to 1; null without gates."""
    positions_used: float | None = None
    """Mean span of the heads of adaptive span as a share of the widest, 0 to 1; null without."""
    ms_per_sentence: float | None = None
    """Milliseconds of the search that wrote the hypotheses, in files of earlier versions; shown nowhere: see `by_length`."""
    by_length: list[CostByLength] = Field(default_factory=list)
    hardware: str | None = None


class BeamPoint(Analysis):
    """One way to search."""

    beam: int
    length_penalty: float
    bleu: float
    chosen: bool = False
    """Whether the reported scores were decoded so."""


class BeamSweep(Analysis):
    """Beam and length penalty tuned on one split."""

    split: str
    """The split, a validation set."""
    systems: dict[str, list[BeamPoint]]


class ProbeBucket(Analysis):
    """Answers to questions of some lengths."""

    min: int
    """Shortest question in words."""
    max: int
    """Longest question in words."""
    n: int
    exact: float
    """Answers that are right in every word, 0 to 1; mean over seeds."""
    low: float
    high: float


class ProbePosition(Analysis):
    """One place in the answers."""

    position: int
    """Place, from 0."""
    n: int
    """Answers that should have a word there."""
    right: float
    """Share of them that have the right one, 0 to 1; mean over seeds."""


class ProbeScores(Analysis):
    """Scores of a system on the probe; shares from 0 to 1, means over seeds."""

    exact: float
    """Answers that are right in every word."""
    within: float | None
    """The same for questions no longer than those of training."""
    beyond: float | None
    """The same for longer questions."""
    by_length: list[ProbeBucket]
    """The same by words of the question."""
    by_position: list[ProbePosition]
    """Right words by place in the answer."""


class ProbeReport(Analysis):
    """A synthetic probe: a rule that was trained on short questions and asked of longer ones."""

    task: str
    """copy, reverse, sort, recall, first or last."""
    trained: int
    """Words of the longest question of training."""
    n: int
    systems: dict[str, ProbeScores]


class ConcatenationPoint(Analysis):
    """BLEU where a number of pairs were joined into one."""

    joined: int
    n: int
    """Joined sentences; together they are the same pairs at every number."""
    words: float
    """Mean length of the joined source in words."""
    bleu: float | None
    """BLEU against the joined references, mean over seeds; null where the system refuses such long sentences."""
    length_ratio: float | None = None
    """Hypothesis tokens / reference tokens: far below 1 where a system stops after the first of the joined sentences."""
    low: float | None = None
    high: float | None = None


class ConcatenationReport(Analysis):
    """The concatenation probe: length grows while the sentences stay the same."""

    split: str
    """Where the pairs are from."""
    pairs: int
    """Pairs, each used once at every number."""
    longest: int
    """Words of the longest source among them."""
    systems: dict[str, list[ConcatenationPoint]]


class Analyses(BaseModel):
    """All optional analyses of a study."""

    alignment: AlignmentReport | None = None
    interventions: InterventionReport | None = None
    costs: dict[str, SystemCosts] | None = None
    beam_sweep: BeamSweep | None = None
    probe: ProbeReport | None = None
    concatenation: ConcatenationReport | None = None


def read_analyses(folder: Path) -> Analyses:
    """Read the analyses that lie in a study's folder; a `UserError` if a file is there and is not such an analysis."""
    kinds: dict[str, Any] = {name: field.annotation for name, field in Analyses.model_fields.items()}
    advice = "remove the file or run the analysis again"
    return Analyses(**{name: read_record(folder / f"{name}.json", kind, advice) for name, kind in kinds.items()})
