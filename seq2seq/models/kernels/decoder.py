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

from seq2seq.models.kernels.additive import AdditiveAttention, Attended
from seq2seq.models.kernels.gru import Gates, affine, gru_backward, gru_forward, multiply, product_type, transposed_product
from seq2seq.models.kernels.product import ProductAttention

_tanh_backward = torch.ops.aten.tanh_backward


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
    """Tensors that T steps keep for the backward pass."""

    states: Tensor
    """(T + 1, B, H), the first state and those after each step."""
    factors: Tensor
    """(T + 1, B, H), the states in the type of products, as are the next two: where that is theirs, the same array."""
    extras: Tensor
    """(T + 1, B, X), what the gates of each step were given besides the embedding; one step more than is used."""
    joined: Tensor
    """(T, B, C + H), [c; s]."""
    weights: Tensor
    """(T, B, S); (T, B, heads, S) of a product."""
    squashed: Tensor
    """(T, B, O), the attentional state before dropout."""
    reset_update: Tensor
    """(T, B, 2 H): this and the next two are the parts of `Gates`."""
    new: Tensor
    """(T, B, H)."""
    recurrent_new: Tensor
    """(T, B, H)."""

    @property
    def gates(self) -> Gates:
        """Of all steps."""
        return Gates(self.reset_update, self.new, self.recurrent_new)


class _Recurrence:
    """The steps, and the steps back."""

    def __init__(self, plan: Plan, weights: Weights, attended: Attended) -> None:
        self.plan, self.weights = plan, weights
        self.tables = _tables(weights, plan.product)
        self.attention: AdditiveAttention | ProductAttention
        if plan.heads:
            self.attention = ProductAttention(self.tables.query, attended)
        else:
            self.attention = AdditiveAttention(self.tables.query, self.tables.v, attended)
        self.context_size = attended.values.shape[-1] * max(1, plan.heads)

    def begin(self, count: int, first: Tensor) -> Steps:
        """Make room for `count` steps from the state `first` (B, H)."""
        (rows, size), product = first.shape, self.plan.product
        heads, length = (self.plan.heads,) if self.plan.heads else (), self.attention.attended.blocked.shape[1]
        states = first.new_empty(count + 1, rows, size)
        factors = states if states.dtype == product else torch.empty_like(states, dtype=product)
        states[0] = factors[0] = first
        return Steps(
            states,
            factors,
            first.new_zeros(count + 1, rows, self.weights.extra.shape[1], dtype=product),
            first.new_empty(count, rows, self.context_size + size, dtype=product),
            first.new_empty(count, rows, *heads, length),
            first.new_empty(count, rows, len(self.weights.readout)),
            *Gates.empty(first, count, rows, size=size),
        )

    def step(self, t: int, gates: Tensor, kept: Steps, noise: Tensor | None, output: Tensor) -> None:
        """Take step t, given the embedding's share of its gates (B, 3 H); the attentional state goes to `output` (B, O)."""
        plan, tables, size = self.plan, self.tables, self.context_size
        state, following = kept.states[t], kept.states[t + 1]
        if plan.before:
            kept.extras[t, :, :size] = context = self.attention.attend(kept.factors[t], kept.weights[t])
        entering = multiply(kept.extras[t], tables.extra.t()) + gates
        recurrent = affine(kept.factors[t], tables.recurrent, self.weights.recurrent_bias)
        gru_forward(entering, recurrent, state, kept.gates.at(t), following)
        if kept.factors.dtype != kept.states.dtype:
            kept.factors[t + 1] = following
        if not plan.before:
            context = self.attention.attend(kept.factors[t + 1], kept.weights[t])
        kept.joined[t, :, :size] = context
        kept.joined[t, :, size:] = following
        torch.tanh(multiply(kept.joined[t], tables.readout.t()).to(state.dtype), out=kept.squashed[t])
        if noise is not None:
            torch.mul(kept.squashed[t], noise[t], out=output)
        if plan.feeding:
            kept.extras[t + 1, :, size if plan.before else 0 :] = output

    def undo(self, t: int, kept: Steps, by_output: Tensor, carried: Tensor, found: "_Found") -> tuple[Tensor, Tensor]:
        """Undo step t: from the gradients of its output before dropout (B, O) and of the state after it (B, H).

        Returns:
            The gradients of the state before it (B, H) and of what was fed in (B, O), which is empty without feeding.
        """
        plan, tables, size = self.plan, self.tables, self.context_size
        found.readout[t] = _tanh_backward(by_output, kept.squashed[t])
        by_context, by_state = multiply(found.readout[t], tables.readout).to(carried.dtype).tensor_split([size], dim=1)
        carried = carried + by_state
        if not plan.before:
            carried += self.attention.backward(t, kept.factors[t + 1], kept.weights[t], by_context)
        carried = gru_backward(carried, kept.states[t], kept.gates.at(t), found.gates[t], found.recurrent[t])
        carried += multiply(found.recurrent[t], tables.recurrent)
        by_extra = multiply(found.gates[t], tables.extra).to(carried.dtype)
        if plan.before:
            by_context, by_extra = by_context + by_extra[:, :size], by_extra[:, size:]
            carried += self.attention.backward(t, kept.factors[t], kept.weights[t], by_context)
        return carried, by_extra

    def gradients(self, kept: Steps, found: "_Found") -> tuple[Tensor, Tensor, Weights]:
        """Of keys, values and all weights, once every step is undone."""
        product = self.plan.product
        asked = kept.factors[:-1] if self.plan.before else kept.factors[1:]
        by_keys, by_values = self.attention.gradients(kept.weights, asked)
        by_weights = Weights(
            query=transposed_product(self.attention.by_query, asked, product),
            v=self.attention.by_v.squeeze(0) * -2 if isinstance(self.attention, AdditiveAttention) else self.weights.v,
            extra=transposed_product(found.gates, kept.extras[:-1], product),
            recurrent=transposed_product(found.recurrent, kept.factors[:-1], product),
            recurrent_bias=found.recurrent.flatten(0, 1).sum(dim=0),
            readout=transposed_product(found.readout, kept.joined, product),
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


class _Decoder(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plan: Plan, gates: Tensor, first: Tensor, noise: Tensor | None, *parts: Tensor) -> Tensor:
        attended, weights = Attended(*parts[:3]), Weights(*parts[3:])
        recurrence = _Recurrence(plan, weights, attended)
        kept = recurrence.begin(len(gates), first)
        outputs = kept.squashed if noise is None else torch.empty_like(kept.squashed)
        for t in range(len(gates)):
            recurrence.step(t, gates[t], kept, noise, outputs[t])
        ctx.save_for_backward(noise, *parts, *kept)
        ctx.plan = plan
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grads: Tensor) -> tuple[Tensor | None, ...]:
        noise, *saved = ctx.saved_tensors
        attended, weights, kept = Attended(*saved[:3]), Weights(*saved[3:9]), Steps(*saved[9:])
        recurrence = _Recurrence(ctx.plan, weights, attended)
        recurrence.attention.begin_backward(len(grads))
        by_gates = grads.new_empty(*grads.shape[:2], len(weights.recurrent))
        found = _Found(by_gates, torch.empty_like(by_gates), torch.empty_like(kept.squashed))
        carried, by_fed = torch.zeros_like(kept.states[0]), None
        for t in range(len(grads) - 1, -1, -1):
            by_output = grads[t] if by_fed is None else grads[t] + by_fed
            by_output = by_output if noise is None else by_output * noise[t]
            carried, by_extra = recurrence.undo(t, kept, by_output, carried, found)
            by_fed = by_extra if ctx.plan.feeding else None
        by_keys, by_values, by_weights = recurrence.gradients(kept, found)
        return None, found.gates, carried, None, by_keys, by_values, None, *by_weights


def _tables(weights: Weights, product: torch.dtype) -> Weights:
    """The weights that are multiplied, in the type of products: cast once, not every step."""
    matrices = ("query", "extra", "recurrent", "readout")
    return weights._replace(**{name: getattr(weights, name).to(product) for name in matrices})


def decode_stepwise(
    gates: Tensor,
    first: Tensor,
    memory: Attended,
    weights: Weights,
    *,
    before: bool,
    feeding: bool,
    heads: int = 0,
    noise: Tensor | None = None,
) -> Tensor:
    """Run the decoder over T known inputs.

    Args:
        gates: (T, B, 3 H), the share of the embeddings in the gates' inputs, bias included.
        first: (B, H), the state before the first step.
        memory: of B sentences.
        weights: of the recurrence.
        before: attention stands before the recurrence.
        feeding: the attentional state enters the next step.
        heads: of attention by products; 0 for additive attention.
        noise: (T, B, O), what attentional states are multiplied with (dropout); None for nothing.

    Returns:
        (T, B, O), the attentional states, after dropout.
    """
    plan = Plan(before=before, feeding=feeding, product=product_type(gates), heads=heads)
    kind = weights.recurrent.dtype
    with torch.autocast(gates.device.type, enabled=False):
        parts = [part.to(kind) for part in (*memory, *weights)]
        noise = None if noise is None else noise.to(kind)
        states: Tensor = _Decoder.apply(plan, gates.to(kind), first.to(kind), noise, *parts)  # type: ignore[no-untyped-call]
    return states
