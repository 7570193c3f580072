"""From a trained model and sentences to text: batches, search, and lines in their own order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.config.training import SearchSettings
from seq2seq.corpus.batching import evaluation_batches
from seq2seq.corpus.prepare import EncodedSplit
from seq2seq.corpus.tokenizer import Tokenizer
from seq2seq.models.interface import Model
from seq2seq.models.search import Hypothesis, search_n_best


@dataclass(frozen=True)
class Translation:
    """Translation of one sentence."""

    text: str
    hypothesis: Hypothesis


def one_line(text: str) -> str:
    """A hypothesis is one line of a file, whatever subwords the model put together."""
    return " ".join(text.split())


def translate(
    model: Model, split: EncodedSplit, target_tokenizer: Tokenizer, settings: SearchSettings, **options: Any
) -> list[Translation]:
    """Return the best translation of each sentence of a split, or of some; options as of `translate_n_best`."""
    return [best[0] for best in translate_n_best(model, split, target_tokenizer, settings, **options)]


def translate_n_best(
    model: Model,
    split: EncodedSplit,
    target_tokenizer: Tokenizer,
    settings: SearchSettings,
    *,
    sentences: Sequence[int] | None = None,
    need_weights: bool = False,
    n_best: int = 1,
) -> list[list[Translation]]:
    """Find the best translations of a split, or of some of its sentences, in order; of each sentence the best one first."""
    chosen = list(range(len(split))) if sentences is None else list(sentences)
    found: dict[int, list[Hypothesis]] = {}
    model.eval()
    for batch in evaluation_batches(split, max(1, settings.batch_tokens // settings.beam), chosen):
        batch = batch.to(model.device)
        hypotheses = search_n_best(model, batch.source, batch.source_mask, settings, need_weights, n_best)
        found.update(zip(batch.indices.tolist(), hypotheses, strict=True))
    return [[Translation(text=target_tokenizer.decode(h.tokens), hypothesis=h) for h in found[i]] for i in chosen]
