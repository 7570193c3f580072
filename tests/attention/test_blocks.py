"""Additive scores block by block: the formula whatever the blocks, and nothing as large as (B, Q, S, A) is kept."""

import pytest
import torch

from seq2seq.attention.scores import blocks
from seq2seq.attention.scores.blocks import additive_scores


def inputs(*, dtype=torch.float64, batch=3, heads=2, queries=4, length=6, size=5):
    shapes = ((batch, heads, queries, size), (batch, heads, length, size), (heads, size))
    return [torch.randn(*shape, dtype=dtype, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("numbers", [1, 60, 130, 10**6])  # a query, two queries, a sentence, all
def test_scores_and_gradients_are_those_of_the_formula(numbers, monkeypatch):
    monkeypatch.setattr(blocks, "_NUMBERS", numbers)
    query, keys, v = inputs()
    expected = (torch.tanh(query.unsqueeze(3) + keys.unsqueeze(2)) * v[:, None, None]).sum(dim=-1)
    torch.testing.assert_close(additive_scores(query, keys, v), expected)
    assert torch.autograd.gradcheck(additive_scores, (query, keys, v))


def test_saturated_tanh_has_finite_gradients():
    query, keys, v = inputs(dtype=torch.float32)
    scores = additive_scores(query * 1e4, keys * 1e4, v)
    for grad in torch.autograd.grad(scores.sum(), (query, keys, v)):
        assert grad.isfinite().all()
    assert scores.abs().max() <= v.abs().sum(dim=1).max() * (1 + 1e-5)


def test_nothing_is_kept_for_every_pair_and_feature():
    query, keys, v = inputs(dtype=torch.float32, queries=40, length=50, size=16)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda tensor: tensor):
        additive_scores(query, keys, v)
    assert max(kept) <= 3 * 50 * 16
