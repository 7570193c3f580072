"""Settings of scoring and doubt: which metrics, which length buckets, how many resamples."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from seq2seq.config.base import ONE_OR_MORE, Part, Seed, Settings, Size
from seq2seq.config.languages import BleuTokenizer

MetricName = Literal["bleu", "chrf", "ter"]


def _increasing(edges: tuple[int, ...]) -> tuple[int, ...]:
    if not edges:
        raise ValueError("edges is empty; give at least one length in source words, for instance [10, 20, 30]")
    if any(low >= high for low, high in pairwise(edges)):
        raise ValueError(f"edges must increase, got {list(edges)}")
    return edges


Edges = Annotated[tuple[Size, ...], AfterValidator(_increasing)]
"""Last length of every bucket but the open last one."""


class FixedBucketSettings(Settings):
    """Length buckets with given edges, the same for every test set."""

    kind: Literal["fixed"] = "fixed"
    edges: Edges = (10, 20, 30, 40, 50)
    """Last length of every bucket but the open last one, in source words (characters in a language without spaces), increasing:
    (10, 20) is 1-10, 11-20, 21 and more."""


class EqualCountBucketSettings(Settings):
    """Length buckets that hold about the same number of sentences, from the lengths of the test set."""

    kind: Literal["equal_count"] = "equal_count"
    count: int = Field(default=6, ge=1, le=100)
    """Buckets wanted, 1 to 100; fewer come out where many sentences share a length."""


def _kind_by_options(value: Any) -> Any:
    """`{edges: [5]}` can only be fixed and `{count: 4}` only equal_count."""
    return {"kind": "equal_count" if "count" in value else "fixed", **value} if isinstance(value, dict) else value


BucketSettings = Annotated[Part[FixedBucketSettings | EqualCountBucketSettings], BeforeValidator(_kind_by_options)]


class EvaluationSettings(Settings):
    """Scoring of hypotheses, by source length and against each other."""

    metrics: Annotated[tuple[MetricName, ...], ONE_OR_MORE] = ("bleu", "chrf")
    """Scores to compute; BLEU is always among them. TER takes by far the longest (a search in Python)."""
    tokenizer: BleuTokenizer = "auto"
    """sacreBLEU's tokenizer of BLEU, wherever BLEU is counted; auto: zh for Chinese, ja-mecab for Japanese, ko-mecab for Korean
    (`pip install 'seq2seq[ja]'`, `'seq2seq[ko]'`), char for Thai, Lao, Khmer and Burmese, else 13a. flores200, flores101 and
    spm serve any language and fetch a model once."""
    buckets: BucketSettings = FixedBucketSettings()
    """How the test set is cut by source words (whitespace tokens of the raw line; characters in a language without spaces)."""
    baseline: str = "none"
    """Name of the system that all others are compared with; a study without it gets scores and no differences."""
    resamples: int = Field(default=1000, ge=100, le=1_000_000)
    """Bootstrap resamples, 100 to 1,000,000."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0)
    """Level of the intervals, 0.5 to 1; a corrected p below 1 - confidence counts as a difference."""
    minimum_bucket: int = Field(default=100, ge=2, le=10**12)
    """Sentences, 2 or more; a smaller bucket is called a small sample instead of getting a verdict."""
    primary: Literal["points", "retention", "log_ratio", "half_length", "bottleneck_index"] | None = None
    """Measure of what length does that the study was planned to be judged by, named before the run; all are reported, and this
    one is marked as planned. None: nothing was planned, and the report says so."""
    long_above: int | None = Field(default=None, ge=1)
    """Source words, 1 or more; a source with more is long, for retention and the log-ratio. None: 40 where the test set has
    minimum_bucket longer sources, else where the longest third of its sentences begins."""
    short_up_to: int | None = Field(default=None, ge=1)
    """Source words, 1 or more and at most long_above; a source with no more is short. None: 20, or where the shortest third of
    the sentences ends if 20 is long already."""
    bottleneck_score: Literal["chrf", "bleu"] = "chrf"
    """Sentence score whose gap to the baseline is followed over source length by the bottleneck index."""
    seed: Seed = 1
    """Seed of the resampling, 0 to 2**63 - 1; it has nothing to do with the seeds of training."""

    @model_validator(mode="after")
    def _bleu_and_no_repetition(self) -> Self:
        if "bleu" not in self.metrics:
            raise ValueError(f"metrics must contain bleu (lengths and brevity come from it), got {list(self.metrics)}")
        if len(set(self.metrics)) != len(self.metrics):
            raise ValueError(f"metrics names one twice: {list(self.metrics)}")
        if self.long_above is not None and self.short_up_to is not None and self.short_up_to > self.long_above:
            raise ValueError(f"short_up_to {self.short_up_to} is above long_above {self.long_above}")
        if self.bottleneck_score not in self.metrics:
            raise ValueError(f"bottleneck_score {self.bottleneck_score!r} is not among metrics {list(self.metrics)}")
        return self
