"""Position of a token: added to its embedding (absolute), or given to self-attention (a relation of query and key).

`POSITIONS` has both kinds. Absolute positions are modules from positions to vectors. A `Relation` meets the attention in
three places, and does nothing in those it does not override:
    rotate  turns queries and keys before they are compared (rope),
    scores  is added to the scaled scores (relative, alibi),
    values  is added to the context of each head (relative).

Positions are whole numbers from 0. Most calls share them between rows, shape (N,); a decoder-only stack, whose targets
go on counting from the length of each source, has (B, N). Shape letters as in STYLE.md; D is the features of one head here.
"""

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from seq2seq.attention.described import Described
from seq2seq.config.errors import UserError


class AbsolutePositions(Described):
    """A vector for each position, added to the token's embedding."""

    limited_by: ClassVar[str | None] = None
    """The option, and attribute, that is the number of positions; None where there is no last one."""

    def forward(self, positions: Tensor) -> Tensor:
        """Map positions (N,) or (B, N) to vectors of shape (..., embedding_size)."""
        raise NotImplementedError


class SinusoidalPositions(AbsolutePositions):
    """Fixed waves: PE(p, 2i) = sin(p / 10000^(2i / d)), PE(p, 2i + 1) = cos of the same angle.

    Computed when asked for, so no length is too long. The embedding_size d is even.
    """

    formula = "x_p + PE(p); PE(p, 2i) = sin(p / 10000^(2i/d)), PE(p, 2i+1) = cos(p / 10000^(2i/d))"
    source = "Vaswani et al. 2017, arXiv:1706.03762, section 3.5"
    expects = "lengths beyond those of training are defined, though seldom handled well"

    def __init__(self, *, embedding_size: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", _frequencies(embedding_size), persistent=False)
        self.frequencies: Tensor  # (embedding_size / 2,)

    def forward(self, positions: Tensor) -> Tensor:
        angles = positions.unsqueeze(-1) * self.frequencies  # (..., d/2)
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)  # (..., d): sine and cosine alternate


class LearnedPositions(AbsolutePositions):
    """A trained vector for each position up to a limit; a longer sentence is refused."""

    formula = "x_p + P[p]"
    source = "Gehring et al. 2017, arXiv:1705.03122, section 3.1"
    expects = "nothing to be known of positions beyond those trained; refuses sentences longer than max_positions"
    limited_by = "max_positions"

    def __init__(self, *, embedding_size: int, max_positions: int) -> None:
        super().__init__()
        self.max_positions = max_positions
        self.table = nn.Embedding(max_positions, embedding_size)
        nn.init.normal_(self.table.weight, std=0.02)

    def forward(self, positions: Tensor) -> Tensor:
        """Look positions up; a `UserError` if one is not below `max_positions`."""
        if positions.numel() and int(positions.max()) >= self.max_positions:
            raise UserError(
                f"positions: a sentence of {int(positions.max()) + 1} tokens meets max_positions {self.max_positions}; "
                "raise max_positions, lower the longest length, or use sinusoidal positions"
            )
        vectors: Tensor = self.table(positions)
        return vectors


class Relation(Described):
    """Positions of queries and keys as self-attention sees them; this one sees none (a set, but for the mask)."""

    formula = "nothing: but for the mask, self-attention sees a set"
    source = "Haviv et al. 2022, arXiv:2203.16634 (a causal mask alone lets positions be inferred)"
    expects = "a bag of words in an encoder; a causal decoder recovers part of the order"
    mixes_values = False
    """Whether `values` does anything, so that the context needs the weights themselves."""

    def rotate(self, features: Tensor, positions: Tensor) -> Tensor:  # noqa: ARG002 (an identity)
        """Turn queries or keys (B, H, N, D) that stand at `positions` (N,) or (B, N); same shape."""
        return features

    def scores(self, query: Tensor, query_positions: Tensor, key_positions: Tensor) -> Tensor | None:  # noqa: ARG002 (nothing added)
        """Return what is added to the scaled scores, broadcastable to (B, H, Q, S), or None.

        Args:
            query: (B, H, Q, D), as it is multiplied with the keys, with the scale on it.
            query_positions: (Q,) or (B, Q).
            key_positions: (S,) or (B, S).
        """
        return None

    def values(self, weights: Tensor, query_positions: Tensor, key_positions: Tensor) -> Tensor | None:  # noqa: ARG002 (nothing added)
        """Return what is added to the context of each head, (B, H, Q, Dv), given weights (B, H, Q, S), or None."""
        return None


class RotaryRelation(Relation):
    """Queries and keys turned by an angle that grows with their position, so that their product knows only the distance.

    Features 2i and 2i + 1 are a point in the plane, turned by p * 10000^(-2i / D): equations 14-16 and 34, where D is d.
    """

    formula = "score(R_p q, R_s k) with R_p a rotation by p / 10000^(2i/D) of features 2i and 2i+1"
    source = "Su et al. 2021, arXiv:2104.09864, section 3.2.2"
    expects = "a score that is a product of query and key; only then does it depend on p - s alone"

    def __init__(self, *, head_size: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", _frequencies(head_size), persistent=False)
        self.frequencies: Tensor  # (D / 2,)

    def rotate(self, features: Tensor, positions: Tensor) -> Tensor:
        angles = positions.unsqueeze(-1) * self.frequencies  # (N, D/2) or (B, N, D/2)
        if angles.dim() == 3:
            angles = angles.unsqueeze(1)  # (B, 1, N, D/2): all heads alike
        cosine, sine = angles.cos().to(features.dtype), angles.sin().to(features.dtype)
        even, odd = features[..., 0::2], features[..., 1::2]  # (B, H, N, D/2)
        return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1).flatten(-2)


class AlibiRelation(Relation):
    """A penalty on distance, with its own slope for each head: score - m_h |p - s|. Nothing is trained.

    Slopes for a number of heads that is no power of two are those of the paper's code. The paper is causal (p >= s); an encoder
    has keys on both sides and takes the distance without its sign.
    """

    formula = "score - m_h |p - s|, m_h = 2^(-8h/H), h = 1..H"
    source = "Press et al. 2021, arXiv:2108.12409, section 3"
    expects = (
        "near tokens to matter more, and lengths beyond those trained to go well (their figure 1); an encoder, whose sides "
        "are alike, learns which is left only from the end-of-sentence token, and later than with other positions"
    )

    def __init__(self, *, heads: int) -> None:
        super().__init__()
        self.register_buffer("slopes", torch.tensor(alibi_slopes(heads)), persistent=False)
        self.slopes: Tensor  # (H,)

    def scores(self, query: Tensor, query_positions: Tensor, key_positions: Tensor) -> Tensor:
        distance = offsets(query_positions, key_positions).abs()  # (Q, S) or (B, 1, Q, S)
        return (-self.slopes.view(-1, 1, 1) * distance).to(query.dtype)  # (H, Q, S) or (B, H, Q, S)


class RelativeRelation(Relation):
    """A trained vector for each clipped distance, one for the score and one for the context.

    With r = clip(s - p, -k, k), k the max_distance: score_ps = g q_p . (k_s + a^K_r) and context_p = sum_s weight_ps (v_s +
    a^V_r), g the scale of the attention (1 / sqrt(D) in the paper). The vectors are shared between heads (section 3.3). Only
    2k + 1 products a query are made, then spread over the keys (a cheaper order than their section 3.3). Sizes are those of
    one head.
    """

    formula = "scale(q.(k + aK_r)), context = sum weight (v + aV_r), r = clip(s - p, -k, k)"
    source = "Shaw et al. 2018, arXiv:1803.02155, equations 3-5"
    expects = "order among neighbours to matter more than the absolute place"
    mixes_values = True

    def __init__(self, *, head_size: int, value_size: int, max_distance: int) -> None:
        super().__init__()
        self.max_distance = max_distance
        self.key_vectors = nn.Parameter(torch.empty(2 * max_distance + 1, head_size))
        self.value_vectors = nn.Parameter(torch.empty(2 * max_distance + 1, value_size))
        nn.init.xavier_uniform_(self.key_vectors)
        nn.init.xavier_uniform_(self.value_vectors)

    def _clipped(self, query_positions: Tensor, key_positions: Tensor) -> Tensor:
        """Index of the distance of each pair, 0..2k: (1, 1, Q, S) or (B, 1, Q, S)."""
        index = offsets(query_positions, key_positions).clamp(-self.max_distance, self.max_distance) + self.max_distance
        return index if index.dim() == 4 else index[None, None]

    def scores(self, query: Tensor, query_positions: Tensor, key_positions: Tensor) -> Tensor:
        products = query @ self.key_vectors.t()  # (B, H, Q, 2k+1)
        index = self._clipped(query_positions, key_positions)
        return products.gather(-1, index.expand(*query.shape[:-1], -1))  # (B, H, Q, S)

    def values(self, weights: Tensor, query_positions: Tensor, key_positions: Tensor) -> Tensor:
        index = self._clipped(query_positions, key_positions).expand_as(weights)
        total = weights.new_zeros(*weights.shape[:-1], 2 * self.max_distance + 1)
        return total.scatter_add(-1, index, weights) @ self.value_vectors  # (B, H, Q, Dv)


NO_RELATION = Relation()


class Places(NamedTuple):
    """A relation and the positions it relates, for one call of an attention; see `Relation`."""

    relation: Relation
    queries: Tensor
    """(Q,) or (B, Q)."""
    keys: Tensor
    """(S,) or (B, S)."""

    def scores(self, query: Tensor) -> Tensor | None:
        """Return what is added to the scaled scores, broadcastable to (B, H, Q, S), or None."""
        return self.relation.scores(query, self.queries, self.keys)


POSITIONS: dict[str, type[AbsolutePositions] | type[Relation]] = {
    "sinusoidal": SinusoidalPositions,
    "learned": LearnedPositions,
    "relative": RelativeRelation,
    "rope": RotaryRelation,
    "alibi": AlibiRelation,
    "none": Relation,
}


def alibi_slopes(heads: int) -> list[float]:
    """Slopes of H heads: 2^(-8h/H) for a power of two; otherwise those of the power below, then every second of the next."""
    if heads & (heads - 1) == 0:
        return [2.0 ** (-8 * head / heads) for head in range(1, heads + 1)]
    below = 1 << (heads.bit_length() - 1)
    return alibi_slopes(below) + alibi_slopes(2 * below)[0::2][: heads - below]


def _frequencies(size: int) -> Tensor:
    """10000^(-2i / size) for i < size / 2: (size / 2,)."""
    if size % 2:
        raise ValueError(f"sines and cosines come in pairs: size {size} is odd")
    return torch.exp(torch.arange(0, size, 2, dtype=torch.float64) * (-math.log(10000.0) / size)).float()


def offsets(query_positions: Tensor, key_positions: Tensor) -> Tensor:
    """Key position minus query position of each pair: (Q, S), or (B, 1, Q, S) where rows have their own."""
    found = key_positions.unsqueeze(-2) - query_positions.unsqueeze(-1)
    return found.unsqueeze(1) if found.dim() == 3 else found
