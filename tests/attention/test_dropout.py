"""Dropout drops as often as it says, keeps the mean, and follows torch's seed."""

import pytest
import torch

from seq2seq.attention.dropout import Dropout, dropout, dropout_noise, dropped_relu


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_share_and_mean(p):
    noise = dropout_noise((331, 997), p, torch.float64)
    count = noise.numel()
    share = (noise == 0).double().mean().item()
    assert abs(share - p) < 5 * (p * (1 - p) / count) ** 0.5 + 1 / 65536
    assert noise.unique().tolist() == pytest.approx([0.0, 1 / (1 - p)], rel=1e-3)


def test_neighbours_are_independent():
    kept = (dropout_noise((1_000_003,), 0.5, torch.float64) > 0).double() * 2 - 1
    for distance in (1, 2, 3, 4, 7):
        assert abs((kept[:-distance] * kept[distance:]).mean().item()) < 5e-3


def test_the_same_seed_drops_the_same():
    torch.manual_seed(7)
    first = dropout_noise((13, 5), 0.5, torch.float32)
    second = dropout_noise((13, 5), 0.5, torch.float32)
    torch.manual_seed(7)
    assert torch.equal(dropout_noise((13, 5), 0.5, torch.float32), first)
    assert not torch.equal(first, second)


def test_nothing_is_dropped_outside_training():
    inputs = torch.randn(3, 5)
    assert dropout(inputs, 0.5, training=False) is inputs
    assert Dropout(0.5).eval()(inputs) is inputs
    assert dropped_relu(inputs, 0.5, training=False).equal(inputs.relu())


def test_dropped_relu_is_dropout_after_relu_in_value_and_gradient():
    inputs = torch.randn(17, 31, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(2)
    result = dropped_relu(inputs, 0.3)
    (gradient,) = torch.autograd.grad(result.square().sum(), inputs)
    torch.manual_seed(2)
    expected = dropout(inputs.relu(), 0.3)
    (plain,) = torch.autograd.grad(expected.square().sum(), inputs)
    torch.testing.assert_close(result, expected)
    torch.testing.assert_close(gradient, plain)
