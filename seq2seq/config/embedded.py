"""Settings of the embedded corpora: the grammar, the synthetic probes and the drawn scenes."""

from typing import Literal

from pydantic import Field, model_validator

from seq2seq.config.base import Settings

GRAMMAR = "grammar"
"""Name of the embedded corpus of a grammar's sentences."""
PROBE = "probe-"
"""How the names of probe corpora begin."""
SCENES = "scenes"
"""Name of the embedded corpus of scenes."""
IMAGE = "image"
"""Its source in place of a language."""
TASKS = ("copy", "reverse", "sort", "recall", "first", "last")
"""The probes by name."""
LONGER = 4
"""Test sources of a probe are up to this many times as long as training sources, unless said otherwise."""


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


class SceneSettings(Settings):
    """Number of pictures of coloured shapes, and of the shapes in one."""

    train_pairs: int = Field(default=20_000, ge=1, le=1_000_000)
    """Pictures to learn from, 1 to 1 million; 2 KB each on disk."""
    valid_pairs: int = Field(default=300, ge=1, le=100_000)
    """Pictures that decide when to stop, 1 to 100,000."""
    test_pairs: int = Field(default=1_000, ge=1, le=100_000)
    """Pictures to score, 1 to 100,000."""
    min_objects: int = Field(default=1, ge=1, le=16)
    """Shapes in the emptiest picture, 1 to 16; all numbers are equally frequent."""
    max_objects: int = Field(default=10, ge=1, le=16)
    """Shapes in the fullest picture, `min_objects` to 16, the places of the grid."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Which scenes are drawn, 0 to 2**63 - 1; the same seed gives the same bytes on every machine."""

    @model_validator(mode="after")
    def _numbers_in_order(self) -> "SceneSettings":
        if self.min_objects > self.max_objects:
            raise ValueError(f"min_objects {self.min_objects} is greater than max_objects {self.max_objects}")
        return self
