"""How a model does on held-out sentences while it trains."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from seq2seq.config.training import SearchSettings
from seq2seq.corpus.batching import evaluation_batches
from seq2seq.corpus.prepare import EncodedSplit, PreparedData
from seq2seq.models.interface import Model
from seq2seq.models.kernels.cross_entropy import linear_cross_entropy, real_positions
from seq2seq.run.translation import translate

_BATCH_TOKENS = 4096


@dataclass(frozen=True)
class Validation:
    """What one validation measured."""

    loss: float
    """Plain cross-entropy, nats per real target token."""
    perplexity: float
    """exp(loss)."""
    token_accuracy: float
    """Share of real target tokens whose most probable prediction is right, with teacher forcing, 0 to 1."""
    bleu: float | None
    """sacreBLEU of greedy translations of the first sentences; None where none were translated."""
    bleu_by_length: tuple[tuple[int, int, float], ...]
    """(fewest source words, most, BLEU) over the same sentences."""

    def score(self, best_by: Literal["loss", "bleu"]) -> float:
        """Return what makes a checkpoint the best, higher is better; -inf where it is not a number."""
        score = -self.loss if best_by == "loss" else (self.bleu or 0.0)
        return -math.inf if math.isnan(score) else score

    def describe(self) -> str:
        """Return the measurements as a person reads them."""
        bleu = "" if self.bleu is None else f", BLEU {self.bleu:.1f}"
        accuracy = f"accuracy {100 * self.token_accuracy:.1f} %"
        return f"validation loss {self.loss:.3f}, perplexity {self.perplexity:.2f}, {accuracy}{bleu}"


def validate(
    model: Model,
    data: PreparedData,
    *,
    device: torch.device,
    bleu_sentences: int,
    bucket_edges: Sequence[int] = (10, 20, 30, 40),
) -> Validation:
    """Measure loss and accuracy on the whole validation split and BLEU on its first `bleu_sentences` sentences, in fp32."""
    was_training = model.training
    model.eval()
    loss, accuracy = _teacher_forced(model, data.valid, device)
    bleu: float | None = None
    by_length: tuple[tuple[int, int, float], ...] = ()
    if bleu_sentences:
        bleu, by_length = _greedy_bleu(model, data, device, min(bleu_sentences, len(data.valid)), bucket_edges)
    model.train(was_training)
    return Validation(
        loss=loss,
        perplexity=math.exp(min(loss, 700.0)),
        token_accuracy=accuracy,
        bleu=bleu,
        bleu_by_length=by_length,
    )


@torch.inference_mode()
def _teacher_forced(model: Model, split: EncodedSplit, device: torch.device) -> tuple[float, float]:
    nats = torch.zeros((), dtype=torch.float64, device=device)
    correct, tokens = 0, 0
    for batch in evaluation_batches(split, _BATCH_TOKENS):
        batch = batch.to(device)
        features = model(batch.source, batch.source_mask, batch.inputs).features
        kept, wanted = real_positions(features, batch.targets, batch.target_mask)
        nats += linear_cross_entropy(kept, wanted, model.output, 0.0).nats
        correct += int((model.output(kept).argmax(dim=-1) == wanted).sum())
        tokens += len(wanted)
    return float(nats) / tokens, correct / tokens


def _greedy_bleu(
    model: Model, data: PreparedData, device: torch.device, count: int, edges: Sequence[int]
) -> tuple[float, tuple[tuple[int, int, float], ...]]:
    from sacrebleu import corpus_bleu  # force: text that ends in " ." is no reason to warn, the corpus may be so

    chosen = range(count)
    found = translate(model, data.valid, data.target_tokenizer, SearchSettings(beam=1), device=device, sentences=chosen)
    texts = [translation.text for translation in found]
    references = [data.valid.target(i) for i in chosen]
    words = [len(data.valid.source(i).split()) for i in chosen]
    rows = []
    for low, high in zip((1, *(e + 1 for e in edges)), (*edges, max(max(words), edges[-1] + 1)), strict=True):
        inside = [i for i in chosen if low <= words[i] <= high]
        if inside:
            bleu = corpus_bleu([texts[i] for i in inside], [[references[i] for i in inside]], force=True).score
            rows.append((low, high, bleu))
    return corpus_bleu(texts, [references], force=True).score, tuple(rows)


@torch.inference_mode()
def first_attention(model: Model, data: PreparedData, device: torch.device) -> Tensor | None:
    """(T, S) weights of the first validation pair with teacher forcing; None for a model that has none."""
    batch = next(iter(evaluation_batches(data.valid, _BATCH_TOKENS, [0]))).to(device)
    was_training = model.training
    model.eval()
    weights = model(batch.source, batch.source_mask, batch.inputs, need_weights=True).weights
    model.train(was_training)
    return None if weights is None else weights[0].float().cpu()
