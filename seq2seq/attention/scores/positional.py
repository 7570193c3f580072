"""Scores tied to source positions: location, concat_linear. They know no source longer than they have rows."""

from typing import Literal, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.attention.heads import HeadLinear
from seq2seq.attention.scores.base import Score, Sizes
from seq2seq.config.errors import UserError


class PositionalScore(Score):
    """Common part of the family: a trained row for each of `max_source` positions, and a decision about longer sources.

    `longer` says what to do with a source that has real tokens past `max_source`: "refuse" it, or "ignore" those tokens, which
    then get no weight. The attention_size is unused.
    """

    position_blind = False
    own_space = False

    def __init__(self, *, max_source: int, longer: Literal["refuse", "ignore"] = "refuse", **sizes: Unpack[Sizes]) -> None:
        super().__init__(**sizes)
        self.max_source = max_source
        self.limited_by = "max_source" if longer == "refuse" else None
        self.query_proj = HeadLinear(heads=self.heads, in_features=sizes["query_size"], out_features=max_source)

    def limit(self, mask: Tensor) -> Tensor:
        """Forbid the positions that have no row; a `UserError` if there are real tokens at them and `longer` is "refuse"."""
        if mask.shape[1] <= self.max_source:
            return mask
        if self.limited_by and bool(mask[:, self.max_source :].any()):
            longest = int(mask.sum(dim=1).max())
            raise UserError(
                f"model.attention.score: a source of {longest} tokens is longer than max_source {self.max_source}; raise "
                "max_source, lower the longest source length of the data, or set longer: ignore"
            )
        return F.pad(mask[:, : self.max_source], (0, mask.shape[1] - self.max_source), value=False)

    def rows(self, query: Tensor, size: int) -> Tensor:
        """Ask the row of each position: (B, H, Q, query_size) -> (B, H, Q, size); positions without a row get 0."""
        scores = self.query_proj(query)[..., :size]  # (B, H, Q, at most max_source)
        return F.pad(scores, (0, size - scores.shape[-1]))


class LocationScore(PositionalScore):
    """From the query alone: score_s = w_s . q, one row w_s for each source position s.

    Our w_s are the rows of the paper's W_a. As there, a short sentence uses only the top rows; they ignore words past the last
    row, we refuse unless told to.
    """

    formula = "score_s = w_s . q"
    source = "Luong et al. 2015, arXiv:1508.04025, equation 8 (location)"
    expects = "knows where, never what: learns typical positions, and fails where the order of words varies"
    reads_memory = False

    def project_keys(self, memory: Tensor) -> Tensor:
        return memory[..., :0]  # (B, H, S, 0): only the length counts

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return self.rows(query, keys.shape[2])


class ConcatLinearScore(PositionalScore):
    """A linear map of the concatenation, read at the key's own position: score_s = w_s . [q; k_s] + b_s.

    The tutorial's nn.Linear(2 * hidden_size, max_length) is read as one score for each position. There the second half of the
    concatenation is the embedded input token; here it is the key, since a score sees queries and memory.
    """

    formula = "score_s = w_s . [q; k_s] + b_s"
    source = "PyTorch tutorial 'Translation with a sequence to sequence network and attention' (AttnDecoderRNN)"
    expects = "query and key are added, not compared: the choice of token can depend on the query only through its position"

    def __init__(self, *, max_source: int, longer: Literal["refuse", "ignore"] = "refuse", **sizes: Unpack[Sizes]) -> None:
        super().__init__(max_source=max_source, longer=longer, **sizes)
        self.width = sizes["query_size"] + sizes["memory_size"]
        self.key_proj = HeadLinear(heads=self.heads, in_features=sizes["memory_size"], out_features=max_source)
        self.bias = nn.Parameter(torch.zeros(self.heads, max_source))

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        size = keys.shape[2]
        known = keys[:, :, : self.max_source]  # the position of a key is only known here: keys may have been appended
        share = (known * self.key_proj.weight[:, :size]).sum(dim=-1) + self.bias[:, :size]  # (B, H, at most max_source)
        padded = F.pad(share, (0, size - share.shape[-1]))
        return self.rows(query, size) + padded.unsqueeze(2)  # (B, H, Q, S)
