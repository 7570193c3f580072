"""The report as data: what `report.json` holds, published with a JSON schema made from these classes.

Keys are added, never renamed. Scores are in points (0 to 100), lengths in source words (whitespace tokens of the raw
line), low and high the ends of an interval. A score of a system is the mean over its seeds.
"""

from typing import Any, Literal

from pydantic import Field

from seq2seq.report.analyses import (
    AlignmentReport,
    BeamSweep,
    ConcatenationReport,
    InterventionReport,
    ProbeReport,
    SystemCosts,
)
from seq2seq.scoring.claims import Claim
from seq2seq.scoring.comparison import Ranked
from seq2seq.scoring.length import LengthEffect
from seq2seq.scoring.results import BucketScores, Comparison, Result, Scores, Slope
from seq2seq.scoring.shape_checks import ShapeCheck


class SeedRun(Result):
    """One training."""

    seed: int
    status: str
    """finished, stopped or failed."""
    bleu: float
    chrf: float | None = None
    ter: float | None = None
    steps: int | None = None
    """Optimiser updates."""
    target_tokens: int | None = None
    """Target tokens trained on."""
    seconds: float | None = None
    """Wall-clock of training."""
    best_step: int | None = None
    """Step of the checkpoint that translated."""
    learning_still_rising: bool | None = None
    """Whether a longer training may score higher: false only where the run came to rest before its learning rate did."""
    learning: str | None = None
    """still improving; at rest; at rest because the rate is zero: it was improving before the decay; not known."""
    learning_judged_by: str | None = None
    hypotheses_sha256: str
    decoding: dict[str, Any] = Field(default_factory=dict)
    """How it was decoded: beam, seconds and what else the search recorded."""


class Pretraining(Result):
    """Share of a training that came before the pairs, mean over seeds."""

    kind: str
    """masked or causal."""
    steps: float
    """Optimiser updates."""
    target_tokens: float
    """Tokens of the side that it read."""
    seconds: float
    """Wall-clock."""


class SystemCard(Result):
    """Short description of a system."""

    formula: str
    """Formula of its score or fixed context, and of parts that are not the usual ones."""
    source: str
    """Where the formulas are from."""
    outline: str
    """Cells, sizes and placement in a line."""


class SystemReport(Scores):
    """Everything about one system on the report's split."""

    card: SystemCard | None = None

    seeds: list[int]
    single_seed: bool
    """True: n=1, differences may be luck of the seed."""
    parameters: int | None
    parameters_by_block: dict[str, int] = Field(default_factory=dict)
    target_tokens: float | None
    """Target tokens of training, mean over seeds."""
    steps: float | None
    """Optimiser updates, mean over seeds."""
    seconds: float | None
    """Wall-clock of training in seconds, mean over seeds."""
    pretraining: Pretraining | None = None
    """What of these three was pre-training; null without one."""
    learning_still_rising: bool
    """True if a longer training of any seed may score higher; see `SeedRun.learning`."""
    learning: str | None = None
    """How the seeds ended, the least finished of them; see `SeedRun.learning`."""
    changes: dict[str, Any] = Field(default_factory=dict)
    """Settings that differ from another system's, by dotted path."""
    runs: list[SeedRun]
    buckets: list[BucketScores]
    """By source words, with the study's edges."""
    buckets_equal_count: list[BucketScores]
    """By source words, each bucket about the same number of sentences."""
    comparison: Comparison | None = None
    """Against the baseline on the whole split."""
    bottleneck_index: Slope | None = None
    length: LengthEffect | None = None
    """What source length does to the system, on every scale; null where the test set has one length."""


class MissingRun(Result):
    """A run that was asked for and is not in the scores."""

    system: str
    seed: int | None
    """Its seed; null if no run of the system is there, or if an analysis lacks the system."""
    analysis: str | None = None
    """The analysis that lacks the system."""
    reason: str


class Fairness(Result):
    """Which budgets agree between the systems, so that nobody reads a ranking out of unequal ones."""

    regimes: list[str]
    """Budgets that agree: equal parameters, equal updates, equal tokens, equal wall-clock."""
    spread: dict[str, float]
    """Largest / smallest over the systems, per budget."""
    sentence: str


class CurvePoint(Result):
    """One validation of a run."""

    step: int
    tokens: float | None = None
    seconds: float | None = None
    loss: float | None = None
    """Validation loss, nats per target token."""
    perplexity: float | None = None
    """exp(loss)."""
    token_accuracy: float | None = None
    """Share of target tokens that are the most likely one."""
    bleu: float | None = None
    """BLEU on the validation subset."""
    bleu_longest: float | None = None
    """BLEU on the validation subset's longest bucket."""


class LearningCurve(Result):
    """Learning curve of one run."""

    seed: int
    validation: list[CurvePoint]
    training: list[tuple[int, float]]
    """(step, training loss), thinned to at most 200 points."""


class SplitSummary(Result):
    """Scores of every system on another split."""

    n: int
    systems: dict[str, Scores]


class Report(Result):
    """The report of a study."""

    format: Literal[1] = 1
    """Version of this shape."""
    study: str
    """Name of the study: its folder."""
    question: str
    headline: str
    """The answer in words, computed."""
    notes: list[str]
    """What a reader must know before comparing: single seeds, unequal budgets, unfinished runs, small buckets."""
    split: str
    """The split that all scores are of."""
    n: int
    length_unit: Literal["words", "characters", "objects"] = "words"
    """What the length of a source is counted in: characters where its language puts no spaces between words."""
    source_sha256: str | None
    """Of the source lines; null where the texts were not at hand."""
    reference_sha256: str | None
    """Of the reference lines; null where the texts were not at hand."""
    texts_available: bool
    """False: scores come from stored sentence statistics."""
    signature: str
    """sacreBLEU's signature of BLEU."""
    signatures: dict[str, str]
    baseline: str | None
    """The system that others are compared with."""
    evaluation: dict[str, Any]
    """Settings of scoring: metrics, buckets, resamples, confidence, minimum bucket."""
    systems: dict[str, SystemReport]
    comparisons: list[Comparison]
    """System minus baseline, overall and by bucket."""
    ranking: list[Ranked] = Field(default_factory=list)
    """Systems in the order of their BLEU; read it with `fairness`."""
    primary: str | None = None
    """Measure of what length does that the study file planned; null: none was named before the run."""
    statistics: int = 1
    """Version of the methods behind intervals, p and verdicts; reports before it was written have 1."""
    bottleneck_caution: str = ""
    """What weakens the bottleneck indices of this study; empty if nothing does."""
    other_splits: dict[str, SplitSummary] = Field(default_factory=dict)
    learning_curves: dict[str, list[LearningCurve]]
    config_differences: dict[str, dict[str, Any]]
    """Dotted path -> system -> value, for every setting in which systems differ."""
    fairness: Fairness
    missing: list[MissingRun]
    """Runs that are not in the scores."""
    environment: dict[str, Any]
    """Versions, machine, revision and data hashes shared by the runs."""
    environment_differences: dict[str, dict[str, Any]]
    """Key -> run -> value, where runs were made in different surroundings."""
    command: str
    """The command that trained the study."""
    report_command: str
    """The command that made this report."""
    alignment: AlignmentReport | None = None
    interventions: InterventionReport | None = None
    costs: dict[str, SystemCosts] | None = None
    """Speed and memory by system."""
    beam_sweep: BeamSweep | None = None
    probe: ProbeReport | None = None
    concatenation: ConcatenationReport | None = None
    claims: list[Claim] | None = None
    shape_checks: list[ShapeCheck] | None = None
