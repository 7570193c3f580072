"""Every position and mechanism learns to reverse short sequences, as far as what it sees allows."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from seq2seq.attention.masks import length_mask
from seq2seq.config.attention import AttentionSettings
from seq2seq.config.transformer import DecoderOnlySettings, TransformerDecoderSettings, TransformerEncoderSettings
from seq2seq.corpus.tokenizer import BOS, EOS
from seq2seq.models.decoder_only import build_decoder_only
from seq2seq.models.embedding import token_table
from seq2seq.models.interface import EncoderDecoder, Model
from seq2seq.models.transformer import build_transformer_decoder, build_transformer_encoder

V, LONGEST = 12, 7
STACK = {"hidden_size": 32, "feedforward_size": 64, "layers": 2, "dropout": 0.0}


def encoder_decoder(positions="sinusoidal", encoder_mechanism="full", decoder_mechanism="full") -> Model:
    def part(mechanism):
        return {**STACK, "positions": positions, "self_attention": {"heads": 2, "mechanism": mechanism}}

    encoder = build_transformer_encoder(
        TransformerEncoderSettings(**part(encoder_mechanism)), embedding=token_table(V, STACK["hidden_size"])
    )
    decoder = build_transformer_decoder(
        TransformerDecoderSettings(**part(decoder_mechanism)),
        AttentionSettings(score="scaled", heads=2),
        embedding=token_table(V, STACK["hidden_size"]),
        memory_size=encoder.memory_size,
        summary_size=encoder.summary_size,
    )
    return EncoderDecoder(encoder=encoder, decoder=decoder, output=nn.Linear(STACK["hidden_size"], V))


def decoder_only(prefix: str) -> Model:
    settings = DecoderOnlySettings(**STACK, prefix=prefix, self_attention={"heads": 2})
    return build_decoder_only(settings, source_vocabulary=V, target_vocabulary=V)


MODELS = {
    **{f"positions-{kind}": {"positions": kind} for kind in ("sinusoidal", "learned", "relative", "rope", "alibi")},
    **{
        f"both-{kind}": {"encoder_mechanism": kind, "decoder_mechanism": kind}
        for kind in ("window", "strided", "linear", "lsh")
    },
    "encoder-linformer": {"encoder_mechanism": "linformer"},
}


def final_loss(model: Model, steps: int = 1000) -> float:
    """Train on reversal and return the mean loss of the last 20 steps, in nats a token."""
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(steps):
        lengths = torch.randint(3, LONGEST + 1, (32,))
        mask = length_mask(lengths + 1, LONGEST + 1)  # end of sentence included
        source = torch.randint(4, V, (32, LONGEST + 1)).masked_fill(~mask, 0)
        target = torch.zeros_like(source)
        for row, length in enumerate(lengths.tolist()):
            target[row, :length] = source[row, :length].flip(0)
            source[row, length] = target[row, length] = EOS
        inputs = torch.cat([torch.full((32, 1), BOS), target[:, :-1]], dim=1)
        logits = model.logits(model(source, mask, inputs).features)
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return sum(losses[-20:]) / 20


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_reversal_is_learned(name):
    torch.manual_seed(1)
    assert final_loss(encoder_decoder(**MODELS[name])) < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["bidirectional", "causal"])
def test_one_stack_learns_reversal(prefix):
    torch.manual_seed(1)
    assert final_loss(decoder_only(prefix)) < 0.2
