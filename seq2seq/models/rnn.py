"""Recurrent encoder and decoder, with attention before the recurrence (Bahdanau) or after it (Luong).

`none` differs from `additive` before the recurrence in nothing but the context: the same cells, the same readout, and in place
of the weighted sum of annotations the encoder's fixed vector, whatever the state asks.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.attention.attention import Attention
from seq2seq.attention.dropout import Dropout, dropout_noise
from seq2seq.attention.fixed import FixedContext
from seq2seq.attention.heads import split_heads
from seq2seq.attention.keys import AttentionOutput, Past
from seq2seq.attention.masks import barrier
from seq2seq.attention.normalisers import Softmax
from seq2seq.attention.scales import NoScale
from seq2seq.attention.scores import ProductScore
from seq2seq.attention.scores.additive import AdditiveScore
from seq2seq.attention.scores.blocks import factors
from seq2seq.attention.scores.products import BilinearScore, DotScore, ScaledDotScore
from seq2seq.attention.windows import GlobalWindow
from seq2seq.models.embedding import embed
from seq2seq.models.interface import Decoder, DecoderOutput, Encoder, Memory, State
from seq2seq.models.kernels.attention import Attended, attend_factored
from seq2seq.models.kernels.decoder import Plan, Weights, decode_stepwise
from seq2seq.models.kernels.gru import product_type
from seq2seq.models.recurrent import CellState, RecurrentLayer


class RnnEncoder(Encoder):
    """Read the source in one or both directions (Bahdanau et al. 2015, arXiv:1409.0473, section 3.2).

    Annotations are [forward; backward] states of hidden_size features each. Dropout is on embeddings and between layers.
    """

    def __init__(
        self,
        *,
        embedding: nn.Embedding,
        cell: str = "gru",
        hidden_size: int,
        bidirectional: bool = True,
        layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.dropout = Dropout(dropout)
        self.memory_size = self.summary_size = hidden_size * (2 if bidirectional else 1)
        sizes = [embedding.embedding_dim] + [self.memory_size] * (layers - 1)
        stack = nn.ModuleList(
            RecurrentLayer(cell=cell, input_size=size, hidden_size=hidden_size, bidirectional=bidirectional) for size in sizes
        )
        self.layers = cast("Sequence[RecurrentLayer]", stack)

    def forward(self, source: Tensor, mask: Tensor) -> Memory:
        """Read source tokens (B, S), mask (B, S); the summary is the last state of each direction of the top layer."""
        lengths = mask.sum(dim=1).cpu()
        states = embed(self.embedding, source)  # (B, S, E)
        summary = states[:, 0]
        for layer in self.layers:
            states, summary = layer.read(self.dropout(states), lengths)
        return Memory(states=states, mask=mask, summary=summary)


class Hypotheses(NamedTuple):
    """State of N hypotheses."""

    cells: tuple[CellState, ...]
    """One a layer."""
    fed: Tensor | None
    """(N, output_size), the attentional state to feed back; None without input feeding."""
    past: Past | None
    """What the bridge has attended to, if it reads that."""


class RnnDecoder(Decoder):
    """Write the target one state at a time, each with a context from the bridge.

    before: c_t = attend(s_{t-1}); s_t = cell([e(y_{t-1}); c_t], s_{t-1})   (Bahdanau et al. 2015, section 3.1 and A.1.2)
    after:  s_t = cell(e(y_{t-1}), s_{t-1}); c_t = attend(s_t)              (Luong et al. 2015, arXiv:1508.04025, section 3.1)
    both:   attentional state a_t = tanh(W_a [c_t; s_t])                    (Luong equation 5)
    Input feeding adds a_{t-1} to the cell's input (Luong section 3.3). Bahdanau's readout is a maxout layer over state,
    context and embedding; ours is Luong's for both placements, so that placement is the only difference. The cell is torch's
    (see `RecurrentLayer`). A fixed context may have a placement of its own: `none` stands before, so that the fixed vector
    enters cell and readout.

    Args:
        embedding: of target tokens.
        attention: the bridge; its query_size must be hidden_size.
        summary_size: features of the encoder's fixed vector, from which the first state is made.
        cell: "gru" or "lstm".
        hidden_size: H, features of the state.
        output_size: features of the attentional state.
        layers: stacked recurrences; the context enters the lowest, the top one asks.
        dropout: on embeddings, between layers and on the attentional state.
        placement: of the attention, unless the bridge has its own.
        input_feeding: feed the attentional state back.
    """

    def __init__(
        self,
        *,
        embedding: nn.Embedding,
        attention: Attention | FixedContext,
        summary_size: int,
        cell: str = "gru",
        hidden_size: int,
        output_size: int,
        layers: int = 1,
        dropout: float = 0.0,
        placement: Literal["before", "after"] = "after",
        input_feeding: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.attention = attention
        self.output_size = output_size
        self.placement = (attention.placement if isinstance(attention, FixedContext) else None) or placement
        self.input_feeding = input_feeding
        self.dropout = Dropout(dropout)
        context_size = attention.context_size
        input_size = embedding.embedding_dim
        input_size += context_size if self.placement == "before" else 0
        input_size += output_size if input_feeding else 0
        sizes = [input_size] + [hidden_size] * (layers - 1)
        stack = nn.ModuleList(RecurrentLayer(cell=cell, input_size=size, hidden_size=hidden_size) for size in sizes)
        self.layers = cast("Sequence[RecurrentLayer]", stack)
        self.start_proj = nn.Linear(summary_size, hidden_size * layers)
        self.readout = nn.Linear(context_size + hidden_size, output_size, bias=False)

    def start(self, memory: Memory) -> State:
        """First state s_0 = tanh(W_s summary) a layer; an LSTM's inner cells start at zero.

        Bahdanau (A.2.2) takes the backward direction's last state alone; our summary is the last states of both directions.
        """
        state = self._start(memory)
        if not torch.is_grad_enabled() and attends_additively(self) and bool(memory.mask.any(dim=1).all()):
            keys = state.sentence
            factored = Attended(factors(keys.keys[:, 0]), keys.values[:, 0], barrier(keys.mask, keys.keys.dtype))
            return replace(state, sentence=factored)
        return state

    def _start(self, memory: Memory) -> State:
        keys = self.attention.project_keys(memory.states, memory.mask, memory.summary, memory.segments)
        first = torch.tanh(self.start_proj(memory.summary)).chunk(len(self.layers), dim=-1)
        states = tuple(CellState(h, torch.zeros_like(h) if self.layers[0].is_lstm else None) for h in first)
        fed = first[0].new_zeros(first[0].shape[0], self.output_size) if self.input_feeding else None
        return State(sentence=keys, hypothesis=Hypotheses(states, fed, None), position=0)

    def step(self, tokens: Tensor, state: State, need_weights: bool = False) -> tuple[Tensor, State, Tensor | None]:
        gates = self.layers[0].project(self.dropout(embed(self.embedding, tokens)))
        return self._advance(gates, state, need_weights)

    def forward(self, memory: Memory, inputs: Tensor, need_weights: bool = False) -> DecoderOutput:
        """Teacher forcing: all at once where no step needs the one before, else a loop with everything else taken out of it."""
        state = self._start(memory)
        embedded = self.dropout(embed(self.embedding, inputs))  # (B, T, E)
        if has_kernel(self, need_weights) and bool(memory.mask.any(dim=1).all()):
            return DecoderOutput(features=run_kernel(self, embedded, state), weights=None)
        free = isinstance(self.attention, FixedContext)
        if self.input_feeding or self.attention.reads_past or (self.placement == "before" and not free):
            return self._loop(embedded, state, need_weights)
        return self._unroll(embedded, state, need_weights)

    def _unroll(self, embedded: Tensor, state: State, need_weights: bool) -> DecoderOutput:
        states, seen, context = embedded, None, None
        if self.placement == "before":  # only fixed contexts come here: they need no query
            seen = self.attention(embedded, state.sentence, need_weights=need_weights)
            context = _once(seen.context)
        for index, (layer, cell) in enumerate(zip(self.layers, state.hypothesis.cells, strict=True)):
            states = layer.unroll(self.dropout(states) if index else states, cell, None if index else context)  # (B, T, H)
        if seen is None:
            seen = self.attention(states, state.sentence, need_weights=need_weights)
        features = self._read_out(_once(seen.context), states)  # (B, T, output_size)
        return DecoderOutput(features=self.dropout(features), weights=_mean_over_heads(seen.weights))

    def _read_out(self, context: Tensor, states: Tensor) -> Tensor:
        """Return the attentional states tanh(W_a [c; s]) of contexts (..., C) and states (..., H)."""
        of_context, of_state = self.readout.weight.tensor_split([context.shape[-1]], dim=1)
        return torch.tanh(functional.linear(context, of_context) + functional.linear(states, of_state))

    def _loop(self, embedded: Tensor, state: State, need_weights: bool) -> DecoderOutput:
        gates = self.layers[0].project(embedded)  # (B, T, gates * H), the share of all steps that needs no state
        outputs, weights = [], []
        for gate in gates.unbind(dim=1):
            output, state, weight = self._advance(gate, state, need_weights)
            outputs.append(output)
            weights.append(weight)
        stacked = torch.stack([w for w in weights if w is not None], dim=1) if need_weights else None  # (B, T, S)
        return DecoderOutput(features=torch.stack(outputs, dim=1), weights=stacked)

    def _advance(self, gates: Tensor, state: State, need_weights: bool) -> tuple[Tensor, State, Tensor | None]:
        """One step for N rows, given the gates' share of the embedding; returns what `step` returns."""
        cells, fed, _ = state.hypothesis
        first, used = self.layers[0], self.embedding.embedding_dim
        seen = None
        if self.placement == "before":
            seen = self._ask(cells[-1].hidden, state, need_weights)
            gates = gates + first.project(seen.context, used, bias=False)
            used += seen.context.shape[-1]
        if fed is not None:
            gates = gates + first.project(fed, used, bias=False)
        following = [first.step(gates, cells[0])]
        for layer, cell in zip(list(self.layers)[1:], cells[1:], strict=True):
            following.append(layer.step(layer.project(self.dropout(following[-1].hidden)), cell))
        top = following[-1].hidden
        if seen is None:
            seen = self._ask(top, state, need_weights)
        output = self.dropout(self._read_out(seen.context, top))  # (N, output_size)
        hypotheses = Hypotheses(tuple(following), output if self.input_feeding else None, seen.past)
        return output, replace(state, hypothesis=hypotheses, position=state.position + 1), seen.weights

    def _ask(self, query: Tensor, state: State, need_weights: bool) -> AttentionOutput:
        """Attend with N = B * K rows at one position: (N, H) -> contexts (N, context_size), weights (N, S)."""
        keys = state.sentence
        grouped = query.view(len(keys.values), -1, query.shape[-1])  # (B, K, H)
        if isinstance(keys, Attended):
            score = cast("AdditiveScore", self.attention.score)
            context, weights = attend_factored(functional.linear(grouped, score.query_proj.weight[0]), score.v[0], keys)
            return AttentionOutput(context.flatten(0, 1), weights.flatten(0, 1) if need_weights else None)
        positions = torch.full((grouped.shape[1],), state.position, device=query.device)
        past = state.hypothesis.past
        seen = self.attention(grouped, keys, positions=positions, need_weights=need_weights, past=past)
        mean = _mean_over_heads(seen.weights)
        return AttentionOutput(seen.context.flatten(0, 1), None if mean is None else mean.flatten(0, 1), seen.past)


def _once(context: Tensor) -> Tensor:
    """(B, T, C), or (B, 1, C) where every step has the same context, expanded."""
    return context[:, :1] if context.stride(1) == 0 else context


def _mean_over_heads(weights: Tensor | None) -> Tensor | None:
    """(B, H, Q, S) to (B, Q, S)."""
    return None if weights is None else weights.mean(dim=1)


def attends_additively(decoder: RnnDecoder) -> bool:
    """Whether the bridge is plain additive attention with one head."""
    attention = decoder.attention
    return (
        isinstance(attention, Attention)
        and _is_plain(attention)
        and type(attention.score) is AdditiveScore
        and attention.score.gain is None
        and type(attention.scale) is NoScale
        and (attention.heads, attention.query_proj, attention.output_proj) == (1, None, None)
    )


def _is_plain(attention: Attention) -> bool:
    """Whether everything but score and scale is as in the papers that began."""
    parts = (type(attention.normaliser), type(attention.window), attention.gates)
    return parts == (Softmax, GlobalWindow, None) and not (attention.dropout and attention.training)


def _attends_by_products(decoder: RnnDecoder) -> bool:
    """Whether the bridge is a product of query and keys, each projected by a matrix."""
    attention = decoder.attention
    linear = (DotScore, ScaledDotScore, BilinearScore)
    return isinstance(attention, Attention) and type(attention.score) in linear and _is_plain(attention)


def _query_weight(attention: Attention, like: Tensor) -> Tensor:
    """Everything done to a query of Q features, as many as columns of `like`, before the product: one matrix (H * D, Q)."""
    if attention.query_proj is None:
        each = torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)
    else:
        each = attention.query_proj.weight.t()  # what the query (1, 0, ...) becomes, and so on
    heads = split_heads(each.unsqueeze(0), attention.heads)  # (1, H, Q, D)
    asked: Tensor = attention.scale(cast("ProductScore", attention.score).project_query(heads))
    return asked[0].transpose(1, 2).flatten(0, 1)


def has_kernel(decoder: RnnDecoder, need_weights: bool) -> bool:
    """Whether `decode_stepwise` computes this decoder's teacher forcing, and is wanted."""
    return (
        (len(decoder.layers), decoder.layers[0].is_lstm) == (1, False)
        and (decoder.input_feeding or decoder.placement == "before")
        and not need_weights
        and (attends_additively(decoder) or _attends_by_products(decoder))
    )


def run_kernel(decoder: RnnDecoder, embedded: Tensor, state: State) -> Tensor:
    """`RnnDecoder._loop` in one operation: embeddings (B, T, E) to features (B, T, output_size)."""
    keys, layer, attention = state.sentence, decoder.layers[0], cast("Attention", decoder.attention)
    weight, recurrent, _, bias = layer.first_direction()
    steps, is_before = embedded.transpose(0, 1), decoder.placement == "before"
    extra, readout, context = weight[:, steps.shape[-1] :], decoder.readout.weight, attention.context_size
    if isinstance(attention.score, AdditiveScore):
        heads, query, v = 0, attention.score.query_proj.weight[0], attention.score.v[0]
        attended = Attended(keys.keys[:, 0], keys.values[:, 0], barrier(keys.mask, weight.dtype))
    else:
        heads, query = attention.heads, _query_weight(attention, recurrent)
        v, attended = query.new_empty(0), Attended(keys.keys, keys.values, barrier(keys.mask, weight.dtype))
    if attention.output_proj is not None:  # into what reads the context: one product a batch in place of one a step
        merged = attention.output_proj.weight
        readout = torch.cat([readout[:, :context] @ merged, readout[:, context:]], dim=1)
        if is_before:
            extra = torch.cat([extra[:, :context] @ merged, extra[:, context:]], dim=1)
    noise = None
    if decoder.training and decoder.dropout.p:
        noise = dropout_noise((*steps.shape[:2], decoder.output_size), decoder.dropout.p, weight.dtype, weight.device)
    gates = layer.project(steps)
    plan = Plan(before=is_before, feeding=decoder.input_feeding, product=product_type(gates), heads=heads)
    weights = Weights(query=query, v=v, extra=extra, recurrent=recurrent, recurrent_bias=bias, readout=readout)
    return decode_stepwise(plan, gates, state.hypothesis.cells[0].hidden, noise, attended, weights).transpose(0, 1)
