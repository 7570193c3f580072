"""Attention as a person reads it: subwords of both sides and the weights between them, in reading order, also by words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
_START, _END = "\u2581", "</s>"
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""A letter of Thai, Lao, Burmese, Khmer, Japanese or Chinese, which are written without spaces (`config.languages`)."""
_BYTES = re.compile("(?:<0x[0-9A-F]{2}>)+")


@dataclass(frozen=True)
class Reading:
    """A source and a target by subwords, the end `</s>` of each with them."""

    source: list[str]
    """S subwords."""
    target: list[str]
    """T subwords; without the end if the target is a hypothesis that was cut at the length limit."""
    weights: Weights | None
    """(T, S), all zero for a fixed context; None if they were not kept or the model has none."""

    @property
    def attends(self) -> bool:
        """Whether any source token has weight."""
        return self.weights is not None and bool(self.weights.any())

    def by_words(self) -> Self:
        """The same with whole words: a sum over the subwords of a source word, a mean over those of a target word."""
        (source, columns), (target, rows) = group_words(self.source), group_words(self.target)
        weights = None if self.weights is None or not rows else merge_subwords(self.weights, rows, columns)
        return replace(self, source=source, target=target, weights=weights)


def group_words(subwords: Sequence[str]) -> tuple[list[str], list[int]]:
    """The words that subwords spell, and the word of each subword; without marks of a word's start each is a word.

    So is each in a script without spaces, where one word would be the sentence.
    """
    marked = any(subword.startswith(_START) for subword in subwords)
    words: list[str] = []
    word_of = []
    for subword in subwords:
        starts = subword.startswith(_START) or (_UNSPACED.match(subword) and words[-1])
        if not words or not marked or starts or _END in (subword, words[-1]):
            words.append("")
        words[-1] += subword.removeprefix(_START)
        word_of.append(len(words) - 1)
    return [_spelled(word) for word in words], word_of


def _spelled(word: str) -> str:
    """A word with bytes that a tokenizer kept as `<0xE4>` put together to letters, and the end of a sentence as `(end)`."""
    if word == _END:
        return "(end)"
    return _BYTES.sub(lambda run: bytes.fromhex(run[0].replace("<0x", "").replace(">", "")).decode("utf-8", "replace"), word)


def merge_subwords(weights: Weights, target_words: Sequence[int], source_words: Sequence[int]) -> Weights:
    """Sum weights (T, S) over source words (S,) and average them over target words (T,), numbered 0, 0, 1 ...: (m, n)."""
    rows, columns = np.asarray(target_words), np.asarray(source_words)
    by_source = np.zeros((len(rows), columns.max() + 1))
    np.add.at(by_source.T, columns, weights.T)
    merged = np.zeros((rows.max() + 1, by_source.shape[1]))
    np.add.at(merged, rows, by_source)
    return merged / np.bincount(rows)[:, None]
