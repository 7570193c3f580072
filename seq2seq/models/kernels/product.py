"""Attention by products for queries that come step by step, the backward pass by hand.

The formula is that of `attention.scores.DotScore` with heads; this file computes it in another order and adds none. Where there
is a scale it is in the query's weights, and the projection of the output is in whatever reads the context.
"""

import torch
from torch import Tensor

from seq2seq.models.kernels.additive import Attended, softmax_backward
from seq2seq.models.kernels.gru import add_product, transposed_product, write_product


class ProductAttention:
    """Attention of one query a row with H heads, and its gradients, gathered step by step.

    W_q (H * D, Q) is in the type of products; v, of additive attention, is passed through.
    """

    def __init__(self, query_weight: Tensor, v: Tensor, attended: Attended) -> None:
        self.query_weight, self.v, self.attended = query_weight, v, attended
        self.keys, self.values = attended.keys.flatten(0, 1), attended.values.flatten(0, 1)  # (B * H, S, D), (B * H, S, C)
        self.turned = self.keys.transpose(1, 2)
        heads = attended.keys.shape[1]
        self.rows, self.asked_size, self.context_size = len(self.keys), len(query_weight), heads * self.values.shape[-1]
        self.blocked = attended.blocked.repeat_interleave(heads, dim=0).unsqueeze(1)  # (B * H, 1, S)

    def attend(self, query: Tensor, asked: Tensor, out: Tensor) -> Tensor:
        """Return contexts (B, H * C), given queries (B, Q) in the type of products.

        `asked` (B, H * D), W_q q, and the weights `out` (B * H, S) are written.
        """
        write_product(query, self.query_weight.t(), asked)
        scores = torch.baddbmm(self.blocked, asked.view(self.rows, 1, -1), self.turned)
        torch.softmax(scores.squeeze(1), dim=-1, out=out)
        return torch.bmm(out.unsqueeze(1), self.values).view(len(query), -1)

    def begin_backward(self, steps: int) -> None:
        """Make room for the gradients of so many steps."""
        count, length, size = self.keys.shape
        self.by_query = self.keys.new_empty(steps, count, 1, size)
        self.by_scores = self.keys.new_empty(steps, count, length)

    def backward(self, step: int, _: Tensor, alpha: Tensor, by_context: Tensor, by_state: Tensor) -> None:
        """Undo one `attend`, given the weights it wrote; the gradient of the query (B, Q) is added to `by_state`.

        With g = V d c and e the scores: d e = alpha (g - sum alpha g),  d (W_q q) = K d e.
        """
        by_alpha = torch.bmm(by_context.reshape(self.rows, 1, -1), self.values.transpose(1, 2)).squeeze(1)  # (B * H, S)
        softmax_backward(by_alpha, alpha, -1, alpha.dtype, grad_input=self.by_scores[step])
        torch.bmm(self.by_scores[step].unsqueeze(1), self.keys, out=self.by_query[step])
        add_product(by_state, self.by_query[step].view(len(by_state), -1), self.query_weight)

    def gradients(self, asked: Tensor, alphas: Tensor, by_context: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of keys and values, given what all steps wrote and the gradients of their contexts (T, B, H * C)."""
        steps = len(asked)
        by_keys = self.by_scores.permute(1, 2, 0) @ asked.view(steps, self.rows, -1).transpose(0, 1)
        by_values = alphas.permute(1, 2, 0) @ by_context.reshape(steps, self.rows, -1).transpose(0, 1)
        return by_keys.view_as(self.attended.keys), by_values.view_as(self.attended.values)

    def gradients_of_weights(self, queries: Tensor, product: torch.dtype) -> tuple[Tensor, Tensor]:
        """Gradient of W_q, given all queries (T, B, Q), and v."""
        return transposed_product(self.by_query.view(*queries.shape[:2], -1), queries, product), self.v
