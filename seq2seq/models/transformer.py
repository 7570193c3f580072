"""Transformer encoder and decoder, pre- or post-norm, over any self-attention mechanism and any bridge of the family.

Source: Vaswani et al. 2017, arXiv:1706.03762, section 3; pre-norm as in Xiong et al. 2020, arXiv:2002.04745, figure 1 (b).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from seq2seq.attention.attention import Attention
from seq2seq.attention.build import build_attention, build_self_attention
from seq2seq.attention.fixed import FixedContext
from seq2seq.attention.keys import Keys
from seq2seq.attention.mechanisms import SelfAttention
from seq2seq.config.attention import AttentionSettings
from seq2seq.config.transformer import TransformerDecoderSettings, TransformerEncoderSettings
from seq2seq.models.embedding import PositionedEmbedding, build_positioned_embedding
from seq2seq.models.interface import Decoder, DecoderOutput, Encoder, Memory, State, mean_memory
from seq2seq.models.sublayers import EncoderLayer, FeedForward, Residual, around_attention, encoder_layers


class TransformerEncoder(Encoder):
    """A stack of encoder layers, with norm "pre" a last normalisation; the summary is the mean of the states at real tokens."""

    def __init__(self, *, embedding: PositionedEmbedding, layers: Sequence[EncoderLayer], norm: str) -> None:
        super().__init__()
        self.embedding = embedding
        self.layers = cast("Sequence[EncoderLayer]", nn.ModuleList(layers))
        self.memory_size = self.summary_size = embedding.table.embedding_dim
        self.final_norm = nn.LayerNorm(self.memory_size) if norm == "pre" else nn.Identity()

    def forward(self, source: Tensor, mask: Tensor) -> Memory:
        states = self.embedding(source)  # (B, S, D)
        for layer in self.layers:
            states = layer(states, mask)
        return mean_memory(self.final_norm(states), mask)


class DecoderLayer(EncoderLayer):
    """Causal self-attention of a mechanism that has steps, attention over the memory, then feed-forward."""

    def __init__(
        self,
        *,
        self_attention: SelfAttention,
        cross_attention: Attention | FixedContext,
        feedforward: FeedForward,
        **around: Any,
    ) -> None:
        super().__init__(self_attention=self_attention, feedforward=feedforward, **around)
        self.cross_attention = cross_attention
        self.around_cross = Residual(**around)

    def ask(self, states: Tensor, keys: Keys, positions: Tensor | None, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        """Go on from self-attention to the end of the layer: states (B, Q, hidden_size) attend to the keys of B sentences.

        Returns:
            States (B, Q, hidden_size), and the mean of the heads' weights (B, Q, S), None if not asked for.
        """
        around = self.around_cross
        context, weights, _ = self.cross_attention(around.enter(states), keys, positions=positions, need_weights=need_weights)
        return self.feed(around.leave(states, context)), None if weights is None else weights.mean(dim=1)


class TransformerDecoder(Decoder):
    """A stack of decoder layers over any memory; weights are those of the last layer's bridge, the mean over heads."""

    def __init__(self, *, embedding: PositionedEmbedding, layers: Sequence[DecoderLayer], norm: str) -> None:
        super().__init__()
        self.embedding = embedding
        self.layers = cast("Sequence[DecoderLayer]", nn.ModuleList(layers))
        self.output_size = embedding.table.embedding_dim
        self.final_norm = nn.LayerNorm(self.output_size) if norm == "pre" else nn.Identity()

    def start(self, memory: Memory) -> State:
        """Project the memory once a layer; no hypothesis has a past yet."""
        caches = tuple(layer.self_attention.start(memory.states) for layer in self.layers)
        return State(sentence=self._project(memory), hypothesis=caches, position=0)

    def step(self, tokens: Tensor, state: State, need_weights: bool = False) -> tuple[Tensor, State, Tensor | None]:
        """Feed tokens (N,), N = B * K: the K hypotheses of a sentence ask together and share its keys."""
        position = torch.full((1,), state.position, device=tokens.device)
        states = self.embedding(tokens.unsqueeze(1), position)  # (N, 1, D)
        weights, caches = None, []
        for layer, keys, cache in zip(self.layers, state.sentence, state.hypothesis, strict=True):
            around = layer.around_attention
            update, grown = layer.self_attention.step(around.enter(states), cache, state.position)
            caches.append(grown)
            grouped = around.leave(states, update).view(keys.mask.shape[0], -1, self.output_size)  # (B, K, D)
            wanted = need_weights and layer is self.layers[-1]
            grouped, weights = layer.ask(grouped, keys, position.expand(grouped.shape[1]), wanted)
            states = grouped.view(-1, 1, self.output_size)
        features = self.final_norm(states).squeeze(1)  # (N, D)
        following = replace(state, hypothesis=tuple(caches), position=state.position + 1)
        return features, following, None if weights is None else weights.flatten(0, 1)

    def forward(self, memory: Memory, inputs: Tensor, need_weights: bool = False) -> DecoderOutput:
        """Run over known inputs (B, T); padding lies behind the real tokens, so causality keeps it out."""
        states = self.embedding(inputs)  # (B, T, D)
        weights = None
        for layer, keys in zip(self.layers, self._project(memory), strict=True):
            around = layer.around_attention
            states = around.leave(states, layer.self_attention(around.enter(states)))
            states, weights = layer.ask(states, keys, None, need_weights and layer is self.layers[-1])
        return DecoderOutput(features=self.final_norm(states), weights=weights)

    def _project(self, memory: Memory) -> tuple[Keys, ...]:
        return tuple(
            layer.cross_attention.project_keys(memory.states, memory.mask, memory.summary, memory.segments)
            for layer in self.layers
        )


def build_transformer_encoder(settings: TransformerEncoderSettings, *, embedding: nn.Embedding) -> TransformerEncoder:
    """Build an encoder over a source embedding of `hidden_size` features."""
    layers = encoder_layers(settings, causal=False)
    return TransformerEncoder(embedding=build_positioned_embedding(settings, embedding), layers=layers, norm=settings.norm)


def build_transformer_decoder(
    settings: TransformerDecoderSettings,
    attention: AttentionSettings,
    *,
    embedding: nn.Embedding,
    memory_size: int,
    summary_size: int,
) -> TransformerDecoder:
    """Build a decoder over a target embedding of `hidden_size` features, with the same bridge in every layer."""
    size = settings.hidden_size
    layers = [
        DecoderLayer(
            self_attention=build_self_attention(settings, causal=True),
            cross_attention=build_attention(
                attention,
                query_size=size,
                memory_size=memory_size,
                summary_size=summary_size,
                projected=True,
                context_size=size,
            ),
            **around_attention(settings),
        )
        for _ in range(settings.layers)
    ]
    return TransformerDecoder(embedding=build_positioned_embedding(settings, embedding), layers=layers, norm=settings.norm)
