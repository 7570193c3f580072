"""Against torch's own attention, and between members that must be one and the same."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from seq2seq.attention.build import build_attention
from seq2seq.attention.scores import AdditiveScore, DotScore, GatedScore, MlpScore
from seq2seq.config.attention import AttentionSettings
from tests.attention.conftest import BATCH, CASES, MEMORY, QUERIES, QUERY, SOURCE, build, draw

CLOSE = {"rtol": 1e-9, "atol": 1e-11}
SAME = {"query_size": MEMORY, "memory_size": MEMORY, "summary_size": 17}


def make(projected=False, context_size=None, **options):
    settings = AttentionSettings(**options)
    made = build_attention(settings, **SAME, projected=projected, context_size=context_size)
    return made.double().eval()


def attend(attention, need_weights=True, **options):
    query, memory, mask, summary = options.pop("inputs", None) or draw(query_size=MEMORY)
    return attention(query, attention.project_keys(memory, mask, summary), need_weights=need_weights, **options)


def equal(one, other, options=None):
    """Same contexts and weights, given the same numbers and, by name, the same parameters."""
    inputs = draw(query_size=MEMORY)
    found, expected = (attend(attention, inputs=inputs, **(options or {})) for attention in (one, other))
    torch.testing.assert_close(found.weights, expected.weights, **CLOSE)
    torch.testing.assert_close(found.context, expected.context, **CLOSE)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize(("score", "factor"), [("scaled", 1 / math.sqrt(MEMORY)), ("dot", 1.0)])
def test_values_and_gradients_of_torch_scaled_dot_product(need_weights, score, factor):
    query, memory, mask, summary = draw(query_size=MEMORY)
    query.requires_grad_(), memory.requires_grad_()
    ours = attend(make(score=score), need_weights, inputs=(query, memory, mask, summary)).context
    theirs = F.scaled_dot_product_attention(query, memory, memory, attn_mask=mask[:, None], scale=factor)
    torch.testing.assert_close(ours, theirs, **CLOSE)
    upstream = torch.randn_like(ours)
    for mine, golden in zip(*(torch.autograd.grad(c, [query, memory], upstream) for c in (ours, theirs)), strict=True):
        torch.testing.assert_close(mine, golden, **CLOSE)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("causal", [False, True])
def test_values_and_gradients_of_torch_multihead(heads, need_weights, causal):
    width = 23 * heads
    settings = AttentionSettings(score="scaled", heads=heads)
    ours = build_attention(
        settings, query_size=width, memory_size=MEMORY, summary_size=17, projected=True, context_size=width
    ).double()
    theirs = nn.MultiheadAttention(width, heads, bias=False, batch_first=True, kdim=MEMORY, vdim=MEMORY).double()
    copies = {"query_proj": "q_proj_weight", "key_proj": "k_proj_weight", "value_proj": "v_proj_weight"}
    for mine, golden in copies.items():
        getattr(ours, mine).weight.data.copy_(getattr(theirs, golden))
    ours.output_proj.weight.data.copy_(theirs.out_proj.weight)
    query, memory, mask, _ = draw(query_size=width)
    allowed = torch.ones(QUERIES, SOURCE, dtype=torch.bool).tril() if causal else None
    output = ours(query, ours.project_keys(memory, mask), mask=allowed, need_weights=need_weights)
    context, weights = theirs(
        query,
        memory,
        memory,
        key_padding_mask=~mask,
        attn_mask=None if allowed is None else ~allowed,
        average_attn_weights=False,
    )
    torch.testing.assert_close(output.context, context, **CLOSE)
    if need_weights:
        torch.testing.assert_close(output.weights, weights, **CLOSE)
    upstream = torch.randn_like(context)
    (output.context * upstream).sum().backward()
    (context * upstream).sum().backward()
    for mine, golden in copies.items():
        torch.testing.assert_close(getattr(ours, mine).weight.grad, getattr(theirs, golden).grad, **CLOSE)
    torch.testing.assert_close(ours.output_proj.weight.grad, theirs.out_proj.weight.grad, **CLOSE)


def test_bilinear_with_identity_is_dot():
    bilinear = make(score="bilinear")
    bilinear.score.key_proj.weight.data.copy_(torch.eye(MEMORY))
    equal(bilinear, make(score="dot"))


def test_bilinear_of_full_rank_is_bilinear():
    low, full = make(score={"kind": "bilinear", "rank": MEMORY}), make(score="bilinear")
    full.score.key_proj.weight.data = low.score.query_proj.weight.data.transpose(-2, -1) @ low.score.key_proj.weight.data
    equal(low, full)


def test_scaled_is_dot_over_the_root():
    learned = make(score="dot", scale="learned")
    learned.scale.gain.data.fill_(MEMORY**-0.5)
    equal(make(score="scaled"), make(score="dot", scale="sqrt"))
    equal(make(score="scaled"), learned)


def test_additive_with_v_of_ones_is_sum_tanh():
    additive = make(score="additive")
    sum_tanh = make(score="sum_tanh")
    additive.score.v.data.fill_(1.0)
    sum_tanh.load_state_dict({k: v for k, v in additive.state_dict().items() if k != "score.v"})
    equal(sum_tanh, additive)


def test_mlp_with_one_layer_is_additive():
    sizes = {"heads": 1, "query_size": QUERY, "memory_size": MEMORY, "attention_size": 5}
    mlp, additive = MlpScore(**sizes, layers=1), AdditiveScore(**sizes)
    additive.load_state_dict(mlp.state_dict())
    query, memory = torch.randn(BATCH, 1, QUERIES, QUERY), torch.randn(BATCH, 1, SOURCE, MEMORY)
    torch.testing.assert_close(mlp(query, mlp.project_keys(memory)), additive(query, additive.project_keys(memory)))


def test_additive_weight_norm_is_additive_with_the_length_of_v():
    normed, plain = make(score={"kind": "additive", "weight_norm": True}), make(score="additive")
    normed.score.gain.data.copy_(normed.score.v.data.norm(dim=-1, keepdim=True))
    plain.load_state_dict({k: v for k, v in normed.state_dict().items() if k not in ("score.gain", "score.bias")})
    equal(normed, plain)


@pytest.mark.parametrize("kind", ["local_m", "local_p"])
def test_a_window_over_everything_without_gaussian_is_global(kind):
    local = make(score="scaled", window={"kind": kind, "width": SOURCE, "gaussian": False})
    equal(local, make(score="scaled"))


def test_top_k_of_all_is_softmax():
    equal(make(score="dot", normaliser={"kind": "top_k", "k": SOURCE}), make(score="dot"))
    equal(make(score="dot", normaliser={"kind": "top_k", "k": 1000}), make(score="dot"))


@pytest.mark.parametrize("member", [DotScore, AdditiveScore])
@pytest.mark.parametrize("heads", [1, 3])
def test_gated_with_one_member_is_that_member(member, heads):
    sizes = {"heads": heads, "query_size": MEMORY, "memory_size": MEMORY, "attention_size": 5}
    score = member(**sizes)
    gated = GatedScore(members=[score], **sizes)
    query, memory = torch.randn(BATCH, heads, QUERIES, MEMORY), torch.randn(BATCH, heads, SOURCE, MEMORY)
    torch.testing.assert_close(gated(query, gated.project_keys(memory)), score(query, score.project_keys(memory)))


def test_one_head_with_identity_projections_is_scaled():
    projected = make(score="scaled", projected=True)
    for name in ("query_proj", "key_proj", "value_proj", "output_proj"):
        getattr(projected, name).weight.data.copy_(torch.eye(MEMORY))
    equal(projected, make(score="scaled"))


@pytest.mark.parametrize("kind", ["additive", "bilinear", "mlp", "sum_tanh", "cosine", "gated", "location", "concat_linear"])
def test_several_heads_are_several_attentions_side_by_side(kind):
    score = build(CASES[f"{kind}-heads"]).score
    query, memory = (torch.randn(BATCH, 3, n, 23, dtype=torch.float64) for n in (QUERIES, SOURCE))
    together = score(query, score.project_keys(memory))
    alone = build(CASES[kind] | {"attention_size": 23}, projected=True).score
    for head in range(3):
        one = slice(head, head + 1)
        alone.load_state_dict({name: value[one] for name, value in score.state_dict().items()})
        torch.testing.assert_close(alone(query[:, one], alone.project_keys(memory[:, one])), together[:, one], **CLOSE)


def test_uniform_with_identity_projections_is_mean_and_so_is_a_constant_score():
    uniform, dot = make(score="uniform"), make(score="dot", scale="learned")
    uniform.value_proj.weight.data.copy_(torch.eye(MEMORY))
    uniform.output_proj.weight.data.copy_(torch.eye(MEMORY))
    dot.scale.gain.data.zero_()
    equal(uniform, make(score="mean"))
    equal(dot, make(score="mean"))


def test_a_projection_appears_only_where_sizes_differ():
    assert not list(make(score="dot").parameters())
    assert [name for name, _ in build(CASES["dot"]).named_parameters()] == ["query_proj.weight"]
    assert build(CASES["dot"]).query_proj.weight.shape == (MEMORY, QUERY)
    assert [name for name, _ in make(score="dot", attention_size=5).named_parameters()] == [
        "query_proj.weight",
        "key_proj.weight",
    ]
    assert [name for name, _ in make(score="dot", context_size=5).named_parameters()] == ["output_proj.weight"]
    assert [name for name, _ in make(score="mean", context_size=5).named_parameters()] == ["output_proj.weight"]
    counted = sum(parameter.numel() for parameter in build(CASES["additive"]).parameters())
    assert counted == QUERY * QUERY + MEMORY * QUERY + QUERY


def test_keys_are_projected_once_and_contiguous():
    attention = make(score="additive", projected=True)
    keys = attention.project_keys(*draw()[1:3])
    assert keys.keys.is_contiguous()
    assert keys.values.is_contiguous()
    query = torch.randn(BATCH, 1, MEMORY, dtype=torch.float64)
    with torch.profiler.profile() as profile:
        attention(query, keys)
    assert sum(event.count for event in profile.key_averages() if event.key == "aten::linear") == 3  # q, W_q, output
