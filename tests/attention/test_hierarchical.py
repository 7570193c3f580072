"""Hierarchical attention: a softmax over segments and one in each of them."""

import math

import pytest
import torch

from seq2seq.attention.keys import mean_of_segments
from seq2seq.attention.normalisers import Hierarchical
from seq2seq.attention.scores import DotScore
from seq2seq.config.attention import AttentionSettings
from seq2seq.config.errors import UserError
from seq2seq.models.interface import index_rows
from tests.attention.conftest import BATCH, HEADS, LENGTHS, QUERIES, SOURCE, build, draw

FORMS = ["nested", "rescaled"]
SEGMENTS = torch.tensor([[0, 0, 1, 1, 1, 2, 2], [0, 0, 0, 1, 0, 0, 0]])  # the second has four tokens
CLOSE = {"rtol": 1e-9, "atol": 1e-11}
SCORES = ["scaled", "bilinear", "additive", "cosine", "mlp", {"kind": "gated", "members": ["dot", "additive"]}]


def made(form="nested", score="scaled", **options):
    return build({"score": score, "normaliser": {"kind": "hierarchical", "form": form}, **options})


def test_by_hand():
    scores = torch.tensor([0.0, math.log(3.0), 5.0]).view(1, 1, 1, 3)
    ids, of_segments = torch.tensor([[0, 0, 1]]), torch.tensor([math.log(2.0), 0.0]).view(1, 1, 1, 2)
    everything = torch.ones(1, 1, 1, 3, dtype=torch.bool)
    nested = Hierarchical(form="nested")(scores, everything, ids, of_segments).flatten()
    torch.testing.assert_close(nested, torch.tensor([2 / 3 / 4, 2 / 3 * 3 / 4, 1 / 3]))
    rescaled = Hierarchical(form="rescaled")(scores, everything, ids, of_segments).flatten()
    products = torch.tensor([2.0, 6.0, math.exp(5.0)])
    torch.testing.assert_close(rescaled, products / products.sum())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("score", SCORES, ids=str)
@pytest.mark.parametrize("heads", [1, HEADS])
def test_weights_are_the_formula_row_by_row(form, score, heads):
    attention = made(form, score, heads=heads, attention_size=HEADS * 23)
    query, memory, mask, _ = draw()
    weights = attention(query, attention.project_keys(memory, mask, segments=SEGMENTS)).weights
    flat = build({"score": score, "heads": heads, "attention_size": HEADS * 23})
    flat.load_state_dict(attention.state_dict())
    for row, length in enumerate(LENGTHS.tolist()):
        ids = SEGMENTS[row, :length]
        means = torch.stack([memory[row, :length][ids == g].mean(dim=0) for g in range(int(ids.max()) + 1)])
        alone = torch.ones(1, len(means), dtype=torch.bool)
        beta = flat(query[[row]], flat.project_keys(means[None], alone)).weights[0]  # (H, Q, G)
        alpha = flat(query[[row]], flat.project_keys(memory[[row], :length], mask[[row], :length])).weights[0]
        products = alpha * beta[..., ids]
        if form == "nested":
            within = torch.stack([alpha[..., ids == g].sum(dim=-1) for g in range(len(means))], dim=-1)
            products = products / within[..., ids]
        torch.testing.assert_close(weights[row, ..., :length], products / products.sum(dim=-1, keepdim=True), **CLOSE)
        assert (weights[row, ..., length:] == 0).all()


@pytest.mark.parametrize("form", FORMS)
def test_laws(form):
    attention = made(form)
    query, memory, mask, _ = draw()
    keys = attention.project_keys(memory.requires_grad_(), mask, segments=SEGMENTS)
    output = attention(query, keys)
    torch.testing.assert_close(output.weights.sum(dim=-1), torch.ones(BATCH, 1, QUERIES, dtype=torch.float64), **CLOSE)
    torch.testing.assert_close(attention(query, keys, need_weights=False).context, output.context, **CLOSE)
    output.context.square().sum().backward()
    assert (memory.grad[~mask] == 0).all()
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    permuted = attention(query, attention.project_keys(memory[:, order], mask[:, order], segments=SEGMENTS[:, order]))
    torch.testing.assert_close(permuted.weights, output.weights[..., order], **CLOSE)
    rows = torch.arange(BATCH).repeat_interleave(QUERIES)
    beam = attention(query.flatten(0, 1).unsqueeze(1), index_rows(keys, rows))
    torch.testing.assert_close(beam.context.flatten(), output.context.flatten(), **CLOSE)
    one = attention.project_keys(memory[1:, :4], mask[1:, :4], segments=SEGMENTS[1:, :4])
    torch.testing.assert_close(attention(query[1:], one).context, output.context[1:], **CLOSE)


@pytest.mark.parametrize("form", FORMS)
def test_one_segment_is_softmax(form):
    attention = made(form)
    query, memory, mask, _ = draw()
    whole = attention(query, attention.project_keys(memory, mask, segments=torch.zeros_like(SEGMENTS))).weights
    torch.testing.assert_close(whole, attention(query, attention.project_keys(memory, mask)).weights, **CLOSE)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_are_those_of_the_formula_and_blocked_segments_are_finite(form):
    attention = made(form, "additive")
    query, memory, mask, _ = draw(queries=2)
    mask = mask & (SEGMENTS != 1) & (torch.arange(BATCH) == 0)[:, None]  # a segment, and the whole second row

    def context(*_):
        return attention(query, attention.project_keys(memory, mask, segments=SEGMENTS)).context

    inputs = [query.requires_grad_(), memory.requires_grad_(), *attention.parameters()]
    assert torch.autograd.gradcheck(context, inputs, fast_mode=True)
    assert (context()[1] == 0).all()


def test_what_a_segment_has_in_common_moves_its_own_weight_alone():
    scores, of_segments = torch.randn(BATCH, 1, QUERIES, SOURCE), torch.randn(BATCH, 1, QUERIES, 3)
    mask, nested = torch.ones(BATCH, 1, 1, SOURCE, dtype=torch.bool), Hierarchical(form="nested")
    common = torch.tensor([9.0, -9.0, 3.0])[SEGMENTS][:, None, None]
    torch.testing.assert_close(
        nested(scores + common, mask, SEGMENTS, of_segments), nested(scores, mask, SEGMENTS, of_segments)
    )


def test_half_precision_is_finite():
    attention, (query, memory, mask, _) = made().float(), draw()
    mask[1] = False
    with torch.autocast("cpu", dtype=torch.bfloat16):
        keys = attention.project_keys(memory.float(), mask, segments=SEGMENTS)
        assert torch.isfinite(attention(query.float(), keys).context).all()


def test_mean_of_a_segment_without_tokens_is_zero():
    states, mask = torch.ones(1, 1, 3, 2), torch.tensor([[True, False, True]])
    assert mean_of_segments(states, mask, torch.tensor([[0, 1, 2]]))[0, 0].tolist() == [[1, 1], [0, 0], [1, 1]]


@pytest.mark.parametrize("score", ["location", "coverage", {"kind": "gated", "members": ["dot", "location_aware"]}], ids=str)
def test_scores_that_cannot_compare_segments_are_refused(score):
    with pytest.raises(ValueError, match="hierarchical compares a query with segments"):
        AttentionSettings(score=score, normaliser="hierarchical")


class Positional(DotScore):
    """A score of somebody else's that knows positions."""

    formula = source = expects = "a test"
    position_blind = False


def test_a_score_of_ones_own_that_knows_positions_is_refused():
    with pytest.raises(UserError, match="cannot compare a query with a segment"):
        made(score=f"{__name__}:Positional")
