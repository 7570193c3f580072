"""Attention against gold word links: alignment error rate, precision, recall, soft mass, beside baselines that know nothing.

Source: Och and Ney 2003, "A systematic comparison of various statistical alignment models", Evaluation methodology: with
predicted links A, sure links S and possible links P (S within P), precision |A and P| / |A|, recall |A and S| / |S| and
AER = 1 - (|A and S| + |A and P|) / (|A| + |S|). The embedded corpus knows its links, so all of them are sure and S = P.

`CONVENTIONS` and `words` say how weights are read as links. Of a picture the words are the objects, and the cells that show
none take the place of the end. Soft mass is the weight that a target word puts on the source words it is linked to, averaged
over the target words that have a link; weight on the end of the source is lost to it.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.attention.fixed import NoContext
from seq2seq.config.embedded import IMAGE
from seq2seq.corpus.prepare import EncodedSplit, EvaluationData
from seq2seq.report.analysis.store import cached
from seq2seq.report.analysis.words import SENTENCES, choose_sentences, diagonal_words, forced_word_weights
from seq2seq.run.reading import Weights
from seq2seq.run.trained import TrainedRun

Links = Iterable[tuple[int, int]]
"""(source word, target word)."""

CONVENTIONS = (
    "The reference is fed (forced decoding); a row of weights belongs to the word that it predicts. "
    "Weights are summed over the {} of a target word; heads are averaged, "
    "the last layer counts. Each target word is linked to the {} with the most weight, ties share the link, "
    "and to nothing if the {} more. All gold links are sure (Och and Ney 2003)."
)
_OF_WORDS = ("subwords of a source word and averaged over those", "source word", "end of the source has")
_OF_PICTURES = ("cells of an object and averaged over the subwords", "object", "empty cells together have")

Counts = NDArray[np.float64]
"""(..., 6) sums over target words: |A|, |S|, |A and S|, |A and P|, weight on possible links, words that have one."""


def error_rate(counts: Counts) -> Counts:
    """(...) alignment error rate, 0 to 1, from (..., 6) counts."""
    predicted, sure, both_sure, both_possible = (counts[..., column] for column in range(4))
    return np.asarray(1 - (both_sure + both_possible) / np.maximum(predicted + sure, 1e-12))


def link_scores(counts: Counts) -> dict[str, float]:
    """aer, precision, recall and soft_mass, 0 to 1, from (6,) counts; a share of nothing is 0."""
    predicted, sure, both_sure, both_possible, mass, linked = counts.tolist()
    shares = {"precision": (both_possible, predicted), "recall": (both_sure, sure), "soft_mass": (mass, linked)}
    scores = {name: part / whole if whole else 0.0 for name, (part, whole) in shares.items()}
    return {"aer": float(error_rate(counts)) if predicted + sure else 0.0, **scores}


def hard_links(words: Weights, end: Weights | None = None) -> Weights:
    """Read weights (m, n), target by source words, as links; `end` is (m,), the weight on the end of the source.

    Returns (m, n): 1 on the heaviest source word of each target word, 1/k on each of k that tie, 0 in rows without a link.
    """
    best = words.max(axis=1, keepdims=True)
    heaviest = np.isclose(words, best, rtol=1e-9, atol=0.0) & (best > 0)
    if end is not None:
        heaviest &= best >= end[:, None]
    shared: Weights = heaviest / np.maximum(heaviest.sum(axis=1, keepdims=True), 1)
    return shared


def count_links(words: Weights, gold: Links, end: Weights | None = None) -> Counts:
    """Compare the weights (m, n) of one sentence pair with its gold links, all of them sure: (6,)."""
    wanted, links = np.zeros(words.shape), hard_links(words, end)
    for source, target in gold:
        wanted[target, source] = 1.0
    sums = (links, wanted, links * wanted, links * wanted, words * wanted, wanted.any(axis=1))
    return np.array([each.sum() for each in sums], dtype=np.float64)


BASELINES: dict[str, Callable[[int, int], Weights]] = {
    "uniform": lambda m, n: np.full((m, n), 1 / n),
    "diagonal": lambda m, n: np.eye(n)[diagonal_words(m, n)],
}
"""Weights (m, n), target by source words, that know nothing: equal ones, and all on the word at the same relative place."""


def align_run(run: TrainedRun, data: EvaluationData, *, sentences: int = SENTENCES) -> dict[str, Any] | None:
    """Compare a run's attention with gold links in `analysis/alignment.json`, or keep that; None without links or weights."""
    found = next(((name, split) for name, split in data.tests.items() if len(split) and split.pair(0).links is not None), None)
    if found is None or any(isinstance(module, NoContext) for module in run.model.modules()):
        return None
    name, split = found
    return cached(run, data, name, "alignment", lambda: _aligned(run, split, sentences), sentences=sentences)


def _aligned(run: TrainedRun, split: EncodedSplit, sentences: int) -> dict[str, Any]:
    baselines, rows = dict.fromkeys(BASELINES, np.zeros(6)), {}
    for weights in forced_word_weights(run, split, choose_sentences(split, sentences)):
        links = split.pair(weights.index).links or ()
        rows[weights.index] = count_links(weights.words, links, end=weights.end)
        for baseline, make in BASELINES.items():
            baselines[baseline] = baselines[baseline] + count_links(make(*weights.words.shape), links)
    return {
        **link_scores(np.sum(list(rows.values()), axis=0)),
        "n": len(rows),
        "counts": [row.tolist() for _, row in sorted(rows.items())],
        "baselines": {baseline: link_scores(total) for baseline, total in baselines.items()},
        "conventions": CONVENTIONS.format(*(_OF_PICTURES if split.source_language == IMAGE else _OF_WORDS)),
    }
