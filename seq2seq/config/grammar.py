"""Settings of the embedded corpus."""

from typing import Literal

from pydantic import Field, model_validator

from seq2seq.config.base import Settings


class GrammarSettings(Settings):
    """Number and lengths of the sentence pairs that the embedded English-German grammar writes."""

    train_pairs: int = Field(default=40_000, ge=1, le=10_000_000)
    """Sentence pairs to learn from, 1 to 10 million."""
    valid_pairs: int = Field(default=1_000, ge=1, le=1_000_000)
    """Sentence pairs that decide when to stop, 1 to 1 million."""
    test_pairs: int = Field(default=2_000, ge=1, le=1_000_000)
    """Sentence pairs to score, 1 to 1 million."""
    min_words: int = Field(default=4, ge=2, le=200)
    """English words of the shortest sentence, 2 to 200."""
    max_words: int = Field(default=60, ge=2, le=200)
    """English words of the longest sentence, `min_words` to 200."""
    balance: Literal["sentences", "words"] = "sentences"
    """What the training split has equally many of at each length: sentences, so that most words are in long ones, or words, so
    that short ones are more frequent. Validation and test have equally many sentences."""
    entries: int | None = Field(default=None, ge=1)
    """Size of the lexicon: each class of words (nouns for people, verbs for what people eat, months ...) keeps its first
    `entries`, >= 1; null for all. With 2 or 3 there are few words to learn, and translating is mostly about order."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Which sentences are drawn, 0 to 2**63 - 1; the same seed gives the same bytes on every machine."""

    @model_validator(mode="after")
    def _lengths_in_order(self) -> "GrammarSettings":
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is greater than max_words {self.max_words}")
        return self
