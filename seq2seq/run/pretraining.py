"""Phase before the pairs: which text a part of the model is trained on, as what, and how much of the budget it took."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from seq2seq.config.training import MaskedSettings, PretrainingSettings
from seq2seq.corpus.batching import Examples
from seq2seq.corpus.encoded import EncodedSplit
from seq2seq.corpus.monolingual import MaskedText, text_of_sources, text_of_targets
from seq2seq.corpus.prepare import PreparedData
from seq2seq.models.interface import EncoderDecoder, Model
from seq2seq.models.output import start_at_frequencies
from seq2seq.models.pretraining import LanguageModel, MaskedModel


@dataclass(frozen=True)
class Pretraining:
    """Cost of a run's pre-training so far."""

    steps: int = 0
    target_tokens: int = 0
    """Real tokens of the side that it reads."""
    seconds: float = 0.0
    done: bool = False


def pretraining_task(
    settings: PretrainingSettings, data: PreparedData, max_tokens: int
) -> tuple[EncodedSplit, Examples | None, Callable[[Model], Model]]:
    """Return text of one side, what makes an epoch's examples of it (None: its sentences), and what puts a model to it."""
    if not isinstance(settings, MaskedSettings):
        return text_of_targets(data.monolingual), None, lambda model: LanguageModel(whole=model)
    split, size = text_of_sources(data.monolingual), data.source_tokenizer.vocabulary_size

    def build(model: Model) -> Model:
        masked = MaskedModel(whole=cast("EncoderDecoder", model))  # the settings refuse others
        start_at_frequencies(masked.output, split.target_counts(size))
        return masked

    return split, MaskedText(split, settings, vocabulary_size=size, max_tokens=max_tokens), build
