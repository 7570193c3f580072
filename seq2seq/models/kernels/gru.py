"""A whole GRU sequence as one differentiable operation, for CPUs.

Autograd would keep and replay a dozen small operations a step, and make a product a step for each weight gradient. Here the
steps write into arrays made once, the backward pass is written by hand, and each weight has its gradient from one product over
all T * B rows.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


class Gates(NamedTuple):
    """Tensors that a GRU step keeps for its backward pass, each (..., H)."""

    reset_update: Tensor
    """[r; z], (..., 2 H)."""
    new: Tensor
    """n."""
    recurrent_new: Tensor
    """q = W_hn h + b_hn, before the reset gate."""

    @classmethod
    def empty(cls, like: Tensor, *shape: int, size: int) -> "Gates":
        """Room for steps of shape (*shape, size)."""
        return cls(like.new_empty(*shape, 2 * size), like.new_empty(*shape, size), like.new_empty(*shape, size))

    def at(self, step: int) -> "Gates":
        """Views of one step."""
        return Gates(self.reset_update[step], self.new[step], self.recurrent_new[step])


class GruSteps:
    """The steps of a GRU, and the steps back; `kept` is what these need, of all steps."""

    def __init__(self, kept: Gates) -> None:
        self.kept: Sequence[Tensor] = kept
        self._gates = kept

    def forward(self, step: int, gates: Tensor, recurrent: Tensor, hidden: Tensor, out: Tensor) -> None:
        """Take one step: r, z = sigmoid(x + u); n = tanh(x_n + r * u_n); h' = n + z (h - n).

        Args:
            step: which.
            gates: (B, 3 H), x = W_i input + b_i in the order r, z, n.
            recurrent: (B, 3 H), u = W_h h + b_h.
            hidden: (B, H), h.
            out: (B, H), h', written.
        """
        kept, size = self._gates.at(step), hidden.shape[-1]
        torch.add(gates[:, : 2 * size], recurrent[:, : 2 * size], out=kept.reset_update).sigmoid_()
        kept.recurrent_new.copy_(recurrent[:, 2 * size :])
        reset, update = kept.reset_update[:, :size], kept.reset_update[:, size:]
        torch.addcmul(gates[:, 2 * size :], reset, kept.recurrent_new, out=kept.new).tanh_()
        torch.lerp(kept.new, hidden, update, out=out)

    def backward(self, step: int, grad: Tensor, hidden: Tensor, by_gates: Tensor, by_recurrent: Tensor) -> Tensor:
        """Undo one step, given the gradient g of h'.

        With a = g (1 - z)(1 - n^2):  d x_n = a,  d u_n = a r,  d r = a q r (1 - r),  d z = g (h - n) z (1 - z).

        Args:
            step: which.
            grad: (B, H), g.
            hidden: (B, H), h before the step.
            by_gates: (B, 3 H), gradient of x, written.
            by_recurrent: (B, 3 H), gradient of u, written.

        Returns:
            (B, H), what reaches h past the gates: g z.
        """
        kept, size = self._gates.at(step), hidden.shape[-1]
        reset, update = kept.reset_update[:, :size], kept.reset_update[:, size:]
        through = grad * update
        by_new = _tanh_backward(grad - through, kept.new, grad_input=by_gates[:, 2 * size :])
        torch.mul(by_new, kept.recurrent_new, out=by_gates[:, :size])
        torch.mul(grad, hidden - kept.new, out=by_gates[:, size : 2 * size])
        _sigmoid_backward(by_gates[:, : 2 * size], kept.reset_update, grad_input=by_gates[:, : 2 * size])
        by_recurrent[:, : 2 * size] = by_gates[:, : 2 * size]
        torch.mul(by_new, reset, out=by_recurrent[:, 2 * size :])
        return through


class FusedGruSteps(GruSteps):
    """The same with torch's cell for CUDA, which is one launch in place of six, and of nine back."""

    def __init__(self, kept: Sequence[Tensor] = ()) -> None:
        self._spaces = self.kept = list(kept)

    def forward(self, _: int, gates: Tensor, recurrent: Tensor, hidden: Tensor, out: Tensor) -> None:
        following, space = torch.ops.aten._thnn_fused_gru_cell(gates, recurrent, hidden)
        out.copy_(following)
        self._spaces.append(space)

    def backward(self, step: int, grad: Tensor, _: Tensor, by_gates: Tensor, by_recurrent: Tensor) -> Tensor:
        of_gates, of_recurrent, through, *_ = torch.ops.aten._thnn_fused_gru_cell_backward(grad, self.kept[step], False)
        by_gates.copy_(of_gates)
        by_recurrent.copy_(of_recurrent)
        return through  # type: ignore[no-any-return]


class _GruSequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        gates: Tensor,
        first: Tensor,
        weight: Tensor,
        bias: Tensor,
        real: Tensor | None,
        reverse: bool,
        product: torch.dtype,
    ) -> Tensor:
        steps, rows, size = gates.shape[0], *first.shape
        table = weight.to(product)
        states = first.new_empty(steps, rows, size)
        cell = GruSteps(Gates.empty(first, steps, rows, size=size))
        padded = set() if real is None else set((real.flatten(1).amin(dim=1) == 0).nonzero().flatten().tolist())
        before = first
        for t in _order(steps, reverse):
            cell.forward(t, gates[t], affine(before, table, bias), before, states[t])
            before = states[t]
            if real is not None and t in padded:
                before.mul_(real[t])
        ctx.save_for_backward(states, first, *cell.kept, weight, real)
        ctx.padded, ctx.reverse, ctx.product = padded, reverse, product
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grads: Tensor) -> tuple[Tensor | None, ...]:
        states, first, *parts, weight, real = ctx.saved_tensors
        cell, table = GruSteps(Gates(*parts)), weight.to(ctx.product)
        by_gates = grads.new_empty(*states.shape[:2], len(weight))
        by_recurrent = torch.empty_like(by_gates)
        carried = torch.zeros_like(first)
        order = _order(len(states), ctx.reverse)
        for t, earlier in zip(reversed(order), [*reversed(order[:-1]), None], strict=True):
            carried = carried.add_(grads[t])
            if t in ctx.padded:
                carried.mul_(real[t])
            before = first if earlier is None else states[earlier]
            carried = cell.backward(t, carried, before, by_gates[t], by_recurrent[t])
            carried += multiply(by_recurrent[t], table)
        previous = torch.cat([states[1:], first.unsqueeze(0)] if ctx.reverse else [first.unsqueeze(0), states[:-1]])
        by_weight = transposed_product(by_recurrent, previous, ctx.product)
        return by_gates, carried, by_weight, by_recurrent.flatten(0, 1).sum(dim=0), None, None, None


def _order(steps: int, reverse: bool) -> list[int]:
    return list(range(steps))[:: -1 if reverse else 1]


def gru_sequence(
    gates: Tensor, first: Tensor, weight: Tensor, bias: Tensor, *, mask: Tensor | None = None, reverse: bool = False
) -> Tensor:
    """Run a GRU over T known inputs.

    Args:
        gates: (T, B, 3 H), W_i input + b_i in the order reset, update, new.
        first: (B, H), the state before the first step.
        weight: (3 H, H), W_h.
        bias: (3 H,), b_h.
        mask: (T, B), True at real inputs; the state at all others is zero. None if all are real.
        reverse: run from the last input to the first.

    Returns:
        (T, B, H), the states, at the places of their inputs.
    """
    product = product_type(gates)
    with torch.autocast(gates.device.type, enabled=False):
        gates, first = gates.to(weight.dtype), first.to(weight.dtype)
        real = None if mask is None else mask.to(weight.dtype).unsqueeze(-1)  # (T, B, 1)
        states: Tensor = _GruSequence.apply(gates, first, weight, bias, real, reverse, product)  # type: ignore[no-untyped-call]
    return states


def product_type(like: Tensor) -> torch.dtype:
    """The type of products: autocast's where it is on, else that of the numbers."""
    kind = like.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else like.dtype


def affine(inputs: Tensor, table: Tensor, bias: Tensor) -> Tensor:
    """W x + b for rows x (N, D) and W (M, D), the product in the type of W, the sum in that of b."""
    if table.dtype == bias.dtype:
        return functional.linear(inputs, table, bias)
    return functional.linear(inputs.to(table.dtype), table) + bias


def multiply(inputs: Tensor, table: Tensor) -> Tensor:
    """X W for rows x (N, M) and W (M, D), in the type of W."""
    return inputs.to(table.dtype) @ table


def write_product(inputs: Tensor, table: Tensor, out: Tensor) -> None:
    """Write X W to `out` (N, D): rows x (N, M) and W (M, D), the product in the type of W."""
    if out.dtype == inputs.dtype == table.dtype:
        torch.mm(inputs, table, out=out)
    else:
        out.copy_(multiply(inputs, table))


def add_product(total: Tensor, inputs: Tensor, table: Tensor) -> Tensor:
    """Add X W to `total` (N, D), in place: rows x (N, M) and W (M, D), the product in the type of W."""
    if total.dtype == inputs.dtype == table.dtype:
        return total.addmm_(inputs, table)
    return total.add_(multiply(inputs, table))


def plus_product(total: Tensor, inputs: Tensor, table: Tensor) -> Tensor:
    """`add_product` in a new array, whose FLOPs are counted where a model is measured (models/budget.py)."""
    if total.dtype == inputs.dtype == table.dtype:
        return torch.addmm(total, inputs, table)
    return total + multiply(inputs, table)


def transposed_product(left: Tensor, right: Tensor, product: torch.dtype) -> Tensor:
    """Sum over all T * B rows of the outer products of (T, B, M) and (T, B, D): (M, D), in the type of `left`."""
    return (left.flatten(0, 1).to(product).t() @ right.flatten(0, 1).to(product)).to(left.dtype)
