import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seq2seq.attention.masks import length_mask
from seq2seq.config.errors import UserError
from seq2seq.config.transformer import DecoderOnlySettings
from seq2seq.models.decoder_only import DecoderOnly, build_decoder_only
from tests.models.hypotheses import expand

B, S, T, V = 3, 7, 5, 17
SMALL = {"hidden_size": 12, "feedforward_size": 20, "layers": 2, "dropout": 0.0}
POSITIONS = [
    "sinusoidal",
    {"kind": "learned", "max_positions": 12},
    {"kind": "relative", "max_distance": 2},
    "rope",
    "alibi",
    "none",
]
MECHANISMS = ["full", {"kind": "window", "width": 3}, {"kind": "strided", "stride": 2}]


def build(mechanism="full", score="scaled", **settings) -> DecoderOnly:
    torch.manual_seed(3)
    attention = {"heads": 2, "mechanism": mechanism, "score": score}
    built = DecoderOnlySettings(**{**SMALL, **settings}, self_attention=attention)
    return build_decoder_only(built, source_vocabulary=V, target_vocabulary=V).double()


def batch() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    mask = length_mask(torch.tensor([7, 4, 2]), S)
    source = torch.randint(4, V, (B, S), generator=generator).masked_fill(~mask, 0)
    return source, mask, torch.randint(2, V, (B, T), generator=generator)


cases = pytest.mark.parametrize(
    ("mechanism", "settings"),
    [("full", {"positions": positions, "norm": norm}) for positions in POSITIONS for norm in ("pre", "post")]
    + [
        (mechanism, {"positions": "rope", "prefix": prefix})
        for mechanism in MECHANISMS
        for prefix in ("bidirectional", "causal")
    ]
    + [
        (mechanism, {"prefix": prefix})
        for mechanism in ("linear", {"kind": "lsh", "buckets": 4, "rounds": 2}, {"kind": "lsh", "buckets": 4, "shared": False})
        for prefix in ("bidirectional", "causal")
    ],
    ids=str,
)


@cases
def test_alone_equals_in_a_batch(mechanism, settings):
    """Target positions count on from the true length of their source, not from the padded one."""
    model = build(mechanism, **settings)
    source, mask, inputs = batch()
    together = model(source, mask, inputs, need_weights=True)
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        one = slice(row, row + 1)
        alone = model(source[one, :length], mask[one, :length], inputs[one], need_weights=True)
        torch.testing.assert_close(together.features[one], alone.features, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(together.weights[one, :, :length], alone.weights, rtol=1e-10, atol=1e-10)
        assert torch.equal(together.weights[row, :, length:], torch.zeros(T, S - length, dtype=torch.double))


@cases
@torch.no_grad()
def test_forward_equals_steps(mechanism, settings):
    model = build(mechanism, **settings)
    source, mask, inputs = batch()
    whole = model(source, mask, inputs, need_weights=True)
    fast = model(source, mask, inputs)
    assert fast.weights is None
    torch.testing.assert_close(fast.features, whole.features, rtol=1e-10, atol=1e-10)
    state = model.start(model.encode(source, mask))
    for position, tokens in enumerate(inputs.unbind(dim=1)):
        output = model.step(tokens, state, need_weights=True)
        state = output.state
        torch.testing.assert_close(output.logits, model.logits(whole.features[:, position]), rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(output.weights, whole.weights[:, position], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("prefix", ["bidirectional", "causal"])
@pytest.mark.parametrize("positions", ["sinusoidal", "rope", "none"])
def test_equals_one_stack_over_the_joined_row(prefix, positions):
    """Source and target written in one row, one mask over both, no caches: the definition itself."""
    model = build(positions=positions, prefix=prefix, tie="all")
    source, mask, inputs = batch()
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        states = model.source_embedding(torch.cat([source[row, :length], inputs[row]]).unsqueeze(0))
        places = torch.arange(length + T)
        allowed = torch.ones(length + T, length + T, dtype=torch.bool).tril()
        if prefix == "bidirectional":
            allowed[:length, :length] = True
        for layer in model.layers:
            around, attention, relation = layer.around_attention, layer.self_attention.attention, layer.self_attention.relation
            entering = around.enter(states)
            parts = [proj(entering).view(1, -1, 2, 6).transpose(1, 2) for proj in (attention.query_proj, attention.key_proj)]
            query, keys = (relation.rotate(part, places) for part in parts)
            values = attention.value_proj(entering).view(1, -1, 2, 6).transpose(1, 2)
            context = F.scaled_dot_product_attention(query, keys, values, attn_mask=allowed)
            states = layer.feed(around.leave(states, attention.output_proj(context.transpose(1, 2).flatten(2))))
        expected = model.final_norm(states)[0]
        memory = model.encode(source[row : row + 1], mask[row : row + 1])
        torch.testing.assert_close(memory.states[0, :length], expected[:length])
        torch.testing.assert_close(model(source, mask, inputs).features[row], expected[length:])


def test_weights_on_source_and_target_sum_to_one():
    """The first target position sees the source and itself; a source of positions alike splits its weight evenly."""
    model = build(positions="none", layers=1)
    with torch.no_grad():
        model.layers[0].self_attention.attention.query_proj.weight.zero_()
    source, mask, inputs = batch()
    weights = model(source, mask, inputs, need_weights=True).weights
    lengths = mask.sum(dim=1)
    visible = lengths.unsqueeze(1) + torch.arange(1, T + 1)  # (B, T): the source, and the target so far
    torch.testing.assert_close(weights.sum(dim=-1), (lengths.unsqueeze(1) / visible).double())


@pytest.mark.parametrize("prefix", ["bidirectional", "causal"])
def test_prefix_says_whether_the_source_looks_ahead(prefix):
    model = build(prefix=prefix)
    source, mask, _ = batch()
    changed = source.clone()
    changed[0, 6] = (changed[0, 6] + 1) % V
    same = torch.allclose(model.encode(source, mask).states[0, :6], model.encode(changed, mask).states[0, :6], atol=1e-12)
    assert same == (prefix == "causal")


def test_hypotheses_of_a_sentence_share_its_source():
    model = build(positions="rope")
    source, mask, inputs = batch()
    state = expand(model.start(model.encode(source, mask)), 2)  # rows 0 0 1 1 2 2
    state = model.step(inputs[torch.tensor([0, 0, 1, 1, 2, 2]), 0], state).state
    state = state.select(torch.tensor([0, 1, 5, 4]), sentences=torch.tensor([0, 2]))
    output = model.step(torch.tensor([4, 5, 6, 7]), state)
    for row, (sentence, second) in enumerate([(0, 4), (0, 5), (2, 6), (2, 7)]):
        path = torch.stack([inputs[sentence, 0], torch.tensor(second)]).unsqueeze(0)
        alone = model(source[sentence : sentence + 1], mask[sentence : sentence + 1], path)
        torch.testing.assert_close(output.logits[row], model.logits(alone.features[0, 1]), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("score", ["dot", "additive", "bilinear", "cosine", "mlp"])
def test_every_score_that_compares(score):
    model = build(score=score)
    source, mask, inputs = batch()
    together = model(source, mask, inputs).features
    alone = model(source[1:2, :4], mask[1:2, :4], inputs[1:2]).features
    torch.testing.assert_close(together[1:2], alone, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("tie", "tables"), [("none", 3), ("output", 2), ("all", 1)])
def test_tied_tables(tie, tables):
    model = build(tie=tie)
    weights = {model.source_embedding.table.weight, model.target_embedding.table.weight, model.output.weight}
    assert len(weights) == tables


def test_every_parameter_has_a_gradient_from_the_target_alone():
    model = build(positions={"kind": "relative", "max_distance": 2})
    source, mask, inputs = batch()
    model.logits(model(source, mask, inputs).features).square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_padding_does_not_count_against_learned_positions():
    """A long source with a short target stands beside a short source with a long target; neither is too long."""
    model = build(positions={"kind": "learned", "max_positions": 9})
    source, mask, inputs = batch()
    inputs[0, 2:] = 0
    together = model(source, mask, inputs).features
    torch.testing.assert_close(together[:1, :2], model(source[:1], mask[:1], inputs[:1, :2]).features)
    with pytest.raises(UserError, match="10 tokens meets max_positions 9"):
        model(source, mask, inputs.fill_(5)[:, :3])


def test_padding_has_no_gradient():
    model = build()
    source, mask, inputs = batch()
    table = model.source_embedding.table
    model(source, mask, inputs).features.square().sum().backward()
    assert torch.equal(table.weight.grad[0], torch.zeros_like(table.weight.grad[0]))
    unused = sorted(set(range(V)) - set(source[mask].tolist()))
    assert torch.equal(table.weight.grad[unused], torch.zeros(len(unused), 12, dtype=torch.double))
