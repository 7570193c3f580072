"""Corpora that this package writes itself: pairs that follow from settings and code, with no source in two splits."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from seq2seq.config.data_files import data_path
from seq2seq.config.embedded import GRAMMAR, GrammarSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.cache import digest
from seq2seq.corpus.pairs import SentencePair

if TYPE_CHECKING:
    from seq2seq.corpus.grammar.generate import Spare

SPLITS = ("train", "valid", "test")
_SHARES = ("train",) * 6 + ("valid", "test")


def split_of(text: str) -> str:
    """The split that a sentence belongs to: one of eight shares by its hash, whatever the seed and the size of the splits."""
    return _SHARES[hashlib.blake2b(text.encode(), digest_size=1).digest()[0] % len(_SHARES)]


def draw_below(rng: Random, limit: int) -> int:
    """A whole number from 0 to limit - 1; only `Random.random` is used, whose stream Python promises never to change."""
    return int(rng.random() * limit)


def stream(*names: object, size: int = 64) -> Random:
    """Random numbers of their own for what is named, from a hash of `size` bytes."""
    named = " ".join(map(str, names))
    return Random(int.from_bytes(hashlib.blake2b(named.encode(), digest_size=size).digest(), "big"))


class EmbeddedCorpus:
    """A corpus: its `name` in a study file, settings, the `language` of one side, and `files` that the pairs follow from."""

    origin: str

    def __init__(self, name: str, settings: Any, language: str, *files: Path | str) -> None:
        self.name, self.settings, self.language = name, settings, language
        self._files = [Path(file) for file in (__file__, *files)]

    def size(self, split: str) -> int:
        """Return how many pairs a split has; a `UserError` if there is no such split."""
        if split not in SPLITS:
            raise UserError(f"corpus {self.name}: no split '{split}'; it has {', '.join(SPLITS)}")
        return int(getattr(self.settings, f"{split}_pairs"))

    def fingerprint(self, split: str) -> str:
        """Return a hash of the settings and of every file that the pairs follow from; a `UserError` for no such split."""
        hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in self._files]
        return digest(self.name, self.settings.model_dump(), self.language, split, self.size(split), hashes)


class GrammarCorpus(EmbeddedCorpus):
    """Pairs that the grammar writes, from `source`, en or de, to the other."""

    origin = "the embedded grammar"

    def __init__(self, settings: GrammarSettings, *, source: str) -> None:
        code = sorted((Path(__file__).parent / "grammar").glob("*.py"))
        rules = sorted(path for path in data_path("grammar").rglob("*") if path.is_file())
        super().__init__(GRAMMAR, settings, source, *code, *rules)
        self._spare: Spare = {}

    def pairs(self, split: str) -> Iterator[SentencePair]:
        """Yield the pairs of a split; a `UserError` if there is no such split."""
        from seq2seq.corpus.grammar.generate import generate  # the lexicon is only read where sentences are written

        self.size(split)
        for pair in generate(self.settings, split, self._spare):
            if self.language == "de":
                pair = SentencePair(pair.target, pair.source, tuple(sorted((t, s) for s, t in pair.links or ())))
            yield pair
