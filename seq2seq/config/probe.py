"""Settings of the synthetic probes."""

from typing import Literal

from pydantic import Field, model_validator

from seq2seq.config.base import Settings

PROBE = "probe-"
"""How the names of probe corpora begin."""
TASKS = ("copy", "reverse", "sort", "recall", "first", "last")
LONGER = 4
"""Test sources are up to this many times as long as training sources, unless said otherwise."""


class ProbeSettings(Settings):
    """Number and lengths of a probe's sequences; a word is one symbol."""

    train_pairs: int = Field(default=20_000, ge=1, le=10_000_000)
    """Pairs to learn from, 1 to 10 million; repetitions among them are dropped and counted."""
    valid_pairs: int = Field(default=500, ge=1, le=1_000_000)
    """Pairs that decide when to stop, 1 to 1 million; as long as training pairs."""
    test_pairs: int = Field(default=2_000, ge=1, le=1_000_000)
    """Pairs to score, 1 to 1 million."""
    min_length: int = Field(default=3, ge=1, le=1000)
    """Words of the shortest source, 1 to 1000; `recall` needs 3."""
    max_length: int = Field(default=12, ge=1, le=1000)
    """L, words of the longest source to learn from, `min_length` to 1000."""
    test_length: int | None = Field(default=None, ge=1, le=16_384)
    """Words of the longest source to test on, up to 16,384; null is 4 L."""
    lengths: Literal["uniform", "octaves"] = "uniform"
    """How often lengths are drawn. uniform: all alike; octaves: every doubling of `min_length` as often as the others."""
    symbols: int = Field(default=26, ge=2, le=52)
    """Different symbols, 2 to 52; in `recall` these are the keys, each used once, and the values are the ten digits."""
    questions: int = Field(default=1, ge=0, le=52)
    """Keys that `recall` asks for, each once, 0 to 52; all where there are fewer (multi-query recall, Arora et al. 2023). 0: no
    question stands in the source; of n pairs, with the first n symbols as keys, all values are asked for in that order."""
    pairs: int | None = Field(default=None, ge=1, le=52)
    """Most pairs in a source of `recall`, 1 to 52; the rest of it is filled with dots among them. null: as many as fit."""
    one_word: bool = False
    """A key and its value are one word in a source of `recall`, so that nothing has to join them. Keys are then small
    letters, values the first ten large ones, as in `aB`: tokenizers cut digits off."""
    say_keys: bool = False
    """The target of `recall` says each key before its value, so that what is asked stands in what has been written."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Which sequences are drawn, 0 to 2**63 - 1; the same seed gives the same bytes on every machine."""

    @property
    def longest_test(self) -> int:
        """Words of the longest source to test on."""
        return self.test_length or LONGER * self.max_length

    def pairs_in(self, length: int) -> int:
        """Return how many keys with values fit into a source of `recall` of so many words, beside its questions."""
        words = 1 if self.one_word else 2
        fitting = max(min(length // (words + 1), self.questions), (length - self.questions) // words)
        return min(fitting, self.pairs or fitting)

    @model_validator(mode="after")
    def _lengths_in_order(self) -> "ProbeSettings":
        if not self.min_length <= self.max_length <= self.longest_test:
            raise ValueError(
                f"min_length {self.min_length}, max_length {self.max_length}, test_length {self.longest_test} are not in order"
            )
        return self


def check_probe(corpus: str, settings: ProbeSettings) -> None:
    """Raise a ValueError, with what to do, for a probe that does not exist or cannot be as long as it is asked to be."""
    task = corpus.removeprefix(PROBE)
    if task not in TASKS:
        raise ValueError(f"no probe named '{corpus}'; there are {', '.join(PROBE + known for known in TASKS)}")
    pairs = settings.pairs_in(settings.longest_test)
    if task == "recall" and pairs > settings.symbols:
        raise ValueError(
            f"probe: {settings.longest_test} words are {pairs} keys, each different, but there are {settings.symbols} symbols; "
            "lower max_length or test_length, set pairs, or raise symbols"
        )
    if settings.one_word and settings.symbols > 26:
        raise ValueError("probe: one_word has 26 keys, the small letters; lower symbols")
    for name in ("questions", "pairs", "one_word", "say_keys"):
        if task != "recall" and getattr(settings, name) != ProbeSettings.model_fields[name].default:
            raise ValueError(f"probe: {name} is for {PROBE}recall; leave it out")
    if task == "recall" and settings.min_length < 3:
        raise ValueError("probe: recall needs a key, a value and a question; set min_length to 3 or more")
