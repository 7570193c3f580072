"""The fused output layer and loss equal torch's own smoothed cross-entropy, over real positions only."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from seq2seq.models import output as module
from seq2seq.models.output import linear_cross_entropy, real_positions


def sample(dtype=torch.float64, rows=7, vocabulary=11):
    output = nn.Linear(5, vocabulary, dtype=dtype)
    features = torch.randn(rows, 5, dtype=dtype, requires_grad=True)
    return features, torch.randint(0, vocabulary, (rows,)), output


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("chunk_rows", [1, 3, 100])
def test_equals_torch_in_value_and_gradients(monkeypatch, smoothing, chunk_rows):
    features, wanted, output = sample()
    monkeypatch.setattr(module, "_CHUNK_BYTES", 4 * 11 * chunk_rows)
    loss = linear_cross_entropy(features, wanted, output, smoothing)
    (3 * loss.smoothed).backward()
    leaves = [features, *output.parameters()]
    ours = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.grad = None
    expected = functional.cross_entropy(output(features), wanted, reduction="sum", label_smoothing=smoothing)
    (3 * expected).backward()
    torch.testing.assert_close(loss.smoothed, expected)
    torch.testing.assert_close(loss.nats, functional.cross_entropy(output(features), wanted, reduction="sum"))
    for mine, leaf in zip(ours, leaves, strict=True):
        torch.testing.assert_close(mine, leaf.grad)


def test_gradcheck():
    features, wanted, output = sample()
    assert torch.autograd.gradcheck(lambda x: linear_cross_entropy(x, wanted, output, 0.2).smoothed, features)


def test_by_hand_equal_logits_cost_ln_v():
    output = nn.Linear(5, 8)
    nn.init.zeros_(output.weight)
    nn.init.zeros_(output.bias)
    loss = linear_cross_entropy(torch.randn(1, 5), torch.tensor([3]), output, 0.1)
    assert loss.smoothed.item() == pytest.approx(math.log(8))
    assert loss.nats.item() == pytest.approx(math.log(8))
    assert not loss.nats.requires_grad


def test_bf16_products_keep_fp32_sums_and_gradients():
    features, wanted, output = sample(dtype=torch.float32, rows=64)
    expected = linear_cross_entropy(features, wanted, output, 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = linear_cross_entropy(features, wanted, output, 0.1)
    loss.smoothed.backward()
    assert loss.smoothed.dtype == output.weight.grad.dtype == torch.float32
    torch.testing.assert_close(loss.smoothed, expected.smoothed, rtol=1e-2, atol=0)


def test_without_gradient_nothing_is_kept():
    features, wanted, output = sample()
    with torch.no_grad():
        loss = linear_cross_entropy(features, wanted, output, 0.1)
    assert loss.smoothed.grad_fn is None


def test_padding_is_left_out():
    features = torch.arange(12.0).view(2, 3, 2)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    kept, wanted = real_positions(features, torch.tensor([[5, 6, 0], [7, 0, 0]]), mask)
    assert kept.tolist() == [[0.0, 1.0], [2.0, 3.0], [6.0, 7.0]]
    assert wanted.tolist() == [5, 6, 7]
