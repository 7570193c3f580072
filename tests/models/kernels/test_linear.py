"""Decoding in another layout gives the same numbers and leaves the model as it was."""

import pytest
import torch
from torch import nn

from seq2seq.models.kernels.linear import decoding_layout


def model():
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3, bias=False)).double()


def test_the_same_numbers():
    layers, inputs = model(), torch.randn(2, 11, 5, dtype=torch.float64)
    expected = layers(inputs)
    with decoding_layout(layers), torch.no_grad():
        assert not isinstance(layers[0], nn.Linear)
        torch.testing.assert_close(layers(inputs), expected)


def test_layers_come_back_even_after_an_error():
    layers = model()
    before = list(layers)
    with pytest.raises(KeyError), decoding_layout(layers):
        raise KeyError
    assert [id(layer) for layer in layers] == [id(layer) for layer in before]
