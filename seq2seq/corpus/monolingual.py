"""Text of one side of a corpus, as a part of a model is trained on it before it learns to translate."""

import numpy as np
from numpy.typing import NDArray

from seq2seq.config.errors import UserError
from seq2seq.config.training import MaskedSettings
from seq2seq.corpus.encoded import EncodedSplit, TokenArrays
from seq2seq.corpus.join import laid_out, separated
from seq2seq.corpus.tokenizer import BOS, EOS, PAD, UNK

FOLLOWS, STRANGE = BOS, UNK
"""Predictions at the end of a first sentence: the second begins where it ends, or is any other."""
_HIDDEN, _RANDOM = 0.8, 0.1
"""Shares of the tokens to be predicted that are replaced by the unknown subword and by a random one."""


def text_of_targets(split: EncodedSplit) -> EncodedSplit:
    """Return the targets of a split with sources that have no token but the end of sentence."""
    nothing = TokenArrays(np.empty(0, np.int32), np.zeros(len(split) + 1, np.int64))
    return EncodedSplit(nothing, split.target_arrays, [])


def text_of_sources(split: EncodedSplit) -> EncodedSplit:
    """Return the sources of a split, in the order in which they are fed, on both sides."""
    tokens, offsets = split.source_arrays
    side = TokenArrays(tokens[::-1], offsets[-1] - offsets[::-1]) if split.reverse_source else split.source_arrays
    return EncodedSplit(side, side, [])


class MaskedText:
    """Sentences in which tokens are hidden, others in every epoch; the targets are what stood there, and padding elsewhere.

    Source: Devlin et al. 2019, arXiv:1810.04805, section 3.1 and appendix A. Their [MASK] is our unknown subword, which a
    corpus hardly has, and their [CLS] the end of the first sentence. Two sentences and the end between them have at most
    `max_tokens` subwords.
    """

    def __init__(self, split: EncodedSplit, settings: MaskedSettings, *, vocabulary_size: int, max_tokens: int) -> None:
        self._side, self._settings, self._vocabulary_size = split.source_arrays, settings, vocabulary_size
        self._max_tokens = max_tokens

    def examples(self, random: np.random.Generator) -> EncodedSplit:
        """Hide tokens anew, holding the whole text in memory; a `UserError` if no two sentences are short enough for a pair."""
        side, settings = self._side, self._settings
        labels = None
        if settings.next_sentence:
            side, labels = self._two_by_two(random)
        chance = random.random(len(side.tokens))
        chance[side.tokens == EOS] = 2.0
        lowest = np.minimum.reduceat(chance, side.offsets[:-1])
        asked = (chance < settings.mask_share) | (chance == np.repeat(lowest, side.lengths))
        how = random.random(len(side.tokens))
        source, others = np.array(side.tokens, np.int32), random.integers(EOS + 1, self._vocabulary_size, len(side.tokens))
        source[asked & (how < _HIDDEN)] = UNK
        replaced = asked & (how >= 1 - _RANDOM)
        source[replaced] = others[replaced]
        target = np.where(asked, side.tokens, PAD).astype(np.int32)
        if labels is not None:
            target[side.tokens == EOS] = labels
        predictions = np.add.reduceat((target != PAD).astype(np.int64), side.offsets[:-1])
        hidden, wanted = (TokenArrays(tokens, side.offsets) for tokens in (source, target))
        return EncodedSplit(hidden, wanted, [], predictions=predictions)

    def _two_by_two(self, random: np.random.Generator) -> tuple[TokenArrays, NDArray[np.int32]]:
        """Return sentences 2k with the next one or any other, end of sentence between them, and which of the two it is."""
        lengths = self._side.lengths
        first = np.arange(0, len(lengths) - 1, 2)
        follows = random.random(len(first)) < 0.5
        second = np.where(follows, first + 1, random.integers(0, len(lengths), len(first)))
        fits = lengths[first] + 1 + lengths[second] <= self._max_tokens
        if not fits.any():
            raise UserError(
                "training.pretrain.next_sentence: no two sentences of the training text fit into data.max_tokens "
                f"{self._max_tokens}; raise it, or leave next_sentence out"
            )
        order = np.stack([first[fits], second[fits]], axis=1).flatten()
        bounds = np.arange(0, len(order) + 1, 2)
        side = separated(laid_out(self._side, order, bounds), lengths[order], bounds)
        return side, np.where(follows[fits], FOLLOWS, STRANGE).astype(np.int32)
