"""Attention against gold word links: alignment error rate, precision, recall, soft mass, beside baselines that know nothing.

Source: Och and Ney 2003, "A systematic comparison of various statistical alignment models", section 6.1: with predicted
links A, sure links S and possible links P (S within P), precision |A and P| / |A|, recall |A and S| / |S| and
AER = 1 - (|A and S| + |A and P|) / (|A| + |S|). The embedded corpus knows its links, so all of them are sure and S = P.

Reading weights as links (`words` has the rest of the conventions): every target word is linked to the source word with the most
weight; words that tie share the link; a word with more weight on the end of the source than on any word is linked to nothing.
Soft mass is the weight that a target word puts on the source words it is linked to, averaged over the target words that have
a link; weight on the end of the source is lost to it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from seq2seq.corpus.prepare import EncodedSplit, EvaluationData
from seq2seq.report.analysis.store import cached, split_key
from seq2seq.report.analysis.words import (
    SENTENCES,
    choose_sentences,
    diagonal_words,
    forced_word_weights,
    has_weights,
)
from seq2seq.run.reading import Weights
from seq2seq.run.trained import TrainedRun

Links = Iterable[tuple[int, int]]
"""(source word, target word)."""

CONVENTIONS = (
    "The reference is fed (forced decoding); a row of weights belongs to the word that it predicts. "
    "Weights are summed over the subwords of a source word and averaged over those of a target word; heads are averaged, "
    "the last layer counts. Each target word is linked to the source word with the most weight, ties share the link, "
    "and to nothing if the end of the source has more. All gold links are sure (Och and Ney 2003)."
)


@dataclass(frozen=True)
class LinkCounts:
    """Sums over target words, of one sentence or many."""

    predicted: float = 0.0
    """|A|."""
    sure: float = 0.0
    """|S|."""
    both_sure: float = 0.0
    """|A and S|."""
    both_possible: float = 0.0
    """|A and P|."""
    mass: float = 0.0
    """Weight on possible links."""
    linked: float = 0.0
    """Target words that have a possible link."""

    def __add__(self, other: "LinkCounts") -> "LinkCounts":
        return LinkCounts(*(a + b for a, b in zip(self.row(), other.row(), strict=True)))

    def row(self) -> tuple[float, ...]:
        """The six numbers in order."""
        return (self.predicted, self.sure, self.both_sure, self.both_possible, self.mass, self.linked)

    def scores(self) -> dict[str, float]:
        """aer, precision, recall and soft_mass, 0 to 1; a rate of nothing is 0."""
        total = self.predicted + self.sure
        return {
            "aer": 1 - (self.both_sure + self.both_possible) / total if total else 0.0,
            "precision": self.both_possible / self.predicted if self.predicted else 0.0,
            "recall": self.both_sure / self.sure if self.sure else 0.0,
            "soft_mass": self.mass / self.linked if self.linked else 0.0,
        }


def hard_links(words: Weights, end: Weights | None = None) -> Weights:
    """Read weights as links.

    Args:
        words: (m, n), target by source words.
        end: (m,), weight on the end of the source; None for none.

    Returns:
        (m, n): 1 on the heaviest source word of each target word, 1/k on each of k that tie, 0 in rows that link to nothing.
    """
    best = words.max(axis=1, keepdims=True)
    heaviest = np.isclose(words, best, rtol=1e-9, atol=0.0) & (best > 0)
    if end is not None:
        heaviest &= best >= end[:, None]
    shared: Weights = heaviest / np.maximum(heaviest.sum(axis=1, keepdims=True), 1)
    return shared


def count_links(words: Weights, sure: Links, possible: Links | None = None, end: Weights | None = None) -> LinkCounts:
    """Compare the weights (m, n) of one sentence pair with its gold links; `possible` None means that all are sure."""
    wanted, allowed = np.zeros(words.shape), np.zeros(words.shape)
    for source, target in sure:
        wanted[target, source] = allowed[target, source] = 1.0
    for source, target in possible or ():
        allowed[target, source] = 1.0
    links = hard_links(words, end)
    return LinkCounts(
        predicted=float(links.sum()),
        sure=float(wanted.sum()),
        both_sure=float((links * wanted).sum()),
        both_possible=float((links * allowed).sum()),
        mass=float((words * allowed).sum()),
        linked=float(allowed.any(axis=1).sum()),
    )


def uniform_weights(target_size: int, source_size: int) -> Weights:
    """Equal weight on every source word: (m, n)."""
    return np.full((target_size, source_size), 1 / source_size)


def diagonal_weights(target_size: int, source_size: int) -> Weights:
    """All weight on the source word at the same relative place: (m, n)."""
    return np.eye(source_size)[diagonal_words(target_size, source_size)]


BASELINES = {"uniform": uniform_weights, "diagonal": diagonal_weights}


def linked_split(data: EvaluationData) -> tuple[str, EncodedSplit] | None:
    """The first test split whose gold links are known."""
    return next(((name, split) for name, split in data.tests.items() if len(split) and split.links(0) is not None), None)


def align_run(
    run: TrainedRun, data: EvaluationData, device: torch.device, *, sentences: int = SENTENCES
) -> dict[str, Any] | None:
    """Measure a run's attention against gold links and write `analysis/alignment.json`; kept if it is there for these weights.

    Args:
        run: whose weights to read.
        data: its corpus.
        device: where the model is.
        sentences: of the test split, evenly spaced over lengths, at most.

    Returns:
        What the file holds; None for a corpus without links or a model without weights.
    """
    found = linked_split(data)
    if found is None or not has_weights(run):
        return None
    name, split = found
    key = split_key(run, data, name, sentences=sentences)
    return cached(run, "alignment", key, lambda: _aligned(run, split, sentences, device))


def _aligned(run: TrainedRun, split: EncodedSplit, sentences: int, device: torch.device) -> dict[str, Any]:
    counts, baselines = LinkCounts(), dict.fromkeys(BASELINES, LinkCounts())
    rows = []
    for weights in forced_word_weights(run, split, choose_sentences(split, sentences), device):
        links = split.links(weights.index) or ()
        counted = count_links(weights.words, links, end=weights.end)
        rows.append((weights.index, counted.row()))
        counts += counted
        for baseline, make in BASELINES.items():
            baselines[baseline] += count_links(make(*weights.words.shape), links)
    return {
        **counts.scores(),
        "n": len(rows),
        "counts": [row for _, row in sorted(rows)],
        "baselines": {baseline: total.scores() for baseline, total in baselines.items()},
        "conventions": CONVENTIONS,
    }
