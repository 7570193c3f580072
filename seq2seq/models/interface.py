"""The one interface of every model: encode a source, start a decoder on it, take steps, or take all steps at once.

`encode(source) -> Memory`, `start(memory) -> State`, `step(tokens, state) -> StepOutput`, and the teacher-forced `forward`,
which must equal repeated steps. A state is a value: it can be re-indexed, so one beam search serves every model.

Rows. A search keeps K hypotheses for each of B sentences in N = B * K rows, sentence by sentence. What belongs to a sentence
(its keys and values) is stored once, in B rows; what belongs to a hypothesis in N rows. Attention views its N queries as
(B, K, D), so keys are neither projected nor copied per hypothesis.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.corpus.tokenizer import EOS


class Memory(NamedTuple):
    """Encoding of B sentences."""

    states: Tensor
    """(B, S, memory_size), the annotations h_j; rows past a sentence's end are zero."""
    mask: Tensor
    """(B, S), True at real tokens (end of sentence included)."""
    summary: Tensor
    """(B, summary_size), the fixed vector: the last state of each direction (RNN), else the mean over real tokens."""
    segments: Tensor | None = None
    """(B, S), the segment of each token, from 0: every end of sentence ends one. None for pictures."""
    caches: tuple[Any, ...] = ()
    """What a decoder-only stack has computed over the source, one entry a layer; empty for encoders."""


def mean_memory(states: Tensor, mask: Tensor, caches: tuple[Any, ...] = ()) -> Memory:
    """Make a memory of states (B, S, D) whose fixed vector is their mean over the real tokens of `mask` (B, S)."""
    real = states * mask.unsqueeze(-1).to(states.dtype)
    lengths = mask.sum(dim=1, keepdim=True).clamp_min(1)  # (B, 1)
    return Memory(states=real, mask=mask, summary=real.sum(dim=1) / lengths, caches=caches)


def index_rows(value: Any, rows: Tensor) -> Any:
    """Pick rows (dimension 0) of every tensor in a nest of tuples; None stays None, and `select_rows` goes first."""
    if value is None:
        return None
    if isinstance(value, Tensor):
        return value.index_select(0, rows)
    if hasattr(value, "select_rows"):
        return value.select_rows(rows)
    picked = [index_rows(item, rows) for item in value]
    return type(value)(*picked) if hasattr(value, "_fields") else tuple(picked)


@dataclass(frozen=True)
class State:
    """State of a decoder: `sentence` holds (nested tuples of) tensors with B rows, `hypothesis` with N = B * K rows."""

    sentence: Any
    hypothesis: Any
    position: int
    """Index of the target position that the next `step` predicts, the same for all rows; 0 after `start`."""
    output: Tensor | None = None
    """The output layer as `Model.folded_output` gives it, for all steps of a search; None to use it as it is."""

    def select(self, rows: Tensor, sentences: Tensor | None = None) -> Self:
        """Keep the hypothesis rows `rows` (N',), in that order, and, if given, only the sentences `sentences` (B',)."""
        sentence = self.sentence if sentences is None else index_rows(self.sentence, sentences)
        return replace(self, sentence=sentence, hypothesis=index_rows(self.hypothesis, rows))


class StepOutput(NamedTuple):
    """Result of one step of decoding for N hypotheses."""

    logits: Tensor
    """(N, V), over the target vocabulary."""
    state: State
    weights: Tensor | None
    """(N, S), attention over the source, the mean over heads; None when not asked for."""


class DecoderOutput(NamedTuple):
    """Result of a teacher-forced pass, before the output layer (so that padding never costs logits)."""

    features: Tensor
    """(B, T, output_size)."""
    weights: Tensor | None
    """(B, T, S), the mean over heads; None when not asked for."""


class Model(nn.Module):
    """A model that trains and decodes; everything after the layers knows only this."""

    output: nn.Linear
    """The output layer: features (..., output_size) to logits (..., V)."""

    @property
    def device(self) -> torch.device:
        """Device of its weights."""
        return self.output.weight.device

    def encode(self, source: Tensor, mask: Tensor) -> Memory:
        """Read source tokens (B, S) with their mask (B, S), True at real tokens."""
        raise NotImplementedError

    def start(self, memory: Memory) -> State:
        """Return the decoder's state before the first target token, with one hypothesis a sentence."""
        raise NotImplementedError

    def step(self, tokens: Tensor, state: State, need_weights: bool = False) -> StepOutput:
        """Feed the previous target token of each row (N,) (the first is bos) and predict the next."""
        raise NotImplementedError

    def decode(self, memory: Memory, inputs: Tensor, need_weights: bool = False) -> DecoderOutput:
        """Run over known target inputs (B, T), bos first; position t sees inputs 0..t only."""
        raise NotImplementedError

    def logits(self, features: Tensor, folded: Tensor | None = None) -> Tensor:
        """Map features (..., output_size) to logits (..., V), given a `folded_output` by that."""
        logits: Tensor = self.output(features) if folded is None else functional.pad(features, (0, 1), value=1.0) @ folded
        return logits

    def folded_output(self) -> Tensor | None:
        """Return matrix and bias of the output layer in one (output_size + 1, V), as a CPU multiplies it fastest, or None.

        Turned round and with the bias in the product a step of beam search takes a quarter less there.
        """
        weight, bias = self.output.weight, self.output.bias
        if torch.is_grad_enabled() or weight.device.type != "cpu":
            return None
        return torch.cat([weight, bias.unsqueeze(1)], dim=1).t().contiguous()

    def forward(self, source: Tensor, mask: Tensor, inputs: Tensor, need_weights: bool = False) -> DecoderOutput:
        """Encode and decode with teacher forcing; features of padded target positions are meaningless, never NaN."""
        return self.decode(self.encode(source, mask), inputs, need_weights)


class Encoder(nn.Module):
    """Reads a source; built with its own source embedding."""

    memory_size: int
    """Features of `Memory.states`."""
    summary_size: int
    """Features of `Memory.summary`."""
    source_size: int | None = None
    """Tokens of every source where all are of one size, as pictures are; None where they vary."""
    memory_length: int | None = None
    """Positions of every `Memory`, which need not be one a token, where all are of one size; None where they vary."""

    def forward(self, source: Tensor, mask: Tensor) -> Memory:
        """Read source tokens (B, S), mask (B, S) True at real tokens."""
        raise NotImplementedError


class Decoder(nn.Module):
    """Writes a target; built with its own target embedding; stops before the output layer."""

    output_size: int
    """Features per target position."""

    def start(self, memory: Memory) -> State:
        """Return the state before the first target token, one hypothesis a sentence."""
        raise NotImplementedError

    def step(self, tokens: Tensor, state: State, need_weights: bool = False) -> tuple[Tensor, State, Tensor | None]:
        """Feed tokens (N,), return features (N, output_size), the next state and weights (N, S) or None."""
        raise NotImplementedError

    def forward(self, memory: Memory, inputs: Tensor, need_weights: bool = False) -> DecoderOutput:
        """Run over known inputs (B, T); equals T calls of `step`."""
        raise NotImplementedError


class EncoderDecoder(Model):
    """An encoder, a decoder and an output layer, each of any kind."""

    def __init__(self, *, encoder: Encoder, decoder: Decoder, output: nn.Linear) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.output = output

    def encode(self, source: Tensor, mask: Tensor) -> Memory:
        memory: Memory = self.encoder(source, mask)
        if self.encoder.source_size is not None:
            return memory
        ends = (source == EOS).long()
        return memory._replace(segments=(ends.cumsum(dim=1) - ends).masked_fill(~mask, 0))

    def start(self, memory: Memory) -> State:
        return replace(self.decoder.start(memory), output=self.folded_output())

    def step(self, tokens: Tensor, state: State, need_weights: bool = False) -> StepOutput:
        features, following, weights = self.decoder.step(tokens, state, need_weights)
        return StepOutput(logits=self.logits(features, state.output), state=following, weights=weights)

    def decode(self, memory: Memory, inputs: Tensor, need_weights: bool = False) -> DecoderOutput:
        output: DecoderOutput = self.decoder(memory, inputs, need_weights)
        return output


def count_parameters(model: Model) -> dict[str, int]:
    """Return trainable parameters by block, a shared one counted once, under its first name."""
    blocks: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            block = ".".join(name.split(".")[:2])
            blocks[block] = blocks.get(block, 0) + parameter.numel()
    return blocks
