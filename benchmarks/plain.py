"""Straightforward torch.nn code for the same models and batches: what anyone would write in an afternoon.

Small models: nn.GRU for the fixed vector, a loop over nn.GRUCell for attention before the recurrence, nn.Transformer.
A1: packed nn.GRU, then a loop over nn.GRUCell with additive attention and input feeding. A2: nn.Transformer. Loss over all
positions, padding ignored; torch's own defaults for memory and products, unless the environment says otherwise.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.corpus import prepared
from benchmarks.systems import (
    BATCH_TOKENS,
    DROPOUT,
    EMBEDDING,
    FEEDFORWARD,
    HIDDEN,
    LAYERS,
    SMALL,
    SMALL_BATCH_TOKENS,
    SMALL_VOCABULARY,
    VOCABULARIES,
)

if TYPE_CHECKING:
    from benchmarks.stamps import Stamps


class PlainRnn(nn.Module):
    """A1."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.source, self.target = (nn.Embedding(vocabulary, EMBEDDING, padding_idx=0) for _ in range(2))
        self.encoder = nn.GRU(EMBEDDING, HIDDEN // 2, batch_first=True, bidirectional=True)
        self.first = nn.Linear(HIDDEN, HIDDEN)
        self.key, self.query = nn.Linear(HIDDEN, HIDDEN, bias=False), nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.energy = nn.Linear(HIDDEN, 1, bias=False)
        self.cell = nn.GRUCell(EMBEDDING + HIDDEN, HIDDEN)
        self.readout = nn.Linear(2 * HIDDEN, HIDDEN, bias=False)
        self.output = nn.Linear(HIDDEN, vocabulary)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, source: Tensor, mask: Tensor, inputs: Tensor) -> Tensor:
        embedded = self.dropout(self.source(source))
        packed = nn.utils.rnn.pack_padded_sequence(embedded, mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False)
        states, last = self.encoder(packed)
        memory, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
        hidden = torch.tanh(self.first(torch.cat([last[0], last[1]], dim=-1)))
        keys, embedded = self.key(memory), self.dropout(self.target(inputs))
        fed, outputs = torch.zeros_like(hidden), []
        for step in range(inputs.shape[1]):
            hidden = self.cell(torch.cat([embedded[:, step], fed], dim=-1), hidden)
            scores = self.energy(torch.tanh(self.query(hidden).unsqueeze(1) + keys)).squeeze(-1)
            weights = scores.masked_fill(~mask, -1e9).softmax(dim=-1)
            context = torch.bmm(weights.unsqueeze(1), memory).squeeze(1)
            fed = self.dropout(torch.tanh(self.readout(torch.cat([context, hidden], dim=-1))))
            outputs.append(fed)
        logits: Tensor = self.output(torch.stack(outputs, dim=1))
        return logits


class SmallRnn(nn.Module):
    """The demo's systems: a context enters cell and readout, the encoder's fixed vector or additive attention's."""

    def __init__(self, vocabulary: int, attends: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 128, padding_idx=0)
        self.encoder = nn.GRU(128, 96, batch_first=True, bidirectional=True)
        self.first, self.readout = nn.Linear(192, 192), nn.Linear(384, 128, bias=False)
        self.output = nn.Linear(128, vocabulary)
        self.output.weight = self.embedding.weight
        self.attends = attends
        if attends:
            self.cell = nn.GRUCell(128 + 192, 192)
            self.key, self.query, self.energy = (nn.Linear(192, size, bias=False) for size in (192, 192, 1))
        else:
            self.decoder = nn.GRU(128 + 192, 192, batch_first=True)

    def forward(self, source: Tensor, mask: Tensor, inputs: Tensor) -> Tensor:
        lengths = mask.sum(dim=1)
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(source), lengths, batch_first=True, enforce_sorted=False)
        states, last = self.encoder(packed)
        memory, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
        summary, embedded = torch.cat([last[0], last[1]], dim=-1), self.embedding(inputs)
        hidden = torch.tanh(self.first(summary))
        if not self.attends:
            context = summary.unsqueeze(1).expand(-1, inputs.shape[1], -1)
            hiddens, _ = self.decoder(torch.cat([embedded, context], dim=-1), hidden.unsqueeze(0))
            logits: Tensor = self.output(torch.tanh(self.readout(torch.cat([context, hiddens], dim=-1))))
            return logits
        keys, outputs = self.key(memory), []
        for step in range(inputs.shape[1]):
            scores = self.energy(torch.tanh(self.query(hidden).unsqueeze(1) + keys)).squeeze(-1)
            weights = scores.masked_fill(~mask, -1e9).softmax(dim=-1)
            context = torch.bmm(weights.unsqueeze(1), memory).squeeze(1)
            hidden = self.cell(torch.cat([embedded[:, step], context], dim=-1), hidden)
            outputs.append(torch.tanh(self.readout(torch.cat([context, hidden], dim=-1))))
        found: Tensor = self.output(torch.stack(outputs, dim=1))
        return found


class PlainTransformer(nn.Module):
    """A2."""

    def __init__(
        self,
        vocabulary: int,
        hidden: int = HIDDEN,
        inside: int = FEEDFORWARD,
        layers: int = LAYERS,
        drop: float = DROPOUT,
        heads: int = 4,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.embedding = nn.Embedding(vocabulary, hidden, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=hidden**-0.5)
        self.output = nn.Linear(hidden, vocabulary)
        self.output.weight = self.embedding.weight
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "enable_nested_tensor")  # that it is of no use here
            self.stack = nn.Transformer(hidden, heads, layers, layers, inside, drop, batch_first=True, norm_first=True)
        self.dropout = nn.Dropout(drop)

    def embed(self, tokens: Tensor) -> Tensor:
        """Scaled vectors plus sines and cosines."""
        places = torch.arange(tokens.shape[1], device=tokens.device).unsqueeze(1)
        angles = places * torch.exp(torch.arange(0, self.hidden, 2, device=tokens.device) * (-math.log(10000.0) / self.hidden))
        waves = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
        embedded: Tensor = self.dropout(self.embedding(tokens) * math.sqrt(self.hidden) + waves)
        return embedded

    def forward(self, source: Tensor, mask: Tensor, inputs: Tensor) -> Tensor:
        later = torch.ones(inputs.shape[1], inputs.shape[1], dtype=torch.bool, device=inputs.device).triu(1)
        states = self.stack(
            self.embed(source),
            self.embed(inputs),
            tgt_mask=later,
            src_key_padding_mask=~mask,
            memory_key_padding_mask=~mask,
            tgt_is_causal=True,
        )
        logits: Tensor = self.output(states)
        return logits


MAKERS: dict[str, Callable[[int], nn.Module]] = {
    "A1": PlainRnn,
    "A2": PlainTransformer,
    "small none": lambda vocabulary: SmallRnn(vocabulary, attends=False),
    "small additive": lambda vocabulary: SmallRnn(vocabulary, attends=True),
    "small transformer": lambda vocabulary: PlainTransformer(vocabulary, 128, 256, 2, 0.0),
}


def train_plain(model_name: str, precision: str, corpus: str, stamps: Stamps) -> None:
    """Train until `stamps` ends the process."""
    from seq2seq.corpus.batching import Batches

    data = prepared(corpus, model_name)
    torch.manual_seed(1)
    model = MAKERS[model_name](SMALL_VOCABULARY if model_name in SMALL else VOCABULARIES[corpus]).train()
    batch_tokens = SMALL_BATCH_TOKENS if model_name in SMALL else BATCH_TOKENS
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98))
    batches, epoch = Batches(data.train, batch_tokens=batch_tokens, seed=1), 0
    while True:
        for batch in batches.epoch(epoch):
            stamps.saw(batch.source_mask, batch.target_mask)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                logits = model(batch.source, batch.source_mask, batch.inputs).flatten(0, 1)
                loss = functional.cross_entropy(logits, batch.targets.flatten(), ignore_index=0, label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        epoch += 1
