"""The embedded corpus: English-German pairs from the grammar, in either direction, with gold links."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.config.data_files import data_path
from seq2seq.config.errors import UserError
from seq2seq.config.grammar import GrammarSettings
from seq2seq.corpus.cache import digest
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.probes import SPLITS

if TYPE_CHECKING:
    from seq2seq.corpus.grammar.generate import Spare


class GrammarCorpus:
    """Pairs that the grammar writes, from `source`, en or de, to the other."""

    def __init__(self, settings: GrammarSettings, *, source: str) -> None:
        self.settings, self.source = settings, source
        self.origin = "the embedded grammar"
        self._spare: Spare = {}

    def pairs(self, split: str) -> Iterator[SentencePair]:
        """Yield the pairs of a split; a `UserError` if there is no such split."""
        from seq2seq.corpus.grammar.generate import generate  # the lexicon is only read where sentences are written

        self._check(split)
        for pair in generate(self.settings, split, self._spare):
            yield pair if self.source == "en" else _turn(pair)

    def fingerprint(self, split: str) -> str:
        """Return a hash of the settings and of every file that the sentences follow from."""
        self._check(split)
        code = sorted((Path(__file__).parent / "grammar").glob("*.py"))
        rules = sorted(path for path in data_path("grammar").rglob("*") if path.is_file())
        hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (*code, *rules)]
        return digest("grammar", self.settings.model_dump(), self.source, split, hashes)

    def _check(self, split: str) -> None:
        if split not in SPLITS:
            raise UserError(f"corpus grammar: no split '{split}'; it has {', '.join(SPLITS)}")


def _turn(pair: SentencePair) -> SentencePair:
    links = None if pair.links is None else tuple(sorted((t, s) for s, t in pair.links))
    return SentencePair(pair.target, pair.source, links)
