"""Cost of a system before it is trained: parameters, and FLOPs per target token.

Parameters are read off models on torch's meta device, which has shapes and no numbers. FLOPs are counted while a model with a
vocabulary of a few subwords really runs on one short sentence; the embedding does no matmul, and what the output layer would do
over the whole vocabulary is added.
"""

import math
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from seq2seq.config.embedded import IMAGE
from seq2seq.config.study import RunSettings
from seq2seq.corpus.images import ImageTokenizer
from seq2seq.corpus.prepare import prepare
from seq2seq.models.build import build_model
from seq2seq.models.interface import EncoderDecoder, Model, count_parameters

BACKWARD = 3
"""A training step does the matmuls of the forward pass once more for each of the two factors' gradients."""
_SUBWORDS = 8


def vocabulary_size(settings: RunSettings) -> int:
    """Return the size that the tokenizer is asked for; `auto` is known only where the training text has been read."""
    if settings.tokenizer.vocabulary_size != "auto":
        return settings.tokenizer.vocabulary_size
    prepared = prepare(settings.data, settings.tokenizer, report=lambda _: None)
    return max(prepared.source_tokenizer.vocabulary_size, prepared.target_tokenizer.vocabulary_size)


def meta_model(settings: RunSettings) -> Model:
    """Build a system's model without numbers; vocabularies are as large as the tokenizer is asked to make them."""
    subwords, colours = vocabulary_size(settings), ImageTokenizer().vocabulary_size
    with torch.device("meta"):
        return build_model(
            settings.model, source_vocabulary=colours if settings.data.source == IMAGE else subwords, target_vocabulary=subwords
        )


def _count_mv(matrix: Any, *_: Any, **__: Any) -> int:
    """Matmul of additive attention with its v, given the shape of the matrix."""
    return int(2 * math.prod(matrix))


def _count_lstm(inputs: Any, from_input: Any, from_state: Any, *_: Any, **__: Any) -> int:
    """One direction of one LSTM layer, given the shapes (S, B, D), (4 H, D) and (4 H, H)."""
    return int(2 * math.prod(inputs[:2]) * (math.prod(from_input) + math.prod(from_state)))


_UNCOUNTED = {torch.ops.aten.mv: _count_mv, torch.ops.aten.mkldnn_rnn_layer: _count_lstm}
"""Matmuls that torch's counter leaves out."""


def flops_per_token(settings: RunSettings, source_size: int, target_size: int) -> float:
    """Forward FLOPs (two for each multiply-add of a matmul) of a system with teacher forcing, over the number of target tokens.

    Sums, tanh, softmax and normalisation are not counted, as is usual; additive attention does more of these than others.

    Sizes are S and T, tokens with end of sentence; a picture has its own number.
    """
    random = torch.get_rng_state()
    model = build_model(settings.model, source_vocabulary=_SUBWORDS, target_vocabulary=_SUBWORDS).eval()
    torch.set_rng_state(random)
    if isinstance(model, EncoderDecoder):
        source_size = model.encoder.source_size or source_size
    source, inputs = (torch.full((1, size), _SUBWORDS - 1) for size in (source_size, target_size))
    counter = FlopCounterMode(display=False, custom_mapping=_UNCOUNTED)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:  # one kernel for a whole attention would hide its matmuls
        model(source, torch.ones(1, source_size, dtype=torch.bool), inputs)
    logits = 2 * model.output.in_features * vocabulary_size(settings)
    return counter.get_total_flops() / target_size + logits


def budget_of(settings: RunSettings, kind: str) -> float:
    """The number that systems are matched in: trainable "parameters", or forward "flops" per target token at S = T = 25."""
    if kind == "parameters":
        return float(sum(count_parameters(meta_model(settings)).values()))
    return flops_per_token(settings, 25, 25)
