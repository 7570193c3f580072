"""Validation on held-out sentences during training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.nn import functional

from seq2seq.config.study import RunSettings
from seq2seq.corpus.batching import evaluation_batches
from seq2seq.corpus.prepare import EncodedSplit, PreparedData
from seq2seq.models.interface import Model
from seq2seq.models.output import real_positions
from seq2seq.run.translation import one_line, translate

_BATCH_TOKENS = 4096
_EDGES = (10, 20, 30, 40)  # last source length of each bucket but the open last one


@dataclass(frozen=True)
class Validation:
    """Result of one validation."""

    loss: float
    """Plain cross-entropy, nats per real target token."""
    perplexity: float
    """exp(loss)."""
    token_accuracy: float
    """Share of real target tokens whose most probable prediction is right, with teacher forcing, 0 to 1."""
    bleu: float | None = None
    """sacreBLEU of greedy translations of the first sentences; None where none were translated."""
    bleu_signature: str | None = None
    """sacreBLEU's signature, tokenizer included."""
    bleu_by_length: tuple[tuple[int, int, float], ...] = ()
    """(shortest source, longest, BLEU) over the same sentences; lengths in words, or characters where there are no spaces."""

    def score(self, best_by: Literal["loss", "bleu"]) -> float:
        """Return what makes a checkpoint the best, higher is better; -inf where it is not a number."""
        score = -self.loss if best_by == "loss" else (self.bleu or 0.0)
        return -math.inf if math.isnan(score) else score

    def describe(self) -> str:
        bleu = "" if self.bleu is None else f", BLEU {self.bleu:.1f}"
        accuracy = f"accuracy {100 * self.token_accuracy:.1f} %"
        return f"validation loss {self.loss:.3f}, perplexity {self.perplexity:.2f}, {accuracy}{bleu}"


def validate(model: Model, data: PreparedData, settings: RunSettings, *, tokenizer: str) -> Validation:
    """Measure loss and accuracy on the validation split, and BLEU of greedy translations of its first sentences, in fp32."""
    model.eval()
    loss, accuracy = _teacher_forced(model, data.valid)
    bleu: dict[str, Any] = {}
    if count := settings.training.validation_bleu_sentences:
        chosen = range(min(count, len(data.valid)))
        greedy = settings.search.model_copy(update={"beam": 1})
        translated = translate(model, data.valid, data.target_tokenizer, greedy, sentences=chosen)
        bleu = _bleu([one_line(translation.text) for translation in translated], data.valid, tokenizer)
    return Validation(loss=loss, perplexity=math.exp(min(loss, 700.0)), token_accuracy=accuracy, **bleu)


@torch.inference_mode()
def _teacher_forced(model: Model, split: EncodedSplit) -> tuple[float, float]:
    nats = torch.zeros((), dtype=torch.float64, device=model.device)
    correct, tokens = 0, 0
    for batch in evaluation_batches(split, _BATCH_TOKENS):
        batch = batch.to(model.device)
        features = model(batch.source, batch.source_mask, batch.inputs).features
        kept, wanted = real_positions(features, batch.targets, batch.target_mask)
        logits = model.output(kept)
        nats += functional.cross_entropy(logits.float(), wanted, reduction="sum")
        correct += int((logits.argmax(dim=-1) == wanted).sum())
        tokens += len(wanted)
    return float(nats) / tokens, correct / tokens


def _bleu(hypotheses: Sequence[str], split: EncodedSplit, tokenizer: str) -> dict[str, Any]:
    """Score translations of the first sentences of a split, all together and by source length."""
    from seq2seq.scoring.buckets import fixed_buckets, source_words
    from seq2seq.scoring.sentences import sentence_statistics

    references = [split.target(i) for i in range(len(hypotheses))]
    counted = sentence_statistics(hypotheses, references, metrics=["bleu"], tokenizer=tokenizer)
    lengths = source_words([split.source(i) for i in range(len(hypotheses))], split.source_language)
    rows = []
    for bucket in fixed_buckets(_EDGES):
        inside = bucket.holds(lengths)
        if inside.any():
            last = bucket.high or max(int(lengths.max()), bucket.low)
            rows.append((bucket.low, last, counted.select(inside).score("bleu")))
    signature = counted.signatures["bleu"]
    return {"bleu": counted.score("bleu"), "bleu_signature": signature, "bleu_by_length": tuple(rows)}
