"""Phase before the pairs: which text a part of the model is trained on, as what, and how much of the budget it took."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

from seq2seq.config.training import MaskedSettings, PretrainingSettings
from seq2seq.corpus.batching import Examples
from seq2seq.corpus.encoded import EncodedSplit
from seq2seq.corpus.monolingual import MaskedText, text_of_sources, text_of_targets
from seq2seq.corpus.prepare import PreparedData
from seq2seq.models.interface import EncoderDecoder, Model
from seq2seq.models.output import start_at_frequencies
from seq2seq.models.pretraining import LanguageModel, MaskedModel, PretrainedModel


@dataclass(frozen=True)
class Pretraining:
    """Cost of a run's pre-training so far."""

    steps: int = 0
    target_tokens: int = 0
    """Real tokens of the side that it reads."""
    seconds: float = 0.0
    done: bool = False


class Task(NamedTuple):
    """Task that is learned before translation."""

    split: EncodedSplit
    """Text of one side."""
    examples: Examples | None
    """Makes the examples of an epoch of it; None takes the sentences as they are."""
    build: Callable[[Model], PretrainedModel]
    """Puts the task on a model."""


def pretraining_task(settings: PretrainingSettings, data: PreparedData, max_tokens: int) -> Task:
    """Return what the settings ask for, on all text of the training split.

    Args:
        settings: which task.
        data: the corpus.
        max_tokens: subwords of an example, at most.
    """
    if not isinstance(settings, MaskedSettings):
        return Task(text_of_targets(data.monolingual), None, lambda model: LanguageModel(whole=model))
    split, size = text_of_sources(data.monolingual), data.source_tokenizer.vocabulary_size

    def build(model: Model) -> PretrainedModel:
        masked = MaskedModel(whole=cast("EncoderDecoder", model))  # the settings refuse others
        start_at_frequencies(masked.output, split.target_counts(size))
        return masked

    return Task(split, MaskedText(split, settings, vocabulary_size=size, max_tokens=max_tokens), build)
