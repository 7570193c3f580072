"""Attention of subwords read as attention of words, with the reference fed to the model.

Conventions. Row t of the weights belongs to target subword t: it is the attention while that subword was predicted, after
subwords 0..t-1 had been fed; nothing is shifted. A word's weight is the *sum* over its source subwords and the *mean* over
its target subwords. The row that predicted the end of the target is left out; the column of the source's end is kept apart.
Heads are averaged, and of several layers the last one counts (`Model.forward` says so). Weights are not renormalised.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from seq2seq.corpus.batching import evaluation_batches
from seq2seq.corpus.prepare import EncodedSplit
from seq2seq.run.reading import Weights, merge_subwords
from seq2seq.run.trained import TrainedRun, source_columns

BATCH_TOKENS = 2048
SENTENCES = 200
"""Sentences that an analysis looks at by default."""


@dataclass(frozen=True)
class WordWeights:
    """The attention of one sentence pair."""

    index: int
    """Of the pair in its split."""
    pieces: Weights
    """(T + 1, S + 1), target by source subwords in reading order, the ends of both sentences last."""
    words: Weights
    """(m, n), target by source words."""
    end: Weights
    """(m,), weight of each target word on the end of the source, or on the cells of a picture that show no object."""


@torch.inference_mode()
def forced_word_weights(run: TrainedRun, split: EncodedSplit, sentences: Sequence[int]) -> Iterator[WordWeights]:
    """Yield the weights of sentence pairs, longest first; pairs without a word on either side are left out."""
    for batch in evaluation_batches(split, BATCH_TOKENS, sentences):
        batch = batch.to(run.model.device)
        weights = run.model(batch.source, batch.source_mask, batch.inputs, need_weights=True).weights
        assert weights is not None  # they are asked for
        for row, index in enumerate(batch.indices.tolist()):
            target = split.target_tokens(index)
            columns, pieces = source_columns(run.source_tokenizer, split, index, weights[row, : len(target) + 1])
            count = max(column.word for column in columns) + 1
            source_words = [column.word % (count + 1) for column in columns]  # what belongs to no word comes last
            target_words = run.target_tokenizer.word_of_piece(target)
            if count and target_words:
                merged = merge_subwords(pieces[:-1], target_words, source_words)
                yield WordWeights(index=index, pieces=pieces, words=merged[:, :count], end=merged[:, count:].sum(axis=1))


def choose_sentences(split: EncodedSplit, count: int = SENTENCES) -> list[int]:
    """Choose sentences evenly spaced over the lengths of a split, the same for every system; in the order of the split."""
    order = sorted(range(len(split)), key=split.length)
    count = min(count, len(order))
    return sorted(order[k * len(order) // count] for k in range(count))


def diagonal_words(target_size: int, source_size: int) -> NDArray[np.int64]:
    """(m,), the source word at the same relative place as each of m target words: floor((t + 1/2) n / m)."""
    return ((2 * np.arange(target_size) + 1) * source_size) // (2 * target_size)
