"""What a system costs before it is trained: parameters, FLOPs per target token, bytes that attention keeps to go back.

Parameters and bytes are read off models on torch's meta device, which has shapes and no numbers. FLOPs are counted while a
model with a vocabulary of a few pieces really runs on one short sentence; the embedding does no product, and what the output
layer would do over the whole vocabulary is added.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from seq2seq.attention.attention import Attention
from seq2seq.attention.fixed import FixedContext
from seq2seq.attention.mechanisms import SelfAttention
from seq2seq.config.model import ModelSettings
from seq2seq.config.scenes import IMAGE
from seq2seq.config.study import RunSettings
from seq2seq.config.transformer import DecoderOnlySettings
from seq2seq.corpus.images import ImageTokenizer
from seq2seq.corpus.prepare import prepare
from seq2seq.models.build import build_model
from seq2seq.models.interface import EncoderDecoder, Model, count_parameters
from seq2seq.models.limits import limit_of

BACKWARD = 3
"""A training step does the products of the forward pass once more for each of the two factors' gradients."""
_PIECES = 8
_POINTS = ((26, 26), (26, 40), (40, 26), (40, 40), (33, 40), (40, 33), (33, 33))
"""(S, T) at which FLOPs are counted for a fit; above three windows of self-attention, below which a window sees all."""
_SHORT_POINTS = ((4, 4), (4, 7), (7, 4), (7, 7), (5, 7), (7, 5), (5, 5))
"""The same for models without self-attention: exact at any length, and a recurrence takes as long as it has steps."""
_TERMS: tuple[tuple[str, Callable[[float, float], float]], ...] = (
    ("", lambda _s, _t: 1.0),
    ("S", lambda s, _t: s),
    ("T", lambda _s, t: t),
    ("S/T", lambda s, t: s / t),
    ("S^2/T", lambda s, t: s * s / t),
    ("/T", lambda _s, t: 1 / t),
)


def vocabulary_size(settings: RunSettings) -> int:
    """Return the size that the tokenizer is asked for; `auto` is known only where the training text has been read."""
    if settings.tokenizer.vocabulary_size != "auto":
        return settings.tokenizer.vocabulary_size
    prepared = prepare(settings.data, settings.tokenizer, report=lambda _: None)
    return max(prepared.source_tokenizer.vocabulary_size, prepared.target_tokenizer.vocabulary_size)


def meta_model(settings: RunSettings) -> Model:
    """Build a system's model without numbers; vocabularies are as large as the tokenizer is asked to make them."""
    pieces = vocabulary_size(settings)
    colours = ImageTokenizer().vocabulary_size
    with torch.device("meta"):
        return build_model(
            settings.model, source_vocabulary=colours if settings.data.source == IMAGE else pieces, target_vocabulary=pieces
        )


def parameters_by_block(settings: RunSettings) -> dict[str, int]:
    """Trainable parameters of a system, a shared one counted once."""
    return count_parameters(meta_model(settings))


def _count_mv(matrix: Any, *_: Any, **__: Any) -> int:
    """The product of additive attention with its v, given the shape of the matrix."""
    return int(2 * math.prod(matrix))


def _count_lstm(inputs: Any, from_input: Any, from_state: Any, *_: Any, **__: Any) -> int:
    """One direction of one LSTM layer, given the shapes (S, B, D), (4 H, D) and (4 H, H)."""
    return int(2 * math.prod(inputs[:2]) * (math.prod(from_input) + math.prod(from_state)))


_UNCOUNTED = {torch.ops.aten.mv: _count_mv, torch.ops.aten.mkldnn_rnn_layer: _count_lstm}
"""Products that torch's counter leaves out."""


class FlopCounter:
    """Counts forward FLOPs (two for each multiply-add of a product) of a system, for one sentence pair.

    Sums, tanh, softmax and normalisation are not counted, as is usual; additive attention does more of these than others.

    Args:
        settings: the system.
    """

    def __init__(self, settings: RunSettings) -> None:
        random = torch.get_rng_state()
        self._model = build_model(settings.model, source_vocabulary=_PIECES, target_vocabulary=_PIECES).eval()
        torch.set_rng_state(random)
        self._pieces = vocabulary_size(settings)
        attends_to_itself = any(isinstance(module, SelfAttention) for module in self._model.modules())
        self.points = _POINTS if attends_to_itself else _SHORT_POINTS

    @torch.no_grad()
    def per_target_token(self, source_size: int, target_size: int) -> float:
        """FLOPs of the forward pass with teacher forcing, over the number of target tokens.

        Args:
            source_size: S, source tokens with end of sentence, > 0; a picture has its own number.
            target_size: T, target tokens with end of sentence, > 0.
        """
        if isinstance(self._model, EncoderDecoder):
            source_size = self._model.encoder.source_size or source_size
        source = torch.full((1, source_size), _PIECES - 1)
        mask = torch.ones(1, source_size, dtype=torch.bool)
        inputs = torch.full((1, target_size), _PIECES - 1)
        counter = FlopCounterMode(display=False, custom_mapping=_UNCOUNTED)
        with sdpa_kernel(SDPBackend.MATH), counter:  # one kernel for a whole attention would hide its products
            self._model(source, mask, inputs)
        logits = 2 * self._model.output.in_features * self._pieces
        return counter.get_total_flops() / target_size + logits


@dataclass(frozen=True)
class FlopFormula:
    """FLOPs per target token as a polynomial of S and T, fitted to counts."""

    coefficients: tuple[float, ...]
    """Of 1, S, T, S/T, S^2/T and 1/T."""
    error: float
    """Largest relative difference between formula and count."""

    def __call__(self, source_size: int, target_size: int) -> float:
        """Evaluate at S, T."""
        return sum(c * term(source_size, target_size) for c, (_, term) in zip(self.coefficients, _TERMS, strict=True))

    def __str__(self) -> str:
        parts = [
            f"{value:,.0f}{name if name.startswith('/') else f' {name}' if name else ''}"
            for value, (name, _) in zip(self.coefficients, _TERMS, strict=True)
            if abs(value) >= 0.5
        ]
        return " + ".join(parts).replace("+ -", "- ")


def fit_flops(settings: RunSettings) -> FlopFormula:
    """Count at a few (S, T) and fit; the error says how far the mechanism is from a polynomial."""
    counter = FlopCounter(settings)
    counts = np.array([counter.per_target_token(*point) for point in counter.points])
    design = np.array([[term(*point) for _, term in _TERMS] for point in counter.points])
    weighted = design / counts[:, None]  # relative errors count, not those of the largest points
    found, *_ = np.linalg.lstsq(weighted, np.ones(len(counts)), rcond=None)
    error = float(np.abs(weighted @ found - 1).max())
    return FlopFormula(tuple(float(value) for value in found), error)


class _Kept:
    """Storages that autograd keeps for the backward pass, each once; parameters are there anyway."""

    def __init__(self, module: nn.Module) -> None:
        self._known = {parameter.untyped_storage()._cdata for parameter in module.parameters()}
        self._storages: dict[int, torch.UntypedStorage] = {}

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._known:
            self._storages[storage._cdata] = storage  # held, so that no other is given its address
        return tensor

    def bytes(self) -> int:
        return sum(storage.nbytes() for storage in self._storages.values())


def attention_bytes(settings: RunSettings, length: int) -> int | None:
    """Bytes that all attention of a system keeps for the backward pass of one pair with S = T = length, in fp32 training.

    Each attention module is run by itself on the meta device: its keys, its scores or what a fused kernel keeps in their place,
    and its inputs. None if a part has fewer positions than `length`.
    """
    model = meta_model(settings).train()
    total = 0
    for name, module in _outermost(model):
        if any(length > limit.tokens for part in module.modules() if (limit := limit_of(part))):
            return None
        kept = _Kept(module)
        with torch.device("meta"), saved_tensors_hooks(kept.pack, lambda tensor: tensor):
            if isinstance(module, SelfAttention):
                output: Any = module(torch.empty(1, length, _stack_size(settings.model, name), requires_grad=True))
            else:
                output = _ask_bridge(module, model, settings.model, length)
            total += kept.bytes()
        del output
    return total


def _ask_bridge(module: Attention | FixedContext, model: Model, settings: ModelSettings, length: int) -> Any:
    """What a bridge answers when `length` queries meet a source of `length` tokens."""
    assert isinstance(model, EncoderDecoder)
    states = model.encoder.states(length)
    memory = torch.empty(1, states, model.encoder.memory_size, requires_grad=True)
    summary = torch.empty(1, model.encoder.summary_size, requires_grad=True)
    query = torch.empty(1, length, _stack_size(settings, "decoder"), requires_grad=True)
    keys = module.project_keys(memory, torch.ones(1, states, dtype=torch.bool), summary)
    with torch.no_grad():  # a later step, for what reads its past
        past = module(query, keys, need_weights=False).past
    return module(query, keys, need_weights=False, past=past)


def _outermost(model: Model) -> list[tuple[str, Attention | FixedContext | SelfAttention]]:
    """The attention modules that stand in no other, by name."""
    found: list[tuple[str, Attention | FixedContext | SelfAttention]] = []
    for name, module in model.named_modules():
        is_inside = any(name.startswith(f"{outer}.") for outer, _ in found)
        if isinstance(module, Attention | FixedContext | SelfAttention) and not is_inside:
            found.append((name, module))
    return found


def _stack_size(settings: ModelSettings, name: str) -> int:
    """Features of a state of the encoder or decoder that the module of that name stands in."""
    if isinstance(settings, DecoderOnlySettings):
        return settings.hidden_size
    return settings.encoder.hidden_size if name.startswith("encoder.") else settings.decoder.hidden_size


def budget_of(settings: RunSettings, kind: str) -> float:
    """The number that systems are matched in: trainable parameters, or forward FLOPs per target token at S = T = 25.

    Raises:
        ValueError: `kind` is neither "parameters" nor "flops".
        UserError: the model cannot be built with these sizes.
    """
    if kind == "parameters":
        return float(sum(parameters_by_block(settings).values()))
    if kind == "flops":
        return FlopCounter(settings).per_target_token(25, 25)
    raise ValueError(f"a budget of {kind!r} is neither parameters nor flops")
