"""A mixture of scores whose shares each query chooses."""

from collections.abc import Sequence
from typing import Unpack, cast

import torch
from torch import Tensor, nn

from seq2seq.attention.heads import HeadLinear
from seq2seq.attention.keys import Past, answer
from seq2seq.attention.scores.base import Score, Sizes


class GatedScore(Score):
    """A learned mixture: score = sum over m of g_m score_m, g = softmax(W_g q + b_g), one gate for each head and query.

    The gate is that of a mixture of experts (Jacobs et al. 1991, Adaptive mixtures of local experts) with the query as its
    input, before the normaliser, so that the weights still sum to one. With one member it is that member.
    """

    formula = "score = sum_m g_m score_m, g = softmax(W_g q + b_g)"
    source = "this project, after the gate of Jacobs et al. 1991 (mixture of experts)"
    expects = "at least its best member once trained; the gate tells which member a query prefers"

    def __init__(self, *, members: Sequence[Score], **sizes: Unpack[Sizes]) -> None:
        super().__init__(**sizes)
        self.members = cast("Sequence[Score]", nn.ModuleList(members))
        self.gate = HeadLinear(heads=self.heads, in_features=sizes["query_size"], out_features=len(members), bias=True)
        self.position_blind = all(member.position_blind for member in members)
        self.reads_past = any(member.reads_past for member in members)
        self.width = max(member.width for member in members)
        with torch.no_grad():
            probe = torch.zeros(1, self.heads, 1, sizes["memory_size"])
            self.key_sizes = [member.project_keys(probe).shape[-1] for member in members]

    def limit(self, mask: Tensor) -> Tensor:
        for member in self.members:
            mask = member.limit(mask)
        return mask

    def project_keys(self, memory: Tensor) -> Tensor:
        """Keys of all members side by side: (B, H, S, memory_size) -> (B, H, S, sum of A_m)."""
        return torch.cat([member.project_keys(memory) for member in self.members], dim=-1)

    def forward(self, query: Tensor, keys: Tensor, past: Past | None = None) -> Tensor:
        shares = torch.softmax(self.gate(query), dim=-1).unbind(dim=-1)  # one (B, H, Q) for each member
        parts = torch.split(keys, self.key_sizes, dim=-1)  # one (B, H, S, A_m) for each member
        scores = [answer(member, query, part, past=past) for member, part in zip(self.members, parts, strict=True)]
        mixed: Tensor = scores[0] * shares[0].unsqueeze(-1)  # (B, H, Q, S)
        for score, share in zip(scores[1:], shares[1:], strict=True):
            mixed = mixed + score * share.unsqueeze(-1)
        return mixed
