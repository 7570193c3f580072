"""Translations of a trained model with its weights replaced, without retraining, and a description of its own weights.

If translations get no worse with other weights, the weights were not what carried them (Jain and Wallace 2019,
arXiv:1902.10186; Wiegreffe and Pinter 2019, arXiv:1908.04626). Every bridge of the model (in a Transformer: of every layer)
gets a normaliser that asks the trained one and answers something else; self-attention stays as it is. Each replacement keeps
the sum of a row and never gives weight to what may not be attended to.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from scipy.special import entr
from torch import Tensor

from seq2seq.attention.attention import Attention
from seq2seq.attention.normalisers import Normaliser
from seq2seq.config.evaluation import BucketSettings
from seq2seq.corpus.prepare import EncodedSplit, EvaluationData
from seq2seq.models.interface import EncoderDecoder, Model
from seq2seq.models.rnn import RnnDecoder
from seq2seq.models.transformer import TransformerDecoder
from seq2seq.report.analysis.store import cached, count_bleu, evaluation_of
from seq2seq.report.analysis.words import WordWeights, choose_sentences, diagonal_words, forced_word_weights
from seq2seq.run.reading import Weights
from seq2seq.run.trained import TrainedRun
from seq2seq.run.translation import Translation, translate
from seq2seq.scoring.buckets import build_buckets, source_words

SENTENCES = 100
NEAR = 2
"""Source words on each side of the diagonal that count as near it."""
COVERED = 0.5

Replacement = Callable[[Tensor, Tensor], Tensor]
"""Weights (B, H, Q, S) and a mask of the same shape, True may attend, to weights of the same shape."""


def uniform(weights: Tensor, mask: Tensor) -> Tensor:
    """Equal weight on all that may be attended to."""
    return weights.sum(dim=-1, keepdim=True) * mask / mask.sum(dim=-1, keepdim=True).clamp(min=1)


def argmax(weights: Tensor, mask: Tensor) -> Tensor:
    """All weight on the heaviest token, the first of equals."""
    best = weights.masked_fill(~mask, -1.0).argmax(dim=-1, keepdim=True)  # (B, H, Q, 1)
    return torch.zeros_like(weights).scatter(-1, best, weights.sum(dim=-1, keepdim=True)) * mask


def permuted(weights: Tensor, mask: Tensor) -> Tensor:
    """Each token gets the weight of another, by a random cycle that depends on nothing but how many tokens there are."""
    counts = mask.sum(dim=-1)  # (B, H, Q)
    table = torch.zeros(int(counts.max()) + 1, max(1, int(counts.max())), dtype=torch.long, device=weights.device)
    for count in set(counts.flatten().tolist()):
        table[count, :count] = random_cycle(count).to(weights.device)
    return _exchanged(weights, mask, lambda rank: table[counts].gather(-1, rank))


def shifted(weights: Tensor, mask: Tensor) -> Tensor:
    """Each token gets the weight of the one before it, the first that of the last: the model looks one token too far."""
    counts = mask.sum(dim=-1, keepdim=True).clamp(min=1)
    return _exchanged(weights, mask, lambda rank: (rank - 1) % counts)


def random_cycle(count: int) -> Tensor:
    """(count,) whose token each token gets the weight of: one random cycle, so that no token keeps its own (Sattolo)."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(count))
    cycle = torch.empty_like(order)
    cycle[order] = order.roll(-1)
    return cycle


def _exchanged(weights: Tensor, mask: Tensor, giver: Callable[[Tensor], Tensor]) -> Tensor:
    """Give the r-th attendable token of a row the weight of its giver(r)-th, ranks (B, H, Q, S) counted from 0."""
    places = mask.to(torch.int8).argsort(dim=-1, descending=True, stable=True)  # attendable tokens first, in order
    rank = (mask.cumsum(dim=-1) - 1).clamp(min=0)
    return weights.gather(-1, places.gather(-1, giver(rank))) * mask


REPLACEMENTS: dict[str, Replacement] = {"uniform": uniform, "argmax": argmax, "permuted": permuted, "shifted": shifted}
ORIGINAL = "original"
DESCRIPTION = {
    ORIGINAL: "the trained weights",
    "uniform": "equal weight on every source token",
    "argmax": "all weight on the heaviest token",
    "permuted": "each token gets the weight of another one, by a random cycle for each source length",
    "shifted": "each token gets the weight of the one before it",
}


class Intervention(Normaliser):
    """A trained normaliser whose answer is replaced by a function of `REPLACEMENTS`."""

    def __init__(self, trained: Normaliser, replacement: Replacement) -> None:
        super().__init__()
        self.trained = trained
        self.replacement = replacement

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        weights: Tensor = self.trained(scores, mask)
        return self.replacement(weights, mask.expand_as(weights))


def bridges(model: Model) -> list[Attention]:
    """The attention over the source, one a layer; none where the context is fixed or there is no bridge."""
    if not isinstance(model, EncoderDecoder):
        return []
    if isinstance(model.decoder, RnnDecoder):
        found: list[Any] = [model.decoder.attention]
    else:
        assert isinstance(model.decoder, TransformerDecoder)
        found = [layer.cross_attention for layer in model.decoder.layers]
    return [bridge for bridge in found if isinstance(bridge, Attention)]


@contextmanager
def intervened(model: Model, kind: str) -> Iterator[None]:
    """Replace the weights of every bridge inside the block; `original` replaces nothing."""
    trained = [(bridge, bridge.normaliser) for bridge in bridges(model)] if kind != ORIGINAL else []
    try:
        for bridge, normaliser in trained:
            bridge.normaliser = Intervention(normaliser, REPLACEMENTS[kind])
        yield
    finally:
        for bridge, normaliser in trained:
            bridge.normaliser = normaliser


def intervene(run: TrainedRun, data: EvaluationData, *, sentences: int = SENTENCES) -> dict[str, Any] | None:
    """Translate with every intervention for `analysis/interventions.json`, or keep that; None without attention to replace."""
    if not bridges(run.model):
        return None
    name, split = next(iter(data.tests.items()))
    chosen = choose_sentences(split, sentences)
    greedy, evaluation = run.settings.search.model_copy(update={"beam": 1}), evaluation_of(run)

    def translate_all() -> dict[str, Any]:
        kinds = {}
        for kind in DESCRIPTION:
            with intervened(run.model, kind):
                about = describe_weights(list(forced_word_weights(run, split, chosen)))
                found = translate(run.model, split, run.target_tokenizer, greedy, sentences=chosen)
                kinds[kind] = {**bleu_by_length(run, split, chosen, found, evaluation.buckets), **about}
        return {"kinds": kinds, "n": len(chosen), "description": DESCRIPTION}

    key = {"search": greedy.model_dump(mode="json"), "buckets": evaluation.buckets.model_dump(mode="json")}
    tokenizer = evaluation.tokenizer
    return cached(run, data, name, "interventions", translate_all, sentences=sentences, tokenizer=tokenizer, **key)


def bleu_by_length(
    run: TrainedRun, split: EncodedSplit, sentences: Sequence[int], found: Sequence[Translation], buckets: BucketSettings
) -> dict[str, Any]:
    """BLEU of translations, and of each length bucket that holds one of these sentences."""
    counted = count_bleu(run, found, [split.target(i) for i in sentences])
    lengths = source_words([split.source(i) for i in sentences], split.source_language)
    return {
        "bleu": counted.score("bleu"),
        "buckets": [
            {"min": bucket.low, "max": bucket.high, "n": int(inside.sum()), "bleu": counted.select(inside).score("bleu")}
            for bucket in build_buckets(buckets, lengths)
            for inside in [bucket.holds(lengths)]
        ],
    }


def describe_weights(sentences: Sequence[WordWeights]) -> dict[str, float]:
    """Say what weights look like, with the reference fed: figures of `report.analyses.Intervention`, means over all sentences.

    Shares of a row are of its sum: weight on the end of the source or on a picture's empty cells, and within `NEAR` words of
    its relative place. Covered are source words whose weights from all target words sum to `COVERED` or more. Rows that attend
    to nothing are left out.
    """
    entropies, ends, covered, near = [], [], [], []
    for sentence in sentences:
        entropies.append(row_entropies(sentence.pieces))
        totals = sentence.words.sum(axis=1) + sentence.end  # (m,)
        seen = totals > 0
        ends.append(sentence.end[seen] / totals[seen])
        covered.append(sentence.words.sum(axis=0) >= COVERED)
        m, n = sentence.words.shape
        distance = np.abs(np.arange(n) - diagonal_words(m, n)[:, None])  # (m, n)
        near.append((sentence.words * (distance <= NEAR)).sum(axis=1)[seen] / totals[seen])
    means = {"entropy": entropies, "eos_mass": ends, "coverage": covered, "diagonal_mass": near}
    return {name: float(np.concatenate(values).mean()) for name, values in means.items()}


def row_entropies(weights: Weights) -> Weights:
    """Entropy in bits of each row (T, S) that has weight, taken as shares of its sum."""
    rows = weights[weights.sum(axis=1) > 0]
    entropies: Weights = entr(rows / rows.sum(axis=1, keepdims=True)).sum(axis=1) / np.log(2)
    return entropies
