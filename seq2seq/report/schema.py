"""The report as data: what `report.json` holds, published with a JSON schema made from these classes.

Keys are added, never renamed. Scores are in points (0 to 100), lengths in source words (whitespace tokens of the raw
line), low and high the ends of an interval. A score of a system is the mean over its seeds.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from seq2seq.report.analyses import (
    AlignmentReport,
    BeamSweep,
    ConcatenationReport,
    InterventionReport,
    ProbeReport,
    SystemCosts,
)

Verdict = Literal["better", "worse", "undecided", "underpowered"]


class Part(BaseModel):
    """A piece of the report: no unknown keys, the sentence under each field goes into the schema."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, ser_json_inf_nan="null")


class Scores(Part):
    """Scores of one system on some sentences: the whole split, or a length bucket."""

    n: int
    """Sentences, the same ones for every system."""
    bleu: float
    """Corpus BLEU."""
    low: float | None = None
    """Lower end of BLEU's interval; seeds and sentences are resampled together."""
    high: float | None = None
    """Upper end of BLEU's interval."""
    chrf: float | None = None
    """chrF2."""
    chrf_low: float | None = None
    """Lower end of chrF's interval."""
    chrf_high: float | None = None
    """Upper end of chrF's interval."""
    ter: float | None = None
    """Translation edit rate; lower is better."""
    ter_low: float | None = None
    """Lower end of TER's interval."""
    ter_high: float | None = None
    """Upper end of TER's interval."""
    brevity: float
    """Brevity penalty, 0 to 1."""
    length_ratio: float
    """Hypothesis tokens / reference tokens."""
    empty: float
    """Empty hypotheses, mean over seeds."""
    truncated: float | None
    """Hypotheses cut at the length limit, mean over seeds; null where the search did not say."""
    exact: float
    """Hypotheses equal to their reference, mean over seeds."""
    repeated: float
    """Share of 4-grams that a hypothesis has said before, 0 to 1."""
    seed_bleu: list[float]
    """Corpus BLEU of every seed, in the order of `seeds`."""


class Comparison(Part):
    """A paired difference, system minus baseline, on the same sentences."""

    system: str
    """The system."""
    baseline: str
    """What it is compared with."""
    metric: Literal["bleu", "chrf", "ter"] = "bleu"
    """The score that is compared."""
    min: int | None = None
    """Shortest source of the bucket in words; null for the whole split."""
    max: int | None = None
    """Longest source of the bucket in words; null for the whole split or the open last bucket."""
    n: int
    """Sentences."""
    seeds: int
    """Seeds of the system; 1 means that the interval says nothing about a new training."""
    difference: float
    """System minus baseline, in points."""
    low: float | None
    """Lower end of the interval; null where there is nothing to resample."""
    high: float | None
    """Upper end of the interval."""
    p: float | None
    """Two-sided p from the standard error of the hierarchical bootstrap, uncorrected."""
    p_randomisation: float
    """Second opinion: two-sided p of paired approximate randomisation over sentences, uncorrected."""
    p_holm: float | None
    """`p` after Holm's correction over systems x buckets; null if underpowered."""
    verdict: Verdict
    """better or worse where `p_holm` is below 1 - confidence."""
    words: str
    """The verdict as a sentence."""


class Bucket(Scores):
    """Scores on the sentences of a length bucket."""

    min: int
    """Shortest source, in words, inclusive."""
    max: int | None
    """Longest source, in words, inclusive; null for the open last bucket."""
    mean_length: float
    """Mean source length of the bucket's sentences, in words: where it stands on the axis."""
    underpowered: bool
    """Fewer sentences than the study's minimum: no verdict."""
    comparison: Comparison | None = None
    """Against the baseline; null for the baseline itself."""


class Slope(Part):
    """The bottleneck index: how fast the gap between a system and the baseline grows with source length."""

    slope: float
    """Points per 10 source words."""
    low: float | None
    """Lower end of the interval."""
    high: float | None
    """Upper end of the interval."""
    p: float | None
    """Two-sided p for a slope of 0, uncorrected."""
    unit: str
    """Unit in words."""


class SeedRun(Part):
    """One training."""

    seed: int
    """Its seed."""
    status: str
    """finished, stopped or failed."""
    bleu: float
    """Corpus BLEU on the split."""
    chrf: float | None = None
    """chrF2 on the split."""
    ter: float | None = None
    """TER on the split."""
    steps: int | None = None
    """Optimiser updates."""
    target_tokens: int | None = None
    """Target tokens trained on."""
    seconds: float | None = None
    """Wall-clock of training."""
    best_step: int | None = None
    """Step of the checkpoint that translated."""
    learning_still_rising: bool | None = None
    """Whether the validation score was still rising at the end: a longer training would score higher."""
    hypotheses_sha256: str
    """Of the file of hypotheses."""
    decoding: dict[str, Any] = Field(default_factory=dict)
    """How it was decoded: beam, seconds and what else the search recorded."""


class SystemReport(Scores):
    """Everything about one system on the report's split."""

    seeds: list[int]
    """Seeds with hypotheses."""
    single_seed: bool
    """True: n=1, differences may be luck of the seed."""
    parameters: int | None
    """Trainable parameters."""
    parameters_by_block: dict[str, int] = Field(default_factory=dict)
    """Trainable parameters of each block."""
    target_tokens: float | None
    """Target tokens of training, mean over seeds."""
    steps: float | None
    """Optimiser updates, mean over seeds."""
    seconds: float | None
    """Wall-clock of training in seconds, mean over seeds."""
    learning_still_rising: bool
    """True if any seed was still learning when it stopped."""
    changes: dict[str, Any] = Field(default_factory=dict)
    """Settings that differ from another system's, by dotted path."""
    runs: list[SeedRun]
    """Every seed."""
    buckets: list[Bucket]
    """By source words, with the study's edges."""
    buckets_equal_count: list[Bucket]
    """By source words, each bucket about the same number of sentences."""
    comparison: Comparison | None = None
    """Against the baseline on the whole split."""
    bottleneck_index: Slope | None = None
    """Against the baseline."""


class MissingRun(Part):
    """A run that was asked for and is not in the scores."""

    system: str
    """Its system."""
    seed: int | None
    """Its seed; null if no run of the system is there."""
    reason: str
    """What is missing or went wrong."""


class Fairness(Part):
    """Which budgets agree between the systems, so that nobody reads a ranking out of unequal ones."""

    regimes: list[str]
    """Budgets that agree: equal parameters, equal updates, equal tokens, equal wall-clock."""
    spread: dict[str, float]
    """Largest / smallest over the systems, per budget."""
    sentence: str
    """The same in words."""


class CurvePoint(Part):
    """One validation of a run."""

    step: int
    """Optimiser updates so far."""
    tokens: float | None = None
    """Target tokens so far."""
    seconds: float | None = None
    """Wall-clock so far."""
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


class LearningCurve(Part):
    """How one run learned."""

    seed: int
    """Its seed."""
    validation: list[CurvePoint]
    """Every validation."""
    training: list[tuple[int, float]]
    """(step, training loss), thinned to at most 200 points."""


class SplitSummary(Part):
    """Scores of every system on another split."""

    n: int
    """Sentences."""
    systems: dict[str, Scores]
    """Scores by system."""


class Ranked(Part):
    """A place in the order of BLEU on the whole split; it says nothing about systems with unequal budgets."""

    system: str
    """The system."""
    rank: int
    """1 for the highest score; equal scores share a place."""
    low: int
    """Lower end of the rank's interval, over resampled seeds and sentences."""
    high: int
    """Upper end of the rank's interval."""


class Claim(Part):
    """A textbook claim and what these runs say about it."""

    claim: str
    """As textbooks have it."""
    verdict: Literal["supported", "contradicted", "undecided", "not tested"]
    """Supported or contradicted where the whole interval is on one side."""
    explanation: str
    """The number behind the verdict with its interval, as a sentence; or what a study would need to test it."""
    systems: list[str]
    """The systems that took part."""
    value: float | None = None
    """The number that decides."""
    low: float | None = None
    """Lower end of its interval."""
    high: float | None = None
    """Upper end of its interval."""


class ShapeCheck(Part):
    """A shape that a paper shows (who is ahead, where a curve falls) against ours."""

    id: str
    """Key in `data/papers.yaml`."""
    paper: str
    """Authors and year."""
    where: str
    """Table, figure or section."""
    claim: str
    """What the paper shows."""
    seen: bool
    """False: written down without having the source itself at hand."""
    verdict: Literal["pass", "fail", "underpowered", "not applicable"]
    """Whether the shape holds here."""
    ours: str
    """Our number with its interval and the limit, or why the check does not apply."""
    theirs: float | None = None
    """The same figure from the paper's numbers."""
    systems: dict[str, str]
    """Role -> our system that played it."""


class Report(Part):
    """What a study's runs say."""

    format: Literal[1] = 1
    """Version of this shape."""
    study: str
    """Name of the study: its folder."""
    question: str
    """What the study asks."""
    headline: str
    """The answer in words, computed."""
    notes: list[str]
    """What a reader must know before comparing: single seeds, unequal budgets, unfinished runs, small buckets."""
    split: str
    """The split that all scores are of."""
    n: int
    """Its sentences."""
    length_unit: Literal["words", "characters"] = "words"
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
    """sacreBLEU's signature of every metric."""
    baseline: str | None
    """The system that others are compared with."""
    evaluation: dict[str, Any]
    """Settings of scoring: metrics, buckets, resamples, confidence, minimum bucket."""
    systems: dict[str, SystemReport]
    """By name, in the study's order."""
    comparisons: list[Comparison]
    """System minus baseline, overall and by bucket."""
    ranking: list[Ranked] = Field(default_factory=list)
    """Systems in the order of their BLEU; read it with `fairness`."""
    bottleneck_caution: str = ""
    """What weakens the bottleneck indices of this study; empty if nothing does."""
    other_splits: dict[str, SplitSummary] = Field(default_factory=dict)
    """Scores on the study's other splits."""
    learning_curves: dict[str, list[LearningCurve]]
    """By system."""
    config_differences: dict[str, dict[str, Any]]
    """Dotted path -> system -> value, for every setting in which systems differ."""
    fairness: Fairness
    """Which budgets agree."""
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
    """Attention against gold links."""
    interventions: InterventionReport | None = None
    """What happens when weights are replaced."""
    costs: dict[str, SystemCosts] | None = None
    """Speed and memory by system."""
    beam_sweep: BeamSweep | None = None
    """Score by beam and length penalty."""
    probe: ProbeReport | None = None
    """Exact match on a synthetic probe."""
    concatenation: ConcatenationReport | None = None
    """BLEU on short pairs joined to long ones."""
    claims: list[Claim] | None = None
    """Textbook claims and what these runs say about them."""
    shape_checks: list[ShapeCheck] | None = None
    """Published shapes against ours."""
