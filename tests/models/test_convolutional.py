"""The convolutional encoder: by hand, blind to padding, and under every bridge and decoder."""

import math

import pytest
import torch
from pydantic import ValidationError

from seq2seq.config.model import ConvEncoderSettings, EncoderDecoderSettings
from seq2seq.models.budget import flops_per_token, meta_model
from seq2seq.models.build import build_model
from seq2seq.models.convolutional import ConvLayer
from seq2seq.models.interface import count_parameters
from tests.models.test_budget import settings
from tests.models.test_rnn import BRIDGES, SOURCE, TARGET, B, S, pair, stepped
from tests.models.test_transformer import BRIDGES as TRANSFORMER_BRIDGES

ENCODER = {"kind": "conv", "hidden_size": 6, "embedding_size": 11, "layers": 2, "dropout": 0.0}
RNN = {"hidden_size": 13, "embedding_size": 11, "dropout": 0.0}
TRANSFORMER = {"kind": "transformer", "hidden_size": 12, "feedforward_size": 20, "layers": 1, "dropout": 0.0}


def build(bridge="additive", decoder=RNN, **encoder):
    torch.manual_seed(1)
    attention = bridge if isinstance(bridge, dict) else {"score": bridge}
    settings = EncoderDecoderSettings(encoder=ENCODER | encoder, decoder=decoder, attention=attention)
    return build_model(settings, source_vocabulary=SOURCE, target_vocabulary=TARGET).double().eval()


def test_a_layer_by_hand():
    """One feature: a = 1 x_{s-1} + 2 x_s + 3 x_{s+1}, b = log 3, whose sigmoid is 3/4."""
    layer = ConvLayer(hidden_size=1, width=1)
    with torch.no_grad():
        layer.convolution.weight.copy_(torch.tensor([[[1.0, 2.0, 3.0]], [[0.0, 0.0, 0.0]]]))
        layer.convolution.bias.copy_(torch.tensor([0.0, math.log(3)]))
    states = torch.tensor([[[4.0], [8.0], [100.0]]])
    found = layer(states, torch.tensor([[True, True, False]]))[0, :2, 0].detach()
    expected = [math.sqrt(0.5) * (4 + 0.75 * (2 * 4 + 3 * 8)), math.sqrt(0.5) * (8 + 0.75 * (4 + 2 * 8))]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_the_variance_of_small_states_is_kept_through_the_layers():
    """The approximation of section 3.5, sigmoid(b) = 1/2, holds while states are small."""
    torch.manual_seed(1)
    states, mask = 0.1 * torch.randn(16, 40, 64), torch.ones(16, 40, dtype=torch.bool)
    for _ in range(6):
        states = ConvLayer(hidden_size=64, width=1)(states, mask)
    assert 0.8 < float(states.detach().var()) / 0.01 < 1.25


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
def test_padded_equals_truncated_and_padding_gets_no_gradient(positions):
    encoder = build(positions=positions, embedding_size=11 if positions != "sinusoidal" else 12).encoder
    source, mask, _ = pair()
    together = encoder(source, mask)
    assert not together.states[~mask].any()
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        alone = encoder(source[row : row + 1, :length], mask[row : row + 1, :length])
        torch.testing.assert_close(alone.states[0], together.states[row, :length])
        torch.testing.assert_close(alone.summary[0], together.summary[row])
        torch.testing.assert_close(alone.summary[0], alone.states[0].mean(dim=0))
    other = encoder(torch.where(mask, source, torch.full_like(source, 5)), mask)
    torch.testing.assert_close(other.states, together.states)


@pytest.mark.parametrize(("layers", "width"), [(1, 1), (2, 1), (1, 3), (2, 0)])
def test_a_state_sees_layers_times_width_tokens_on_each_side(layers, width):
    encoder = build(layers=layers, width=width).encoder
    source, mask = torch.randint(4, SOURCE, (1, 11)), torch.ones(1, 11, dtype=torch.bool)
    changed = source.clone()
    changed[0, 5] = 4 if source[0, 5] != 4 else 5
    moved = (encoder(source, mask).states != encoder(changed, mask).states).any(dim=-1)[0]
    assert moved.nonzero().flatten().tolist() == [s for s in range(11) if abs(s - 5) <= layers * width]


@pytest.mark.parametrize(
    ("bridge", "decoder"), [*((b, RNN) for b in BRIDGES), *((b, TRANSFORMER) for b in TRANSFORMER_BRIDGES)]
)
def test_forward_equals_repeated_steps_under_every_bridge(bridge, decoder):
    model = build(bridge, decoder)
    source, mask, inputs = pair()
    output = model(source, mask, inputs, need_weights=True)
    logits, weights = stepped(model, source, mask, inputs)
    torch.testing.assert_close(model.logits(output.features), logits)
    torch.testing.assert_close(output.weights, weights)
    assert output.weights.shape == (B, inputs.shape[1], S)


def test_sinusoidal_positions_need_pairs():
    with pytest.raises(ValidationError, match="embedding_size 11 is odd"):
        ConvEncoderSettings(positions="sinusoidal", embedding_size=11)


def test_its_cost():
    """A layer is 2 D filters of (2 width + 1) D numbers and 2 D biases; each is used once a token."""
    model = {"encoder": ENCODER | {"positions": "none"}, "decoder": RNN, "attention": {"score": "none-state"}}
    one, two = (settings(**model | {"encoder": model["encoder"] | {"layers": layers}}) for layers in (1, 2))
    filters = 2 * 6 * 3 * 6
    assert (
        count_parameters(meta_model(two))["encoder.layers"] - count_parameters(meta_model(one))["encoder.layers"]
        == filters + 2 * 6
    )
    more = flops_per_token(two, 10, 5) - flops_per_token(one, 10, 5)
    assert more == 2 * filters * 10 / 5
