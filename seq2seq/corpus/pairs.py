"""The one shape of every corpus."""

from typing import NamedTuple


class SentencePair(NamedTuple):
    """A source sentence and its translation, raw text."""

    source: str
    target: str
    links: tuple[tuple[int, int], ...] | None = None
    """Gold word alignment where it is known: (source word, target word), counted from 0 in whitespace tokens."""
