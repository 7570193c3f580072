"""Where queries and keys stand, for one call of an attention: a relation with its positions, or nothing."""

from typing import NamedTuple

from torch import Tensor

from seq2seq.attention.positions import Relation


class Places(NamedTuple):
    """A relation and the positions it relates; all is None for an attention that knows no positions."""

    relation: Relation | None
    queries: Tensor | None
    """(Q,) or (B, Q)."""
    keys: Tensor | None
    """(S,) or (B, S)."""

    def rotate(self, query: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Turn (B, H, Q, A) and (B, H, S, A) before they are multiplied."""
        if self.relation is None or self.queries is None or self.keys is None:
            return query, keys
        return self.relation.rotate(query, self.queries), self.relation.rotate(keys, self.keys)

    def refuse_rotation(self, score: str) -> None:
        """Stop at a relation that rotates, for a score that does not multiply."""
        if self.relation is not None and type(self.relation).rotate is not Relation.rotate:
            raise ValueError(f"{type(self.relation).__name__} turns queries and keys, and {score} is not a product of them")

    def scores(self, query: Tensor) -> Tensor | None:
        """Return what is added to the scaled scores, given the query (B, H, Q, D), broadcastable to (B, H, Q, S), or None."""
        if self.relation is None or self.queries is None or self.keys is None:
            return None
        return self.relation.scores(query, self.queries, self.keys)

    def values(self, weights: Tensor) -> Tensor | None:
        """Return what is added to the context of each head (B, H, Q, Dv), given its weights (B, H, Q, S), or None."""
        if self.relation is None or self.queries is None or self.keys is None:
            return None
        return self.relation.values(weights, self.queries, self.keys)

    @property
    def mixes_values(self) -> bool:
        """Whether the context needs the weights themselves."""
        return self.relation is not None and type(self.relation).values is not Relation.values
