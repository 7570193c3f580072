"""Attention whose similarity is a product of features, so that the sum over keys is made once, for all queries."""

import torch
from torch import Tensor
from torch.nn import functional as F

from seq2seq.attention.mechanisms.base import HeadProjections, SelfAttention

CHUNK = 64  # positions handled by the quadratic form at once in the causal case; D of a head is of this size
FLOOR = 1e-6  # smallest total similarity: far below that of one ordinary key (about 1), above underflow


class LinearAttention(SelfAttention):
    """Kernel attention: context_p = phi(q_p)^T (sum_s phi(k_s) v_s^T) / (phi(q_p)^T sum_s phi(k_s)), phi(x) = elu(x) + 1.

    Causal, s <= p, as in section 3.3 of the paper, where a step needs only two running sums (section 3.4). Cost grows with N,
    not with N^2. There is no softmax and hence no score of the family in it, and no matrix of weights unless one is asked for:
    phi(q)^T phi(k_s) over their sum.
    """

    formula = "phi(q)^T sum_s phi(k_s) v_s^T / phi(q)^T sum_s phi(k_s), phi(x) = elu(x) + 1"
    source = "Katharopoulos et al. 2020, arXiv:2006.16236, section 3.2"
    expects = "linear cost in length; less able to single out one position than softmax"

    def __init__(self, *, hidden_size: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.projections = HeadProjections(hidden_size=hidden_size, heads=heads)
        self.causal = causal

    def read(self, states: Tensor, mask: Tensor, *, bidirectional: bool = False) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        query, keys, values = self._features(states)
        keys = keys * mask[:, None, :, None]
        if self.causal and not bidirectional:
            nothing = keys.new_zeros(*keys.shape[:2], keys.shape[-1], values.shape[-1])  # (B, H, D, D + 1)
            totals, sums = _causal_totals(query, keys, values, nothing)
        else:
            sums = keys.transpose(-1, -2) @ values
            totals = query @ sums
        return self.projections.merge(_normalise(totals)), (sums, keys)

    def follow(
        self,
        states: Tensor,
        read: tuple[Tensor, Tensor],
        past: Tensor,
        positions: Tensor,  # noqa: ARG002 (sums forget them)
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        query, keys, values = self._features(states)
        sums, read_keys = read
        totals, _ = _causal_totals(query, keys, values, sums + past)
        weights = query @ read_keys.transpose(-1, -2) / totals[..., -1:].clamp_min(FLOOR) if need_weights else None
        grown = past + keys.transpose(-1, -2) @ values
        return self.projections.merge(_normalise(totals)), weights, grown

    def start(self, states: Tensor) -> Tensor:
        size = self.projections.output_proj.in_features // self.projections.heads  # `states` may be of another width
        return states.new_zeros(states.shape[0], self.projections.heads, size, size + 1)

    def step(self, states: Tensor, cache: Tensor, position: int) -> tuple[Tensor, Tensor]:  # noqa: ARG002 (sums forget positions)
        query, keys, values = self._features(states)
        sums = cache + keys.transpose(-1, -2) @ values  # (N, H, D, D + 1)
        return self.projections.merge(_normalise(query @ sums)), sums

    def _features(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """phi(query), phi(keys) (B, H, N, D) and values with a column of ones (B, H, N, D + 1), which sums the similarities."""
        query, keys, values = self.projections.split(states)
        return F.elu(query) + 1, F.elu(keys) + 1, F.pad(values, (0, 1), value=1.0)


def _normalise(totals: Tensor) -> Tensor:
    """Divide the weighted sums (..., D) by the total similarity in the last column."""
    return totals[..., :-1] / totals[..., -1:].clamp_min(FLOOR)


def _causal_totals(query: Tensor, keys: Tensor, values: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over s <= p, (B, H, N, D + 1): quadratic inside a chunk, running `sums` for what is before. Also the last sums."""
    totals = []
    chunks = (torch.split(features, CHUNK, dim=2) for features in (query, keys, values))
    for query_part, keys_part, values_part in zip(*chunks, strict=True):
        similarity = (query_part @ keys_part.transpose(-1, -2)).tril()  # (B, H, C, C)
        totals.append(similarity @ values_part + query_part @ sums)
        sums = sums + keys_part.transpose(-1, -2) @ values_part
    return torch.cat(totals, dim=2), sums
