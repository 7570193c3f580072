"""One stack over source and target, as in a language model: no encoder, no bridge, the same weights for both sides."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from seq2seq.config.transformer import DecoderOnlySettings
from seq2seq.models.embedding import PositionedEmbedding, build_positioned_embedding, token_table
from seq2seq.models.interface import DecoderOutput, Memory, Model, State, StepOutput, index_rows, mean_memory
from seq2seq.models.output import build_output
from seq2seq.models.sublayers import EncoderLayer, encoder_layers


class DecoderOnly(Model):
    """A row is source, end of sentence, begin of sentence, target; a target position sees the source and what stands before it.

    Source: Raffel et al. 2020, arXiv:1910.10683, section 3.2.1, figure 4: "prefix LM" (`bidirectional`) and, else, "language
    model". The loss is over the target alone. Source and target have their own embeddings unless these are tied; the end of
    the source and the beginning of the target are what separates the sides.

    Padding. A batch keeps sources in one padded block and targets in another, and target positions count on from the true
    length of their own source. So distances, patterns and results are those of the sentence alone.

    Weights are those of target positions over source positions in the last layer, the mean over heads. What is missing to one
    is the weight on the target itself.

    The layers' self-attention is causal and has steps; with norm "pre" a last normalisation follows them.
    """

    def __init__(
        self,
        *,
        source_embedding: PositionedEmbedding,
        target_embedding: PositionedEmbedding,
        layers: Sequence[EncoderLayer],
        output: nn.Linear,
        norm: str,
        bidirectional: bool,
    ) -> None:
        super().__init__()
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        self.layers = cast("Sequence[EncoderLayer]", nn.ModuleList(layers))
        self.final_norm = nn.LayerNorm(target_embedding.table.embedding_dim) if norm == "pre" else nn.Identity()
        self.output = output
        self.bidirectional = bidirectional

    def encode(self, source: Tensor, mask: Tensor) -> Memory:
        """Run the stack over source tokens (B, S) with mask (B, S); `caches` are what each layer offers of them."""
        states = self.source_embedding(source)  # (B, S, D)
        caches = []
        for layer in self.layers:
            around = layer.around_attention
            context, cache = layer.self_attention.read(around.enter(states), mask, bidirectional=self.bidirectional)
            caches.append(cache)
            states = layer.feed(around.leave(states, context))
        return mean_memory(self.final_norm(states), mask, tuple(caches))

    def start(self, memory: Memory) -> State:
        """No hypothesis has a past yet; the source's share of each layer stays with the sentence."""
        source = (memory.mask, memory.caches)
        return State(source, hypothesis=self._no_past(memory), position=0, output=self.folded_output())

    def step(self, tokens: Tensor, state: State, need_weights: bool = False) -> StepOutput:
        mask, sources = state.sentence
        features, past, weights = self._advance(
            tokens.unsqueeze(1), mask, sources, state.hypothesis, state.position, need_weights
        )
        following = replace(state, hypothesis=past, position=state.position + 1)
        return StepOutput(
            logits=self.logits(features.squeeze(1), state.output),
            state=following,
            weights=None if weights is None else weights.squeeze(1),
        )

    def decode(self, memory: Memory, inputs: Tensor, need_weights: bool = False) -> DecoderOutput:
        """Run over known inputs (B, T), bos first: one long step."""
        features, _, weights = self._advance(inputs, memory.mask, memory.caches, self._no_past(memory), 0, need_weights)
        return DecoderOutput(features=features, weights=weights)

    def _no_past(self, memory: Memory) -> tuple[Any, ...]:
        return tuple(layer.self_attention.no_past(memory.states) for layer in self.layers)

    def _advance(
        self, tokens: Tensor, mask: Tensor, sources: tuple[Any, ...], past: tuple[Any, ...], position: int, need_weights: bool
    ) -> tuple[Tensor, tuple[Any, ...], Tensor | None]:
        """Run over new tokens (N, T) behind `position` earlier ones: features (N, T, D), the new past, weights (N, T, S)."""
        beam = tokens.shape[0] // mask.shape[0]
        owners = torch.arange(mask.shape[0], device=mask.device).repeat_interleave(beam)  # (N,), the source of each row
        positions = _joined_positions(mask[owners], position + tokens.shape[1])
        states = self.target_embedding(tokens, positions[:, -tokens.shape[1] :])  # (N, T, D)
        grown, weights = [], None
        for layer, source, before in zip(self.layers, sources, past, strict=True):
            around = layer.around_attention
            read = source if beam == 1 else index_rows(source, owners)
            wanted = need_weights and layer is self.layers[-1]
            context, weights, following = layer.self_attention.follow(around.enter(states), read, before, positions, wanted)
            grown.append(following)
            states = layer.feed(around.leave(states, context))
        over_source = None if weights is None else weights.mean(dim=1)  # (N, T, S)
        return self.final_norm(states), tuple(grown), over_source


def _joined_positions(source_mask: Tensor, size: int) -> Tensor:
    """Positions of a source block with mask (N, S), then of `size` targets that count on from its length: (N, S + size)."""
    rows, source_size = source_mask.shape
    places = torch.arange(max(source_size, size), device=source_mask.device)
    targets = source_mask.sum(dim=1, keepdim=True) + places[:size]  # (N, size)
    return torch.cat([places[:source_size].expand(rows, -1), targets], dim=1)


def build_decoder_only(settings: DecoderOnlySettings, *, source_vocabulary: int, target_vocabulary: int) -> DecoderOnly:
    """Build the model with fresh weights."""
    size = settings.hidden_size
    target = token_table(target_vocabulary, size)
    source = target if settings.tie == "all" else token_table(source_vocabulary, size)
    output = build_output(size, target_vocabulary, None if settings.tie == "none" else target)
    return DecoderOnly(
        source_embedding=build_positioned_embedding(settings, source),
        target_embedding=build_positioned_embedding(settings, target),
        layers=encoder_layers(settings, causal=True),
        output=output,
        norm=settings.norm,
        bidirectional=settings.prefix == "bidirectional",
    )
