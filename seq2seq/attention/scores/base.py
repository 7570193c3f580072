"""Base of every score: one formula with its parameters, and never the state of a sentence."""

from typing import TypedDict

from torch import Tensor

from seq2seq.attention.described import Described


class Sizes(TypedDict):
    """Sizes that every score is made for; see `Score`."""

    heads: int
    query_size: int
    memory_size: int
    attention_size: int


class Score(Described):
    """Compare every query with every key, for H heads at once.

    Args:
        heads: H, > 0; each head has its own parameters.
        query_size: features of a query (of one head), > 0.
        memory_size: features of the memory (of one head), > 0.
        attention_size: features of the comparison space (of one head), > 0; scores without parameters leave it unused.

    A derived class also has three texts for its card: `formula`, the `source` of it, and `expects`, a sentence on what theory
    lets one expect of it.
    """

    position_blind: bool = True
    """Permuting the memory permutes the scores and does nothing else."""
    equal_sizes: bool = False
    """Can compare only a query and a memory of as many features."""
    own_space: bool = True
    """Projects into a space of attention_size features by itself."""
    reads_memory: bool = True
    """Looks at what stands in the memory, not only at how long it is."""
    reads_past: bool = False
    """`forward` has a third argument, what the queries have attended to in earlier steps: a `Past` of (B, H, Q, S), or None."""

    def __init__(self, *, heads: int, query_size: int, memory_size: int, attention_size: int) -> None:
        super().__init__()
        if self.equal_sizes and query_size != memory_size:
            raise ValueError(f"{type(self).__name__} needs query_size {query_size} to equal memory_size {memory_size}")
        self.heads = heads
        self.width = attention_size if self.own_space else query_size
        """Features that are multiplied or summed: d of the scale 1 / sqrt(d)."""

    def limit(self, mask: Tensor) -> Tensor:
        """Narrow the mask (B, S), True at real tokens, to the tokens that this score can see."""
        return mask

    def project_keys(self, memory: Tensor) -> Tensor:
        """Compute what depends on the memory alone, once per sentence: (B, H, S, memory_size) -> (B, H, S, A)."""
        return memory

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Compare every query with every key.

        Args:
            query: (B, H, Q, query_size).
            keys: (B, H, S, A), from `project_keys`.

        Returns:
            (B, H, Q, S), unbounded, not yet masked.
        """
        raise NotImplementedError


class ProductScore(Score):
    """A score that is the plain product of a projected query and a projected key, so that a fused kernel can compute it."""

    own_space = False

    def project_query(self, query: Tensor) -> Tensor:
        """Map the query (B, H, Q, query_size) to what is multiplied with the keys (B, H, Q, A)."""
        return query

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return self.project_query(query) @ keys.transpose(-2, -1)  # (B, H, Q, S)
