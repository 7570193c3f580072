"""The recurrence of an attentional GRU decoder, its attention additive or a product, as one differentiable operation.

Where each step needs the one before (input feeding, or attention before the recurrence), autograd would keep dozens of small
tensors a step, among them the (B, S, A) inside of the additive score. Here the steps write into arrays made once, the inside of
the score is computed again on the backward pass, and each weight has its gradient from one product over all T * B rows.

The formulas are those of `RnnDecoder` and its attention; this file computes them in another order and adds none.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seq2seq.models.kernels.attention import AdditiveAttention, Attended, ProductAttention
from seq2seq.models.kernels.gru import (
    FusedGruSteps,
    Gates,
    GruSteps,
    add_product,
    affine,
    multiply,
    plus_product,
    transposed_product,
    write_product,
)

_tanh_backward = torch.ops.aten.tanh_backward.grad_input


class Weights(NamedTuple):
    """All parameters of the recurrence."""

    query: Tensor
    """(A, H), W_q."""
    v: Tensor
    """(A,) of additive attention, (0,) of a product."""
    extra: Tensor
    """(3 H, X), the columns of W_i for the inputs that a step makes: the context (before), the attentional state (feeding)."""
    recurrent: Tensor
    """(3 H, H), W_h."""
    recurrent_bias: Tensor
    """(3 H,), b_h."""
    readout: Tensor
    """(O, C + H), W_a."""


@dataclass(frozen=True)
class Plan:
    """Order of the parts of a step."""

    before: bool
    """Attention stands before the recurrence."""
    feeding: bool
    """The attentional state is fed back."""
    product: torch.dtype
    """Of products; everything else has the type of the weights."""
    heads: int
    """Of attention by products; 0 for additive attention."""


class Steps(NamedTuple):
    """Tensors that T steps keep for the backward pass, those of attention with N rows: B, or B * heads of a product."""

    states: Tensor
    """(T + 1, B, H), the first state and those after each step."""
    joined: Tensor
    """(T + 1, B, C + H), [c; s] in the type of products, no context at first; holds `states` if of their type."""
    asked: Tensor
    """(T, B, A), what attention makes of a query."""
    weights: Tensor
    """(T, N, S)."""
    squashed: Tensor
    """(T, B, O), the attentional state before dropout."""


class _Recurrence:
    """The steps, and the steps back, given what the steps and those of the GRU have kept."""

    def __init__(
        self,
        plan: Plan,
        weights: Weights,
        attended: Attended,
        first: Tensor,
        count: int,
        kept: Steps | None = None,
        of_gru: tuple[Tensor, ...] = (),
    ) -> None:
        self.plan, self.weights = plan, weights
        matrices = ("query", "extra", "recurrent", "readout")  # in the type of products: cast once, not every step
        self.tables = weights._replace(**{name: getattr(weights, name).to(plan.product) for name in matrices})
        attention = ProductAttention if plan.heads else AdditiveAttention
        self.attention: AdditiveAttention | ProductAttention = attention(self.tables.query, weights.v, attended)
        self.size = self.attention.context_size
        self.by_context, self.by_fed = self.tables.extra.tensor_split([self.size if plan.before else 0], dim=1)
        self.kept = kept or self._begin(first, count, attended.blocked.shape[1])
        self.factors = self.kept.joined[..., self.size :]  # the states in the type of products
        if first.is_cuda:
            self.gru: GruSteps = FusedGruSteps(of_gru)
        else:
            self.gru = GruSteps(Gates(*of_gru) if of_gru else Gates.empty(first, count, len(first), size=first.shape[1]))

    def _begin(self, first: Tensor, count: int, length: int) -> Steps:
        """Make room for `count` steps from the state `first` (B, H)."""
        (rows, width), asked = first.shape, self.attention
        joined = first.new_zeros(count + 1, rows, self.size + width, dtype=self.plan.product)
        factors = joined[..., self.size :]
        states = factors if joined.dtype == first.dtype else first.new_empty(count + 1, rows, width)
        states[0] = factors[0] = first
        queries, weights = first.new_empty(count, rows, asked.asked_size), first.new_empty(count, asked.rows, length)
        return Steps(states, joined, queries, weights, first.new_empty(count, rows, len(self.weights.readout)))

    def run(self, gates: Tensor, noise: Tensor | None) -> Tensor:
        """Take all steps, given the embeddings' share of the gates (T, B, 3 H); return the attentional states (T, B, O)."""
        plan, tables, kept, size, factors = self.plan, self.tables, self.kept, self.size, self.factors
        outputs = kept.squashed if noise is None else torch.empty_like(kept.squashed)
        of_context, of_fed, of_output = self.by_context.t(), self.by_fed.t(), tables.readout.t()
        for t, entering in enumerate(gates.unbind()):
            row, contexts = kept.joined[t + 1], kept.joined[t + 1, :, :size]
            if plan.before:
                contexts.copy_(self.attention.attend(factors[t], kept.asked[t], kept.weights[t]))
                entering = plus_product(entering, contexts, of_context)
            if plan.feeding and t:
                entering = plus_product(entering, outputs[t - 1], of_fed)
            recurrent = affine(factors[t], tables.recurrent, self.weights.recurrent_bias)
            self.gru.forward(t, entering, recurrent, kept.states[t], kept.states[t + 1])
            if factors.dtype != kept.states.dtype:
                factors[t + 1] = kept.states[t + 1]
            if not plan.before:
                contexts.copy_(self.attention.attend(factors[t + 1], kept.asked[t], kept.weights[t]))
            torch.tanh(multiply(row, of_output).to(outputs.dtype), out=kept.squashed[t])
            if noise is not None:
                torch.mul(kept.squashed[t], noise[t], out=outputs[t])
        return outputs

    def undo(self, grads: Tensor, noise: Tensor | None) -> tuple["_Found", Tensor]:
        """Undo all steps, from the gradients of the attentional states (T, B, O); return that of the first state (B, H) too."""
        plan, tables, kept, size = self.plan, self.tables, self.kept, self.size
        self.attention.begin_backward(len(grads))
        by_gates = grads.new_empty(*grads.shape[:2], len(self.weights.recurrent))
        by_joined = grads.new_empty(kept.joined[1:].shape)
        found = _Found(by_gates, torch.empty_like(by_gates), torch.empty_like(kept.squashed), by_joined)
        carried = torch.zeros_like(kept.states[0])
        for t in range(len(grads) - 1, -1, -1):
            by_output = grads[t]
            if plan.feeding and t + 1 < len(grads):
                by_output = plus_product(by_output, found.gates[t + 1], self.by_fed)
            if noise is not None:
                by_output = by_output * noise[t]
            _tanh_backward(by_output, kept.squashed[t], grad_input=found.readout[t])
            write_product(found.readout[t], tables.readout, found.joined[t])
            by_context, by_state = found.joined[t].tensor_split([size], dim=1)
            carried = carried + by_state
            if not plan.before:
                self.attention.backward(t, kept.asked[t], kept.weights[t], by_context, carried)
            carried = self.gru.backward(t, carried, kept.states[t], found.gates[t], found.recurrent[t])
            add_product(carried, found.recurrent[t], tables.recurrent)
            if plan.before:
                add_product(by_context, found.gates[t], self.by_context)
                self.attention.backward(t, kept.asked[t], kept.weights[t], by_context, carried)
        return found, carried

    def gradients(self, outputs: Tensor, found: "_Found") -> tuple[Tensor, Tensor, Weights]:
        """Of keys, values and all weights, once every step is undone."""
        product, kept, size = self.plan.product, self.kept, self.size
        by_keys, by_values = self.attention.gradients(kept.asked, kept.weights, found.joined[..., :size])
        queries = self.factors[:-1] if self.plan.before else self.factors[1:]
        by_query, by_v = self.attention.gradients_of_weights(queries, product)
        entered = []
        if self.plan.before:
            entered.append(transposed_product(found.gates, kept.joined[1:, :, :size], product))
        if self.plan.feeding:
            entered.append(transposed_product(found.gates[1:], outputs[:-1], product))
        by_weights = Weights(
            query=by_query,
            v=by_v,
            extra=torch.cat(entered, dim=1),
            recurrent=transposed_product(found.recurrent, self.factors[:-1], product),
            recurrent_bias=found.recurrent.flatten(0, 1).sum(dim=0),
            readout=transposed_product(found.readout, kept.joined[1:], product),
        )
        return by_keys, by_values, by_weights


class _Found(NamedTuple):
    """Gradients of each step."""

    gates: Tensor
    """(T, B, 3 H), of the gates' inputs."""
    recurrent: Tensor
    """(T, B, 3 H), of W_h h + b_h."""
    readout: Tensor
    """(T, B, O), of W_a [c; s]."""
    joined: Tensor
    """(T, B, C + H), of [c; s]."""


class _Decoder(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plan: Plan, gates: Tensor, first: Tensor, noise: Tensor | None, *parts: Tensor) -> Tensor:
        recurrence = _Recurrence(plan, Weights(*parts[3:]), Attended(*parts[:3]), first, len(gates))
        outputs = recurrence.run(gates, noise)
        ctx.save_for_backward(outputs, noise, first, *parts, *recurrence.kept, *recurrence.gru.kept)
        ctx.plan = plan
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grads: Tensor) -> tuple[Tensor | None, ...]:
        outputs, noise, first, *saved = ctx.saved_tensors
        attended, weights, kept, of_gru = Attended(*saved[:3]), Weights(*saved[3:9]), Steps(*saved[9:14]), tuple(saved[14:])
        recurrence = _Recurrence(ctx.plan, weights, attended, first, len(grads), kept, of_gru)
        with torch.autocast(grads.device.type, enabled=False):
            found, by_first = recurrence.undo(grads, noise)
            by_keys, by_values, by_weights = recurrence.gradients(outputs, found)
        return None, found.gates, by_first, None, by_keys, by_values, None, *by_weights


def decode_stepwise(
    plan: Plan, gates: Tensor, first: Tensor, noise: Tensor | None, memory: Attended, weights: Weights
) -> Tensor:
    """Run the decoder over T known inputs.

    Args:
        plan: order of the parts of a step.
        gates: (T, B, 3 H), the share of the embeddings in the gates' inputs, bias included.
        first: (B, H), the state before the first step.
        noise: (T, B, O), what attentional states are multiplied with (dropout); None for nothing.
        memory: of B sentences.
        weights: of the recurrence.

    Returns:
        (T, B, O), the attentional states, after dropout.
    """
    kind = weights.recurrent.dtype
    with torch.autocast(gates.device.type, enabled=False):
        parts = [part.to(kind) for part in (*memory, *weights)]
        noise = None if noise is None else noise.to(kind)
        states: Tensor = _Decoder.apply(plan, gates.to(kind), first.to(kind), noise, *parts)  # type: ignore[no-untyped-call]
    return states
