"""Models before they learn to translate: what they read, and what of them is trained."""

import pytest
import torch

from seq2seq.config.model import EncoderDecoderSettings
from seq2seq.config.transformer import DecoderOnlySettings
from seq2seq.corpus.tokenizer import BOS, EOS, PAD
from seq2seq.models.build import build_model
from seq2seq.models.pretraining import LanguageModel, MaskedModel

V, B, S, T = 19, 3, 7, 5
STACK = {"kind": "transformer", "hidden_size": 8, "layers": 1, "feedforward_size": 8, "self_attention": {"heads": 2}}
PARTS = {
    "rnn": {"encoder": {"hidden_size": 4, "embedding_size": 8}, "decoder": {"hidden_size": 8, "embedding_size": 8}},
    "none": {
        "encoder": {"hidden_size": 4, "embedding_size": 8},
        "decoder": {"hidden_size": 8, "embedding_size": 8},
        "attention": {"score": "none"},
    },
    "conv": {"encoder": {"kind": "conv", "hidden_size": 8, "embedding_size": 8}, "decoder": STACK},
    "transformer": {"encoder": STACK, "decoder": STACK},
}


def build(kind, tie="all"):
    torch.manual_seed(1)
    if kind == "decoder_only":
        settings = DecoderOnlySettings(hidden_size=8, layers=1, feedforward_size=8, self_attention={"heads": 2}, tie=tie)
    else:
        settings = EncoderDecoderSettings.model_validate({**PARTS[kind], "tie": tie})
    return build_model(settings, source_vocabulary=V, target_vocabulary=V).eval()


def batch():
    mask = torch.arange(S) < torch.tensor([[S], [4], [1]])
    source = torch.randint(4, V, (B, S)).masked_fill(~mask, PAD)
    inputs = torch.randint(4, V, (B, T))
    inputs[:, 0] = BOS
    return source, mask, inputs


def trained(model, *inputs):
    """Names of the parameters of the whole model that have a gradient other than zero."""
    features = model(*inputs).features
    torch.nn.functional.cross_entropy(
        model.output(features).flatten(0, 1), torch.randint(4, V, features.shape[:2]).flatten()
    ).backward()
    return {n for n, p in model.whole.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}


@pytest.mark.parametrize("tie", ["none", "all"])
@pytest.mark.parametrize("kind", PARTS)
def test_hidden_tokens_train_the_encoder_alone(kind, tie):
    model = MaskedModel(whole=build(kind, tie))
    source, mask, inputs = batch()
    assert model(source, mask, inputs).features.shape == (B, S, 8)
    names = trained(model, source, mask, inputs)
    assert all(name.startswith("encoder.") for name in names)
    assert {name for name, _ in model.whole.encoder.named_parameters()} <= {name.removeprefix("encoder.") for name in names}
    assert model.output.weight is getattr(model.whole.encoder.embedding, "table", model.whole.encoder.embedding).weight


@pytest.mark.parametrize("kind", PARTS)
def test_a_decoder_alone_learns_the_language_and_sees_no_source(kind):
    model = LanguageModel(whole=build(kind, "output"))
    source, mask, inputs = batch()
    features = model(source, mask, inputs).features
    torch.testing.assert_close(model(source.flip(1), mask.flip(1), inputs).features, features)
    later = inputs.clone()
    later[:, 3:] = 4 + (later[:, 3:] - 3) % (V - 4)
    torch.testing.assert_close(model(source, mask, later).features[:, :3], features[:, :3])
    names = trained(model, source, mask, inputs)
    bridge = ("encoder.", "decoder.attention", "decoder.layers.0.cross_attention")
    assert not any(name.startswith(bridge) and "output_proj" not in name for name in names)
    assert any(name.startswith("decoder.layers") for name in names)


def test_a_decoder_only_stack_reads_the_end_of_an_empty_source():
    model = LanguageModel(whole=build("decoder_only"))
    source, mask, (_, _, inputs) = torch.full((B, 1), EOS), torch.ones(B, 1, dtype=torch.bool), batch()
    assert any("layers" in name for name in trained(model, source, mask, inputs))
    torch.testing.assert_close(model(source, mask, inputs).features, model.whole(source, mask, inputs).features)
