import pytest
import torch
from torch import Tensor, nn

from seq2seq.attention.attention import Attention
from seq2seq.attention.build import build_attention
from seq2seq.attention.masks import length_mask
from seq2seq.config.attention import AttentionSettings
from seq2seq.config.errors import UserError
from seq2seq.config.transformer import TransformerDecoderSettings, TransformerEncoderSettings
from seq2seq.models.embedding import token_table
from seq2seq.models.interface import Encoder, EncoderDecoder, Memory
from seq2seq.models.rnn import RnnDecoder, RnnEncoder
from seq2seq.models.sublayers import EncoderLayer
from seq2seq.models.transformer import (
    DecoderLayer,
    TransformerEncoder,
    build_transformer_decoder,
    build_transformer_encoder,
)
from tests.models.hypotheses import expand

B, S, T, SIZE, HEADS, V = 3, 7, 5, 12, 2, 17
SMALL = {"hidden_size": SIZE, "feedforward_size": 20, "layers": 2, "dropout": 0.0}
POSITIONS = [
    "sinusoidal",
    {"kind": "learned", "max_positions": 11},
    {"kind": "relative", "max_distance": 2},
    "rope",
    "alibi",
    "none",
]
MECHANISMS = [{"kind": "window", "width": 1}, {"kind": "strided", "stride": 2}, "linear", {"kind": "lsh", "buckets": 4}]
BRIDGES = [
    {"score": "scaled", "heads": 2},
    {"score": "dot", "normaliser": "sparsemax"},
    {"score": "additive", "heads": 3, "normaliser": "entmax15"},
    {"score": "bilinear", "scale": "learned", "normaliser": "sigmoid"},
    {"score": "cosine", "normaliser": {"kind": "top_k", "k": 2}},
    {"score": "additive", "heads": 2, "normaliser": {"kind": "hierarchical", "form": "rescaled"}},
    {"score": "sum_tanh"},
    {"score": "mlp"},
    {"score": "location"},
    {"score": "concat_linear"},
    {"score": {"kind": "gated", "members": ["dot", "additive"]}},
    {"score": "dot", "window": {"kind": "local_m", "width": 2}},
    {"score": "dot", "window": {"kind": "local_p", "width": 2}},
    {"score": "none"},
    {"score": "mean"},
    {"score": "uniform"},
    {"score": "diagonal"},
    {"score": "random_frozen"},
]


class FakeEncoder(Encoder):
    """An encoder of other sizes than the decoder, to show that memory alone connects them."""

    memory_size = 10
    summary_size = 6

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(V, self.memory_size)

    def forward(self, source: Tensor, mask: Tensor) -> Memory:
        states = self.table(source).masked_fill(~mask.unsqueeze(-1), 0.0)
        return Memory(states=states, mask=mask, summary=states.sum(dim=1)[:, : self.summary_size])


def build_encoder(attention=None, **settings) -> TransformerEncoder:
    settings = TransformerEncoderSettings(**{**SMALL, **settings}, self_attention={"heads": HEADS, **(attention or {})})
    return build_transformer_encoder(settings, embedding=token_table(V, SIZE))


def build_model(bridge=None, attention=None, encoder: Encoder | None = None, **settings) -> EncoderDecoder:
    torch.manual_seed(3)
    encoder = encoder or build_encoder()
    decoder = build_transformer_decoder(
        TransformerDecoderSettings(**{**SMALL, **settings}, self_attention={"heads": HEADS, **(attention or {})}),
        AttentionSettings(**(bridge or {"score": "scaled", "heads": 2})),
        embedding=token_table(V, SIZE),
        memory_size=encoder.memory_size,
        summary_size=encoder.summary_size,
    )
    return EncoderDecoder(encoder=encoder, decoder=decoder, output=nn.Linear(decoder.output_size, V)).double()


def batch() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([7, 4, 2])
    mask = length_mask(lengths, S)
    rows = [torch.randperm(V - 4, generator=generator)[:S] + 4 for _ in range(B)]  # no token twice: top_k would meet a tie
    source = torch.stack(rows).masked_fill(~mask, 0)
    return source, mask, torch.randint(2, V, (B, T), generator=generator)


def copy_attention(ours: Attention, theirs: nn.MultiheadAttention) -> None:
    query, key, value = theirs.in_proj_weight.chunk(3)
    with torch.no_grad():
        for mine, weight in ((ours.query_proj, query), (ours.key_proj, key), (ours.value_proj, value)):
            mine.weight.copy_(weight)
        ours.output_proj.weight.copy_(theirs.out_proj.weight)
        theirs.in_proj_bias.zero_()
        theirs.out_proj.bias.zero_()


def copy_layer(ours: EncoderLayer, theirs: nn.TransformerEncoderLayer | nn.TransformerDecoderLayer) -> None:
    copy_attention(ours.self_attention.attention, theirs.self_attn)
    ours.feedforward.inner.load_state_dict(theirs.linear1.state_dict())
    ours.feedforward.outer.load_state_dict(theirs.linear2.state_dict())
    ours.around_attention.norm.load_state_dict(theirs.norm1.state_dict())
    if isinstance(ours, DecoderLayer):
        copy_attention(ours.cross_attention, theirs.multihead_attn)
        ours.around_cross.norm.load_state_dict(theirs.norm2.state_dict())
        ours.around_feedforward.norm.load_state_dict(theirs.norm3.state_dict())
    else:
        ours.around_feedforward.norm.load_state_dict(theirs.norm2.state_dict())


def spread(layer: nn.Module) -> nn.Module:
    """Draw normalisations too, so that none of them passes for another."""
    for name, parameter in layer.named_parameters():
        if "norm" in name:
            nn.init.normal_(parameter, mean=1.0)
    return layer.double()


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_layer_is_that_of_torch(norm, activation):
    theirs = spread(nn.TransformerEncoderLayer(SIZE, HEADS, 20, 0.0, activation, batch_first=True, norm_first=norm == "pre"))
    ours = build_encoder(norm=norm, activation=activation).double().layers[0]
    copy_layer(ours, theirs)
    mask = batch()[1]
    mine = torch.randn(B, S, SIZE, dtype=torch.double, requires_grad=True)
    other = mine.detach().clone().requires_grad_()
    actual, expected = ours(mine, mask), theirs(other, src_key_padding_mask=~mask)
    torch.testing.assert_close(actual[mask], expected[mask])
    actual[mask].square().sum().backward()
    expected[mask].square().sum().backward()
    torch.testing.assert_close(mine.grad, other.grad)
    torch.testing.assert_close(ours.feedforward.inner.weight.grad, theirs.linear1.weight.grad)
    torch.testing.assert_close(
        ours.self_attention.attention.key_proj.weight.grad, theirs.self_attn.in_proj_weight.grad[SIZE : 2 * SIZE]
    )


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_decoder_layer_is_that_of_torch(norm):
    theirs = spread(nn.TransformerDecoderLayer(SIZE, HEADS, 20, 0.0, batch_first=True, norm_first=norm == "pre"))
    ours = build_model(norm=norm).decoder.layers[0]
    copy_layer(ours, theirs)
    mask = batch()[1]
    leaves = [torch.randn(B, size, SIZE, dtype=torch.double, requires_grad=True) for size in (T, S)]
    target, memory = leaves
    others = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    around = ours.around_attention
    states = around.leave(target, ours.self_attention(around.enter(target)))
    actual, _ = ours.ask(states, ours.cross_attention.project_keys(memory, mask), None, False)
    expected = theirs(*others, tgt_mask=~torch.ones(T, T, dtype=torch.bool).tril(), memory_key_padding_mask=~mask)
    torch.testing.assert_close(actual, expected)
    actual.square().sum().backward()
    expected.square().sum().backward()
    for mine, other in zip(leaves, others, strict=True):
        torch.testing.assert_close(mine.grad, other.grad)
    torch.testing.assert_close(ours.cross_attention.output_proj.weight.grad, theirs.multihead_attn.out_proj.weight.grad)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", POSITIONS, ids=str)
def test_encoder_ignores_padding(norm, positions):
    encoder = build_encoder(norm=norm, positions=positions).double()
    source, mask, _ = batch()
    memory = encoder(source, mask)
    assert torch.equal(memory.states[~mask], torch.zeros_like(memory.states[~mask]))
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        alone = encoder(source[row : row + 1, :length], mask[row : row + 1, :length])
        torch.testing.assert_close(memory.states[row, :length], alone.states[0], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(memory.summary[row], alone.summary[0], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(memory.summary[row], memory.states[row, :length].mean(dim=0))


def test_padding_does_not_count_against_learned_positions():
    encoder = build_encoder(positions={"kind": "learned", "max_positions": 4}).double()
    source, mask, _ = batch()
    padded = encoder(source[1:], mask[1:])  # rows of 4 and 2 tokens, padded to 7
    torch.testing.assert_close(padded.states[:, :4], encoder(source[1:, :4], mask[1:, :4]).states)
    with pytest.raises(UserError, match="7 tokens meets max_positions 4"):
        encoder(source, mask)


def test_tokens_after_the_end_change_nothing():
    encoder = build_encoder().double()
    source, mask, _ = batch()
    torch.testing.assert_close(encoder(source.masked_fill(~mask, 9), mask).states, encoder(source, mask).states, rtol=0, atol=0)


@torch.no_grad()
def assert_forward_equals_steps(model: EncoderDecoder) -> None:
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
    assert state.position == T


def assert_weights_are_over_the_source(model: EncoderDecoder) -> None:
    source, mask, inputs = batch()
    weights = model(source, mask, inputs, need_weights=True).weights
    assert weights.shape == (B, T, S)
    assert torch.equal(weights[(~mask).unsqueeze(1).expand_as(weights)], weights.new_zeros((~mask).sum() * T))


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", POSITIONS, ids=str)
def test_forward_equals_steps_for_every_position(norm, positions):
    assert_forward_equals_steps(build_model(norm=norm, positions=positions))


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=str)
def test_forward_equals_steps_for_every_mechanism(mechanism):
    assert_forward_equals_steps(build_model(attention={"mechanism": mechanism}))
    assert_forward_equals_steps(build_model(attention={"mechanism": mechanism}, encoder=FakeEncoder()))  # another width


@pytest.mark.parametrize("bridge", BRIDGES, ids=str)
def test_every_bridge_over_a_memory_of_other_sizes(bridge):
    model = build_model(bridge, encoder=FakeEncoder())
    assert_forward_equals_steps(model)
    assert_weights_are_over_the_source(model)


@pytest.mark.parametrize("bridge", ["scaled", "additive", "none"])
def test_hybrids(bridge):
    """A recurrent encoder under this decoder, and this encoder under a recurrent decoder, joined by memory alone."""
    recurrent = RnnEncoder(embedding=token_table(V, 5), hidden_size=4)
    assert_forward_equals_steps(build_model({"score": bridge}, encoder=recurrent))
    encoder = build_encoder()
    attention = build_attention(
        AttentionSettings(score=bridge), query_size=9, memory_size=encoder.memory_size, summary_size=encoder.summary_size
    )
    decoder = RnnDecoder(
        embedding=token_table(V, 5), attention=attention, summary_size=encoder.summary_size, hidden_size=9, output_size=9
    )
    model = EncoderDecoder(encoder=encoder, decoder=decoder, output=nn.Linear(9, V)).double()
    assert_forward_equals_steps(model)
    assert_weights_are_over_the_source(model)


@pytest.mark.parametrize("score", ["dot", "additive", "bilinear", "sum_tanh", "cosine", "mlp", "location", "concat_linear"])
def test_every_score_in_self_attention(score):
    model = build_model(attention={"score": score}, encoder=build_encoder(attention={"score": score}))
    assert_forward_equals_steps(model)


@pytest.mark.parametrize("mechanism", ["full", "linear", "lsh"])
def test_hypotheses_of_a_sentence_share_its_keys(mechanism):
    """K hypotheses a sentence, reordered in the middle, one sentence finished: each row goes on as if it were alone."""
    model = build_model(attention={"mechanism": mechanism})
    source, mask, inputs = batch()
    state = expand(model.start(model.encode(source, mask)), 2)  # rows 0 0 1 1 2 2
    rows = torch.tensor([0, 0, 1, 1, 2, 2])
    state = model.step(inputs[rows, 0], state).state
    state = model.step((inputs[rows, 1] + torch.arange(6)) % V, state).state
    state = state.select(torch.tensor([1, 0, 5, 5]), sentences=torch.tensor([0, 2]))
    output = model.step(torch.tensor([4, 5, 6, 7]), state, need_weights=True)
    for row, (sentence, second, third) in enumerate([(0, 1, 4), (0, 0, 5), (2, 5, 6), (2, 5, 7)]):
        path = torch.stack([inputs[sentence, 0], (inputs[sentence, 1] + second) % V, torch.tensor(third)])
        alone = model(source[sentence : sentence + 1], mask[sentence : sentence + 1], path.unsqueeze(0), need_weights=True)
        torch.testing.assert_close(output.logits[row], model.logits(alone.features[0, 2]), rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(output.weights[row], alone.weights[0, 2], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("positions", "mechanism"),
    [(positions, "full") for positions in POSITIONS] + [("none", kind) for kind in MECHANISMS],
    ids=str,
)
def test_bfloat16_is_close(positions, mechanism):
    """Under autocast, forward and steps run in mixed types and say the same, but for rounding (8 bits: 1 in 256)."""
    model = build_model(positions=positions, attention={"mechanism": mechanism}).float().eval()
    source, mask, inputs = batch()
    exact = model.logits(model(source, mask, inputs).features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = model.logits(model(source, mask, inputs).features)
        state = model.start(model.encode(source, mask))
        output = model.step(inputs[:, 0], state)
        output = model.step(inputs[:, 1], output.state)
    torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.1)
    torch.testing.assert_close(output.logits.float(), exact[:, 1], rtol=0, atol=0.1)


def test_without_positions_an_encoder_sees_a_set():
    encoder = build_encoder(positions="none").double()
    source, mask = batch()[0][:1], batch()[1][:1]
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    torch.testing.assert_close(encoder(source[:, order], mask).states, encoder(source, mask).states[:, order])


@pytest.mark.parametrize("positions", [kind for kind in POSITIONS if kind != "none"], ids=str)
def test_with_positions_it_sees_an_order(positions):
    encoder = build_encoder(positions=positions).double()
    source, mask = batch()[0][:1], batch()[1][:1]
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    assert not torch.allclose(encoder(source[:, order], mask).states, encoder(source, mask).states[:, order], atol=1e-6)


def test_every_parameter_has_a_gradient():
    model = build_model(positions={"kind": "relative", "max_distance": 2})
    source, mask, inputs = batch()
    model.logits(model(source, mask, inputs).features).square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_dropout_acts_in_training_alone():
    model = build_model(dropout=0.5)
    source, mask, inputs = batch()
    assert not torch.equal(model(source, mask, inputs).features, model(source, mask, inputs).features)
    model.eval()
    assert torch.equal(model(source, mask, inputs).features, model(source, mask, inputs).features)


def test_scaled_embedding_by_hand():
    encoder = build_encoder(positions="sinusoidal")
    vectors = encoder.embedding(torch.tensor([[5, 6]]))
    expected = encoder.embedding.table.weight[[5, 6]] * SIZE**0.5 + encoder.embedding.positions(torch.arange(2))
    torch.testing.assert_close(vectors[0], expected)
    plain = build_encoder(positions="none", scale_embeddings=False)
    torch.testing.assert_close(plain.embedding(torch.tensor([[5]]))[0, 0], plain.embedding.table.weight[5])
