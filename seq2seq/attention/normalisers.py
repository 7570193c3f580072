"""Normalisers: how the scores of a row become its weights, among the allowed tokens only."""

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from entmax import entmax15, sparsemax
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.attention.described import Described
from seq2seq.attention.keys import Past
from seq2seq.attention.masks import block, exact, masked_softmax


class Normaliser(Described):
    """Scores to weights, row by row. A row with nothing to attend to gets zero weights and finite gradients."""

    reads_past: ClassVar[bool] = False
    """`forward` has a third argument, what the queries have attended to in earlier steps: a `Past` of (B, H, Q, S), or None."""
    reads_segments: ClassVar[bool] = False
    """`forward` has two more arguments where a source has segments: their `ids` and the scores of them."""

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Normalise.

        Args:
            scores: (B, H, Q, S), unbounded.
            mask: broadcastable to `scores`, True may attend.

        Returns:
            (B, H, Q, S), >= 0, zero where `mask` forbids.
        """
        raise NotImplementedError


class Softmax(Normaliser):
    """weight_s = exp(score_s) / sum exp(score); the paper's alpha_ij is our weight."""

    formula = "softmax(score)"
    source = "Bahdanau et al. 2015, arXiv:1409.0473, equation 6"
    expects = "some weight on every token, always a gradient for all of them"

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        return masked_softmax(scores, mask)


class Sparsemax(Normaliser):
    """The distribution nearest to the scores (the paper's z): argmin_p |p - score|^2, that is max(0, score_s - tau)."""

    formula = "max(0, score - tau), tau such that the sum is 1"
    source = "Martins and Astudillo 2016, arXiv:1602.02068, equation 2"
    expects = "few tokens with weight, exactly none on the rest, which then have no gradient either"

    transform: ClassVar[Callable[..., Tensor]] = staticmethod(sparsemax)

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        blocked = ~mask
        return self.transform(block(exact(scores), blocked), dim=-1).masked_fill(blocked, 0.0)


class Entmax15(Sparsemax):
    """Half way between softmax and sparsemax: max(0, score_s / 2 - tau)^2, alpha = 1.5; the paper's z is our score."""

    formula = "max(0, score / 2 - tau)^2, tau such that the sum is 1"
    source = "Peters et al. 2019, arXiv:1905.05702, section 3"
    expects = "sparse like sparsemax, smooth like softmax near the edge of its support"
    transform: ClassVar[Callable[..., Tensor]] = staticmethod(entmax15)


class Sigmoid(Normaliser):
    """Each token for itself: weight_s = sigmoid(score_s - log n), n the number of allowed tokens. Rows sum to 0..n.

    The paper's bias b = -log n makes equal scores of 0 sum to nearly one. Its n is the padded length of all sequences; ours is
    counted from the mask, so that padding changes nothing.
    """

    formula = "sigmoid(score - log n)"
    source = "Ramapuram et al. 2024, arXiv:2409.04431, section 2"
    expects = "a context whose length is free: nothing to see gives a context near zero"

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        scores = exact(scores)
        allowed = mask.sum(dim=-1, keepdim=True).clamp(min=1).to(scores.dtype)  # n: (B, 1, Q or 1, 1)
        return torch.sigmoid(scores - allowed.log()).masked_fill(~mask, 0.0)


class TopK(Normaliser):
    """Softmax among the k largest scores; all others get zero. Scores that tie with the k-th stay in."""

    formula = "softmax over the k largest scores"
    source = "Zhao et al. 2019, arXiv:1912.11637 (explicit sparse Transformer)"
    expects = "softmax with its tail cut off: nothing lost on short sources, less noise on long ones"

    def __init__(self, *, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        lowered = block(scores, ~mask)
        last = lowered.topk(min(self.k, scores.shape[-1]), dim=-1).values[..., -1:]  # (B, H, Q, 1), the k-th largest
        return masked_softmax(scores, mask & (lowered >= last))


class Monotonic(Normaliser):
    """Read on from where the step before stopped, and stop at token s with probability p_s = sigmoid(score_s + r + noise).

    weight_s = p_s sum over j <= s of last_j (1 - p_j) ... (1 - p_{s-1}), last the weights of the step before, at first all on
    the first token. It is the expected alignment, so rows may sum to less than one: the rest has read past the end.

    The paper's alpha is our weight. The noise, N(0, 1) in training, drives p towards 0 and 1. Any score will do; theirs is
    additive with weight_norm. With `at_test: hard` p is rounded when the model does not train, so that one token, or none, has
    all the weight. It is computed with a matrix of all j and s, where they divide cumulative products, which can underflow.

    `offset` is r before training, `noise` the standard deviation of the noise.
    """

    formula = "p_s sum_j<=s last_j prod_j<=i<s (1 - p_i), p = sigmoid(score + r)"
    source = "Raffel et al. 2017, arXiv:1704.00784, sections 2.3-2.5"
    expects = "a path that never turns back: right where both languages have one order, wrong words where they have not"
    reads_past = True
    SURE: ClassVar[float] = 1e3
    """A score whose sigmoid is 1, and 0 with a minus."""

    def __init__(self, *, offset: float, noise: float, at_test: Literal["soft", "hard"]) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.tensor(offset))
        self.noise = noise
        self.at_test = at_test

    def forward(self, scores: Tensor, mask: Tensor, past: Past | None = None) -> Tensor:
        energy = exact(scores) + self.offset  # (B, H, Q, S)
        if self.training:
            energy = energy + self.noise * torch.randn_like(energy)
        elif self.at_test == "hard":
            energy = torch.copysign(torch.full_like(energy, self.SURE), energy)
        passed = functional.logsigmoid(-energy).masked_fill(~mask, 0.0)  # log(1 - p)
        before = passed.cumsum(dim=-1) - passed  # of all tokens before
        later = torch.ones(energy.shape[-1], energy.shape[-1], dtype=torch.bool, device=energy.device).triu(1)
        reach = (before.unsqueeze(-1) - before.unsqueeze(-2)).masked_fill(later, float("-inf")).exp()  # (B, H, Q, s, j)
        if past is None:
            last = functional.one_hot(torch.zeros_like(energy[..., 0], dtype=torch.long), energy.shape[-1])
        else:
            last = past.last
        arrived = (reach @ last.to(reach.dtype).unsqueeze(-1)).squeeze(-1)  # (B, H, Q, S)
        return (energy.sigmoid() * arrived).masked_fill(~mask, 0.0)


class Hierarchical(Normaliser):
    """A softmax over segments, and one over the tokens in each: weight_s = beta_g(s) alpha_s.

    beta is the softmax of the scores u_g of the query against the mean of the memory in segment g, by the same score function,
    so that nothing more is trained. nested: alpha is the softmax within a segment, so that a segment has the weight beta_g;
    what all tokens of a segment have in common then moves beta alone. rescaled: alpha is the softmax over the whole source, and
    the products are divided by their sum. With one segment both are softmax.

    Yang et al. (nested) encode sentences from attended words, and ask with trained vectors; the sentence level of Nallapati et
    al. (rescaled) has an encoder and scores of its own. For translation see Miculicich et al. 2018, arXiv:1809.01576.
    """

    formula = "beta_g(s) alpha_s, beta = softmax_g(score(q, mean k in g)), alpha = softmax of the scores in a segment"
    source = "Yang et al. 2016, N16-1174, section 2.2; rescaled: Nallapati et al. 2016, arXiv:1602.06023, section 2.4"
    expects = "the right sentence before the right word: words that occur in several sentences of a source confuse it less"
    reads_segments = True

    def __init__(self, *, form: Literal["nested", "rescaled"]) -> None:
        super().__init__()
        self.form = form

    def forward(self, scores: Tensor, mask: Tensor, ids: Tensor | None = None, of_segments: Tensor | None = None) -> Tensor:
        """Normalise, given also ids (B, S) and scores of the segments (B, H, Q, G); without them there is one segment."""
        if ids is None or of_segments is None:
            return masked_softmax(scores, mask)
        index, lowered = ids[:, None, None].expand_as(scores), block(exact(scores), ~mask)
        of_segments = exact(of_segments)
        lowest = torch.full_like(of_segments, torch.finfo(of_segments.dtype).min)
        highest = lowest.scatter_reduce(-1, index, lowered.detach(), "amax")  # (B, H, Q, G)
        shares = (lowered - highest.gather(-1, index)).exp().masked_fill(~mask, 0.0)  # 1 at the highest of each segment
        total = torch.zeros_like(of_segments).scatter_add(-1, index, shares)  # (B, H, Q, G)
        seen = total > 0
        if self.form == "rescaled":
            # the segment's part of the softmax over all
            of_segments = of_segments + (highest + total.clamp(min=1).log()).masked_fill(~seen, 0.0)
        beta = masked_softmax(of_segments, seen)
        return shares * (beta / total.clamp(min=1)).gather(-1, index)


NORMALISERS: dict[str, type[Normaliser]] = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax15": Entmax15,
    "sigmoid": Sigmoid,
    "top_k": TopK,
    "monotonic": Monotonic,
    "hierarchical": Hierarchical,
}
