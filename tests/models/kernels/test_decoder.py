"""The decoder's loop as one operation equals the plain loop, in values and in every gradient, and so do its single steps."""

import pytest
import torch

from seq2seq.config.model import EncoderDecoderSettings
from seq2seq.corpus.tokenizer import BOS, PAD
from seq2seq.models import recurrent, rnn
from seq2seq.models.build import build_model
from seq2seq.models.kernels import attention
from tests.models.hypotheses import expand

CASES = [("before", False), ("before", True), ("after", True)]
B, S, T = 5, 7, 11


ATTENTION = {
    "additive": {"score": "additive"},
    "scaled": {"score": "scaled", "heads": 2, "attention_size": 8},
    "dot": {"score": "dot", "attention_size": 4},
    "bilinear": {"score": "bilinear"},
}


def build(placement, feeding, dropout=0.0, attention="additive"):
    torch.manual_seed(1)
    encoder = {"hidden_size": 3, "embedding_size": 5, "dropout": dropout}
    decoder = {"hidden_size": 13, "embedding_size": 5, "dropout": dropout, "placement": placement, "input_feeding": feeding}
    settings = EncoderDecoderSettings.model_validate(
        {"encoder": encoder, "decoder": decoder, "attention": ATTENTION[attention]}
    )
    return build_model(settings, source_vocabulary=29, target_vocabulary=31).double()


def example():
    generator = torch.Generator().manual_seed(5)
    source = torch.randint(4, 29, (B, S), generator=generator)
    mask = torch.arange(S) < torch.tensor([S, 4, 2, S, 1]).unsqueeze(1)
    inputs = torch.randint(4, 31, (B, T), generator=generator)
    inputs[:, 0] = BOS
    return source.masked_fill(~mask, PAD), mask, inputs


def run(model, device="cpu"):
    model.zero_grad()
    torch.manual_seed(3)
    features = model(*(part.to(device) for part in example())).features.to("cpu")
    (features * torch.linspace(-1, 1, features.numel(), dtype=features.dtype).view(features.shape)).sum().backward()
    return features.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def without_kernels(monkeypatch):
    monkeypatch.setattr(rnn, "has_kernel", lambda *_: False)
    monkeypatch.setattr(rnn, "attends_additively", lambda *_: False)
    monkeypatch.setattr(recurrent.RecurrentLayer, "has_kernel", lambda *_: False)


@pytest.mark.parametrize("attention", ATTENTION)
@pytest.mark.parametrize(("placement", "feeding"), CASES)
def test_equals_the_plain_loop(monkeypatch, placement, feeding, attention):
    model = build(placement, feeding, attention=attention).train()
    assert rnn.has_kernel(model.decoder, need_weights=False)
    values, gradients = run(model)
    without_kernels(monkeypatch)
    expected, plain = run(model)
    torch.testing.assert_close(values, expected)
    assert gradients.keys() == plain.keys()
    for name in plain:
        torch.testing.assert_close(gradients[name], plain[name], msg=name)


@pytest.mark.gpu
@pytest.mark.parametrize("attention", ATTENTION)
@pytest.mark.parametrize(("placement", "feeding"), CASES)
def test_an_accelerator_computes_the_same(placement, feeding, attention):
    model = build(placement, feeding, attention=attention).train()
    here, there = run(model), run(model.cuda(), "cuda")
    torch.testing.assert_close(there[0], here[0])
    for name in here[1]:
        torch.testing.assert_close(there[1][name].cpu(), here[1][name], msg=name)


@pytest.mark.parametrize(("placement", "feeding"), CASES)
def test_dropout_of_the_attentional_state_has_the_gradient_of_its_noise(placement, feeding):
    model = build(placement, feeding, dropout=0.3).train()
    weight = model.decoder.readout.weight
    _, gradients = run(model)
    slope = gradients["decoder.readout.weight"]
    direction = torch.randn_like(weight)

    def total(step):
        with torch.no_grad():
            weight.add_(direction, alpha=step)
            torch.manual_seed(3)
            features = model(*example()).features
            weight.sub_(direction, alpha=step)
        return (features * torch.linspace(-1, 1, features.numel(), dtype=features.dtype).view(features.shape)).sum()

    torch.testing.assert_close((total(1e-5) - total(-1e-5)) / 2e-5, (slope * direction).sum(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("placement", "feeding"), [*CASES, ("after", False)])
def test_steps_of_a_search_equal_the_forward_pass(placement, feeding):
    model = build(placement, feeding).eval()
    source, mask, inputs = example()
    expected = model.logits(model(source, mask, inputs).features)
    with torch.no_grad():
        state = expand(model.start(model.encode(source, mask)), 2)
        for t in range(T):
            output = model.step(inputs[:, t].repeat_interleave(2), state, need_weights=True)
            state = output.state
            torch.testing.assert_close(output.logits[::2], expected[:, t])
            torch.testing.assert_close(output.weights.sum(dim=-1), torch.ones(2 * B, dtype=torch.float64))


@pytest.mark.parametrize("attention", ATTENTION)
def test_bf16_products_stay_near(attention):
    model = build("after", True, attention=attention).float().train()
    exact, _ = run(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        near, gradients = run(model)
    assert near.dtype == torch.float32
    assert all(gradient.dtype == torch.float32 for gradient in gradients.values())
    torch.testing.assert_close(near, exact, rtol=0, atol=0.02)


def test_large_queries_and_keys_stay_finite():
    model = build("after", True).train()
    with torch.no_grad():
        model.decoder.attention.score.query_proj.weight.mul_(1e5)
        model.decoder.attention.score.key_proj.weight.mul_(1e5)
    values, gradients = run(model)
    assert torch.isfinite(values).all()
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())


@pytest.mark.parametrize("numbers", [1, 200])
def test_blocks_of_a_few_sentences_change_nothing(monkeypatch, numbers):
    model = build("before", False).train()
    values, gradients = run(model)
    monkeypatch.setattr(attention, "_NUMBERS", numbers)  # one sentence a block; two of the five
    expected, found = run(model)
    torch.testing.assert_close(values, expected)
    for name in gradients:
        torch.testing.assert_close(found[name], gradients[name], msg=name)
