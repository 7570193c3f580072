"""Settings of joining: examples of several pairs, so that length varies and difficulty does not."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from seq2seq.config.base import Settings
from seq2seq.config.evaluation import FixedBucketSettings

BOUNDARY = "\u2029"
"""End of a segment within a line of text (Unicode's paragraph separator); a tokenizer reads it as the end of a sentence."""


class JoinSettings(Settings):
    """Join random pairs of a split, texts by a space (compare Varis and Bojar 2021, "Sequence length is a domain").

    Training pairs are joined anew in every epoch, each used once. Validation and test joins are made once and are balanced
    over source lengths; a pair is in several of them, so intervals, which take joins as independent, are somewhat too narrow.
    A training pair that is also a validation or test pair is left out and counted.
    """

    max_pairs: int = Field(default=6, ge=2, le=1000)
    """Pairs in an example, at most, 2 to 1000. Fewer where the training limits `max_tokens` and `max_words` would be passed."""
    single_share: float = Field(default=0.5, ge=0, le=1)
    """Share of the training pairs that stand alone, and so on average of the target tokens (end of sentence aside), 0 to 1.
    The others are joined by 2 to `max_pairs`, each number equally frequent."""
    edges: tuple[Annotated[int, Field(ge=1)], ...] = (10, 20, 30, 40, 50, 60)
    """Last length of every bucket of validation and test joins but the open last one, in source words (characters in a language
    without spaces), increasing."""
    per_bucket: int = Field(default=170, ge=1, le=1_000_000)
    """Validation and test joins in a bucket, at most, 1 to 1 million; fewer where a split has no more, which is reported."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Which validation and test joins are drawn, 0 to 2**63 - 1; it has nothing to do with the seeds of training."""

    separator: Literal["source"] | None = None
    """source: between the sources of joined pairs stands the end-of-sentence token, as after the last one, so that a model can
    tell where a pair ends (U+2029 stands for it in a line to translate); targets are joined by a space, so that references stay
    as they are. None: a space on both sides."""

    @field_validator("edges")
    @classmethod
    def _increasing(cls, edges: tuple[int, ...]) -> tuple[int, ...]:
        return FixedBucketSettings(edges=edges).edges

    @property
    def between(self) -> str:
        """Text between the sources of joined pairs."""
        return f" {BOUNDARY} " if self.separator else " "
