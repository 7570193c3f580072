import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from seq2seq.attention.build import build_self_attention
from seq2seq.attention.heads import split_heads
from seq2seq.attention.masks import length_mask
from seq2seq.attention.mechanisms import MECHANISMS, LshAttention, SelfAttention
from seq2seq.attention.mechanisms.linear import CHUNK
from seq2seq.config.errors import UserError
from seq2seq.config.transformer import COMPARING, StackSettings
from seq2seq.models.interface import index_rows

B, N, SIZE, HEADS = 3, 11, 12, 2
SMALL = {
    "full": {"kind": "full"},
    "window": {"kind": "window", "width": 2},
    "adaptive_span": {"kind": "adaptive_span", "max_span": 3, "ramp": 1},
    "strided": {"kind": "strided", "stride": 3},
    "linear": {"kind": "linear"},
    "linformer": {"kind": "linformer", "max_length": 13, "rank": 5},
    "lsh": {"kind": "lsh", "buckets": 4, "rounds": 2},
}
RELATIONS = [{"kind": "relative", "max_distance": 3}, "rope", "alibi"]


def build(mechanism, *, causal: bool, positions="none", hidden_size=SIZE, **attention) -> SelfAttention:
    settings = StackSettings(
        hidden_size=hidden_size, positions=positions, self_attention={"heads": HEADS, "mechanism": mechanism, **attention}
    )
    torch.manual_seed(5)
    return build_self_attention(settings, causal=causal).double()


def cases() -> list:
    """Every mechanism in an encoder and, if it has steps, in a decoder; patterns also under every relation, and another score."""
    found = []
    for name, settings in SMALL.items():
        for causal in (False, True) if name != "linformer" else (False,):
            place = "decoder" if causal else "encoder"
            found.append(pytest.param(settings, causal, {}, id=f"{name}-{place}"))
            if name in COMPARING:
                found += [
                    pytest.param(
                        settings, causal, {"positions": relation}, id=f"{name}-{place}-{getattr(relation, 'get', str)('kind')}"
                    )
                    for relation in RELATIONS
                ]
                found.append(pytest.param(settings, causal, {"score": "additive"}, id=f"{name}-{place}-additive"))
    return found


laws = pytest.mark.parametrize(("mechanism", "causal", "parts"), cases())
causal_laws = pytest.mark.parametrize(("mechanism", "causal", "parts"), [case for case in cases() if case.values[1]])
encoder_laws = pytest.mark.parametrize(("mechanism", "causal", "parts"), [case for case in cases() if not case.values[1]])


def states(rows: int = B, size: int = N) -> Tensor:
    return torch.randn(rows, size, SIZE, dtype=torch.double, generator=torch.Generator().manual_seed(7))


def test_the_table_is_tested_whole():
    assert set(SMALL) == set(MECHANISMS)


@encoder_laws
def test_padded_equals_truncated_and_alone_equals_in_a_batch(mechanism, causal, parts):
    attention = build(mechanism, causal=causal, **parts)
    lengths = [11, 7, 3]
    together = attention(states(), length_mask(torch.tensor(lengths), N))
    for row, length in enumerate(lengths):
        alone = attention(states()[row : row + 1, :length], length_mask(torch.tensor([length]), length))
        torch.testing.assert_close(together[row : row + 1, :length], alone, rtol=1e-10, atol=1e-10)


@encoder_laws
def test_padding_has_no_gradient(mechanism, causal, parts):
    attention = build(mechanism, causal=causal, **parts)
    inputs = states().requires_grad_()
    mask = length_mask(torch.tensor([11, 7, 3]), N)
    attention(inputs, mask)[mask].square().sum().backward()
    assert torch.equal(inputs.grad[~mask], torch.zeros_like(inputs.grad[~mask]))
    assert (inputs.grad[mask].abs().sum(dim=-1) > 0).any()


@encoder_laws
def test_a_row_of_padding_alone_is_finite(mechanism, causal, parts):
    attention = build(mechanism, causal=causal, **parts)
    inputs = states().requires_grad_()
    output = attention(inputs, length_mask(torch.tensor([11, 0, 3]), N))
    output.square().sum().backward()
    assert output.isfinite().all()
    assert inputs.grad.isfinite().all()


@causal_laws
def test_later_inputs_cannot_change_earlier_outputs(mechanism, causal, parts):
    attention = build(mechanism, causal=causal, **parts)
    changed = states()
    changed[:, 6:] = torch.randn(B, N - 6, SIZE, dtype=torch.double)
    torch.testing.assert_close(attention(changed)[:, :6], attention(states())[:, :6], rtol=0, atol=1e-12)


@causal_laws
def test_forward_equals_steps_with_rows_moved(mechanism, causal, parts):
    attention = build(mechanism, causal=causal, **parts)
    whole = attention(states())
    cache = attention.start(states())
    rows = torch.arange(B)
    for position in range(N):
        if position == 4:  # a search reorders its rows
            rows = torch.tensor([2, 0, 1])
            cache = index_rows(cache, rows)
        output, cache = attention.step(states()[rows, position : position + 1], cache, position)
        torch.testing.assert_close(output[:, 0], whole[rows, position], rtol=1e-10, atol=1e-10)


@laws
def test_gradcheck(mechanism, causal, parts):
    attention = build(mechanism, causal=causal, hidden_size=4, **parts)
    mask = None if causal else length_mask(torch.tensor([3]), 5)
    inputs = states(1, 5)[..., :4].requires_grad_()
    assert gradcheck(lambda x: attention(x, mask)[:, :3], (inputs,))


@pytest.mark.parametrize("name", COMPARING)
@pytest.mark.parametrize("relation", ["none", *RELATIONS], ids=str)
def test_fused_equals_plain(name, relation):
    """Values and gradients are the same whether weights are asked for or a kernel keeps them to itself."""
    attention = build(SMALL[name], causal=True, positions=relation)
    mask, positions = length_mask(torch.tensor([11, 0, 3]), N), torch.arange(N)
    results = []
    for need_weights in (False, True):
        inputs = states().requires_grad_()
        output = attention.attend(inputs, attention.project_keys(inputs, mask), positions, positions, need_weights=need_weights)
        output.context.square().sum().backward()
        assert (output.weights is not None) == need_weights
        results.append((output.context, inputs.grad))
    torch.testing.assert_close(results[0], results[1])


def test_what_reads_whole_sequences_has_no_steps():
    attention = build(SMALL["linformer"], causal=False)
    with pytest.raises(NotImplementedError):
        attention.start(states())
    with pytest.raises(NotImplementedError):
        attention.step(states(), None, 0)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "parts", [{"positions": relation} for relation in ["none", *RELATIONS]] + [{"normaliser": "sparsemax"}]
)
@pytest.mark.parametrize("size", [7, 8, 29])
@pytest.mark.parametrize("name", ["window", "strided"])
def test_patterns_in_blocks_equal_the_mask(name, parts, causal, size):
    """Groups of queries with the keys they share, against one matrix under a mask."""
    pattern = build({"window": SMALL["window"], "strided": {"kind": "strided", "stride": 2}}[name], causal=causal, **parts)
    mask = length_mask(torch.tensor([size, size - 4]), size)
    keys, positions = pattern.project_keys(states(2, size), mask), torch.arange(size)
    expected = pattern.attend(states(2, size), keys, positions, positions).context
    actual = pattern(states(2, size), mask)
    torch.testing.assert_close(actual[0], expected[0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(actual[1, : size - 4], expected[1, : size - 4], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [7, 29, 80])
@pytest.mark.parametrize("name", ["full", "window", "strided", "linear", "lsh"])
def test_causality_can_be_lifted_for_a_source(name, size):
    """As a prefix LM reads it: what the same weights see without causality."""
    settings = {"strided": {"kind": "strided", "stride": 2}, "lsh": {"kind": "lsh", "buckets": 4}}.get(name, SMALL[name])
    mask = length_mask(torch.tensor([size, size - 4]), size)
    lifted, _ = build(settings, causal=True).read(states(2, size), mask, bidirectional=True)
    torch.testing.assert_close(lifted[mask], build(settings, causal=False)(states(2, size), mask)[mask], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_lsh_in_blocks_equals_the_mask(shared, causal):
    """Values and gradients, with a row of padding alone and another partly padded, in buckets of several blocks."""
    size = 80
    lsh = build({"kind": "lsh", "buckets": 4, "rounds": 2, "shared": shared}, causal=causal)
    mask = length_mask(torch.tensor([size, 0, 47]), size)
    results = []
    for blocks in (True, False):
        inputs = states(B, size).requires_grad_()
        query, cache = lsh._project(inputs)
        if blocks:
            hashed = cache.buckets if shared else lsh.hash(query)
            output = lsh._attend_in_blocks(query, hashed, cache, lsh._blocks(hashed, cache.buckets, mask), causal)
        else:
            output, _ = lsh._attend(query, cache, torch.arange(size), mask, causal)
        output[mask].square().sum().backward()
        results.append((output[mask], inputs.grad))
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "settings"), [("strided", {"stride": 16}), ("window", {"width": 16}), ("lsh", {"buckets": 32, "rounds": 1})]
)
def test_cost_is_below_that_of_full_attention(name, settings):
    def flops(mechanism):
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
            build(mechanism, causal=False, hidden_size=64).float()(torch.randn(1, 512, 64))
        return counter.get_total_flops()

    assert flops({"kind": name, **settings}) < 0.65 * flops("full")


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mechanism", [{"kind": "window", "width": N}, {"kind": "strided", "stride": 1}])
def test_patterns_that_see_everything_are_full(mechanism, causal):
    torch.testing.assert_close(
        build(mechanism, causal=causal)(states()), build("full", causal=causal)(states()), rtol=1e-12, atol=1e-12
    )


def test_window_by_hand():
    seen = build(SMALL["window"], causal=False).sees(torch.arange(5), torch.arange(5))
    assert seen.int().tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 1, 1, 1], [0, 0, 1, 1, 1]]


def test_window_of_a_score_that_counts_places_is_not_cut():
    window = build(SMALL["window"], causal=True, score={"kind": "location", "max_source": N})
    cache = window.start(states())
    steps = []
    for position in range(N):
        output, cache = window.step(states()[:, position : position + 1], cache, position)
        steps.append(output)
    torch.testing.assert_close(window(states()), torch.cat(steps, dim=1), rtol=1e-10, atol=1e-10)


def test_strided_by_hand():
    seen = build({"kind": "strided", "stride": 2}, causal=True).sees(torch.tensor([7]), torch.arange(8))
    assert seen.int().tolist() == [[0, 1, 0, 1, 0, 1, 1, 1]]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("size", [N, 2 * CHUNK + 3])
def test_linear_equals_its_quadratic_form(causal, size):
    attention = build("linear", causal=causal)
    query, keys, values = attention.projections.split(states(2, size))
    similarity = (F.elu(query) + 1) @ (F.elu(keys) + 1).transpose(-1, -2)
    if causal:
        similarity = similarity.tril()
    weights = similarity / similarity.sum(dim=-1, keepdim=True)
    torch.testing.assert_close(attention(states(2, size)), attention.projections.merge(weights @ values))


def test_linformer_with_the_identity_for_mixtures_is_full_attention():
    attention = build({"kind": "linformer", "max_length": N, "rank": N}, causal=False)
    with torch.no_grad():
        attention.key_mixture.copy_(torch.eye(N))
        attention.value_mixture.copy_(torch.eye(N))
    expected = F.scaled_dot_product_attention(*attention.projections.split(states()))
    torch.testing.assert_close(attention(states()), attention.projections.merge(expected))


def test_linformer_refuses_what_is_too_long_but_not_padding():
    attention = build(SMALL["linformer"], causal=False)
    with pytest.raises(UserError, match="max_length 13 and meets a sentence of 14"):
        attention(states(1, 14), length_mask(torch.tensor([14]), 14))
    with pytest.raises(UserError, match="max_length 13 and meets a sentence of 15"):
        attention(states(1, 15))
    padded = attention(states(1, 17), length_mask(torch.tensor([13]), 17))
    torch.testing.assert_close(padded[:, :13], attention(states(1, 17)[:, :13]))


@pytest.mark.parametrize("causal", [False, True])
def test_lsh_with_one_bucket_is_full(causal):
    attention = build({"kind": "lsh", "buckets": 1, "shared": False}, causal=causal)
    expected = F.scaled_dot_product_attention(*attention.projections.split(states()), is_causal=causal)
    torch.testing.assert_close(attention(states()), attention.projections.merge(expected))


def test_shared_lsh_with_one_bucket_sees_itself_only_when_alone():
    attention = build({"kind": "lsh", "buckets": 1}, causal=True)
    query, _, values = attention.projections.split(states())
    # trax divides keys of length sqrt(D) by sqrt(D): unit keys, and no other scale
    scores = query @ F.normalize(query, dim=-1).transpose(-1, -2)
    allowed = torch.ones(N, N, dtype=torch.bool).tril(-1)
    allowed[0, 0] = True
    weights = torch.softmax(scores.masked_fill(~allowed, -math.inf), dim=-1)
    torch.testing.assert_close(attention(states()), attention.projections.merge(weights @ values))


def test_lsh_sees_exactly_those_of_its_bucket():
    """Opposite points fall into different buckets, points of one direction into the same, whatever their length."""
    attention = LshAttention(hidden_size=2, heads=1, buckets=4, rounds=1, shared=True, causal=False)
    with torch.no_grad():
        attention.rotations.copy_(torch.eye(2).view(1, 1, 2, 2))
    points = torch.tensor([[[[3.0, 1.0], [-1.0, 0.2], [0.5, 0.1], [0.1, -4.0], [0.0, 2.0]]]])
    buckets = attention.hash(points)[0, 0, :, 0]
    assert buckets.tolist() == [0, 2, 0, 3, 1]
    seen = attention._allowed(buckets.view(1, 1, 5, 1), buckets.view(1, 1, 5, 1), torch.arange(5), None, attention.causal)[0, 0]
    assert seen.int().tolist() == [[0, 0, 1, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]


def test_more_rounds_see_more():
    few = build({"kind": "lsh", "buckets": 8, "rounds": 1, "shared": False}, causal=False)
    many = build({"kind": "lsh", "buckets": 8, "rounds": 64, "shared": False}, causal=False)
    with torch.no_grad():
        for name, parameter in few.named_parameters():
            parameter.copy_(dict(many.named_parameters())[name])
    full = few.projections.merge(F.scaled_dot_product_attention(*few.projections.split(states())))
    assert (many(states()) - full).norm() < 0.5 * (few(states()) - full).norm()


@pytest.mark.parametrize("scale", ["none", "sqrt"])
def test_the_vectors_of_relative_positions_are_scaled_as_the_keys_are(scale):
    """Shaw's equation 4: (q . (k + a)) / sqrt(D) with scale sqrt, and q . (k + a) with none."""
    settings = StackSettings(
        hidden_size=SIZE,
        positions={"kind": "relative", "max_distance": 2},
        self_attention={"heads": HEADS, "score": "dot", "scale": scale},
    )
    full = build_self_attention(settings, causal=False).double()
    inputs = states(1, 5)
    heads = [split_heads(getattr(full.attention, f"{name}_proj")(inputs), HEADS) for name in ("query", "key")]
    index = (torch.arange(5) - torch.arange(5)[:, None]).clamp(-2, 2) + 2
    keys = heads[1].unsqueeze(2) + full.relation.key_vectors[index]  # (1, H, 5, 5, D)
    scores = (heads[0].unsqueeze(3) * keys).sum(dim=-1) / (math.sqrt(SIZE / HEADS) if scale == "sqrt" else 1)
    found = full.attend(inputs, full.project_keys(inputs), torch.arange(5), torch.arange(5), need_weights=True).weights
    torch.testing.assert_close(found, torch.softmax(scores, dim=-1))


@pytest.mark.parametrize("score", ["concat_linear", {"kind": "gated", "members": ["dot", {"kind": "bilinear", "rank": 7}]}])
def test_relative_positions_meet_a_score_that_counts_other_features_than_those_of_the_query(score):
    """Scores count 2 D features, or 7, and a_r of D features is still added to the keys that the query is compared with."""
    full = build({"kind": "full"}, causal=False, positions={"kind": "relative", "max_distance": 2}, score=score)
    query = split_heads(full.attention.query_proj(states()), HEADS)
    plain = full.attention.score(query, full.project_keys(states()).keys)
    index = (torch.arange(N) - torch.arange(N)[:, None]).clamp(-2, 2) + 2
    added = (query.unsqueeze(3) * full.relation.key_vectors[index]).sum(dim=-1)  # q . a_r
    found = full.attend(states(), full.project_keys(states()), torch.arange(N), torch.arange(N), need_weights=True).weights
    torch.testing.assert_close(found, torch.softmax(plain + added, dim=-1))
