"""The recurrent encoder-decoder: forward equals steps, whatever the bridge, placement, cell and depth."""

import itertools
from dataclasses import replace

import pytest
import torch

from seq2seq.config.errors import UserError
from seq2seq.config.model import EncoderDecoderSettings
from seq2seq.corpus.tokenizer import BOS, EOS, PAD
from seq2seq.models.build import build_model
from seq2seq.models.embedding import embed
from seq2seq.run.checkpoint import load_weights, trainable_state
from tests.models.hypotheses import expand

SOURCE, TARGET, B, S, T = 29, 31, 3, 7, 5
HIERARCHICAL = {"score": "scaled", "normaliser": "hierarchical"}
SIMPLE = ["none", "none-state", "mean", "additive", "dot", "scaled", HIERARCHICAL]
READ_PAST = [
    "location_aware",
    {"score": "coverage", "heads": 2, "attention_size": 6},
    {"score": {"kind": "additive", "weight_norm": True}, "normaliser": "monotonic"},
    {"score": "dot", "normaliser": {"kind": "monotonic", "at_test": "hard", "offset": 0.0}},
]
BRIDGES = SIMPLE + READ_PAST


def build(score="additive", placement="before", feeding=False, cell="gru", layers=1, **model):
    torch.manual_seed(1)
    settings = EncoderDecoderSettings.model_validate(
        {
            "encoder": {"cell": cell, "hidden_size": 5, "embedding_size": 11, "dropout": 0.0, "layers": layers},
            "decoder": {
                "cell": cell,
                "hidden_size": 13,
                "embedding_size": 11,
                "dropout": 0.0,
                "layers": layers,
                "placement": placement,
                "input_feeding": feeding,
            },
            "attention": score if isinstance(score, dict) else {"score": score},
            **model,
        }
    )
    return build_model(settings, source_vocabulary=SOURCE, target_vocabulary=TARGET).double().eval()


def pair():
    source = torch.randint(4, SOURCE, (B, S))
    lengths = torch.tensor([S, 4, 2])
    mask = torch.arange(S) < lengths.unsqueeze(1)
    source = source.masked_fill(~mask, PAD)
    source[torch.arange(B), lengths - 1] = source[0, 2] = EOS  # the first has two segments
    inputs = torch.randint(4, TARGET, (B, T))
    inputs[:, 0] = BOS
    return source, mask, inputs


@torch.no_grad()
def stepped(model, source, mask, inputs):
    """As a search takes steps: with the output layer folded."""
    state = model.start(model.encode(source, mask))
    logits, weights = [], []
    for t in range(inputs.shape[1]):
        output = model.step(inputs[:, t], state, need_weights=True)
        state = output.state
        assert state.output is not None
        logits.append(output.logits)
        weights.append(output.weights)
    return torch.stack(logits, dim=1), torch.stack(weights, dim=1)


CASES = list(itertools.product(BRIDGES, ["before", "after"], [False, True]))


@pytest.mark.parametrize(("score", "placement", "feeding"), CASES)
@pytest.mark.parametrize(("cell", "layers"), [("gru", 1), ("lstm", 2)])
def test_forward_equals_repeated_steps(score, placement, feeding, cell, layers):
    model = build(score, placement, feeding, cell, layers)
    source, mask, inputs = pair()
    output = model(source, mask, inputs, need_weights=True)
    logits, weights = stepped(model, source, mask, inputs)
    torch.testing.assert_close(model.logits(output.features), logits)
    torch.testing.assert_close(output.weights, weights)


@pytest.mark.parametrize(("score", "placement", "feeding"), CASES)
def test_a_sentence_alone_equals_the_same_in_a_batch(score, placement, feeding):
    model = build(score, placement, feeding)
    source, mask, inputs = pair()
    together = model(source, mask, inputs).features
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        alone = model(source[row : row + 1, :length], mask[row : row + 1, :length], inputs[row : row + 1]).features
        torch.testing.assert_close(alone[0], together[row])


@pytest.mark.parametrize(("score", "placement", "feeding"), CASES)
def test_beam_rows_share_a_sentence(score, placement, feeding):
    """K hypotheses a sentence in one state give what each gives alone."""
    model = build(score, placement, feeding)
    source, mask, _ = pair()
    first = torch.randint(4, TARGET, (B, 3))
    wide = expand(model.start(model.encode(source, mask)), 3)
    output = model.step(first.flatten(), wide)
    again = model.step(first.flatten(), output.state)
    for k in range(3):
        state = model.start(model.encode(source, mask))
        alone = model.step(first[:, k], state)
        alone = model.step(first[:, k], alone.state)
        torch.testing.assert_close(again.logits.view(B, 3, -1)[:, k], alone.logits)


@pytest.mark.parametrize("score", ["additive", *READ_PAST])
def test_a_state_can_be_reindexed(score):
    model = build(score, "before", True)
    source, mask, _ = pair()
    state = model.step(torch.full((B,), BOS), model.start(model.encode(source, mask))).state
    tokens = torch.tensor([5, 6, 7])
    whole = model.step(tokens, state).logits
    picked = state.select(torch.tensor([2, 0]), torch.tensor([2, 0]))
    torch.testing.assert_close(model.step(tokens[[2, 0]], picked).logits, whole[[2, 0]])


def test_none_and_additive_differ_in_nothing_but_the_bridge():
    none, additive = build("none"), build("additive")
    names = {name for name, _ in none.named_parameters() if ".attention." not in name}
    assert names == {name for name, _ in additive.named_parameters() if ".attention." not in name}
    assert not [name for name, _ in none.named_parameters() if ".attention." in name]
    shapes = dict(additive.named_parameters())
    assert all(p.shape == shapes[name].shape for name, p in none.named_parameters())


@pytest.mark.parametrize("placement", ["before", "after"])
def test_none_is_the_fixed_vector_in_cell_and_readout(placement):
    """Cho's c, written out by hand: s_t = GRU([e; c], s_{t-1}), a_t = tanh(W [c; s_t]), whatever the placement."""
    model = build("none", placement)
    source, mask, inputs = pair()
    memory = model.encode(source, mask)
    decoder, fixed = model.decoder, memory.summary
    (layer,) = decoder.layers
    w_input, w_state, b_input, b_state = (part.chunk(3) for part in layer.first_direction())
    state = torch.tanh(decoder.start_proj(fixed))
    for t in range(T):
        entering = torch.cat([embed(decoder.embedding, inputs[:, t]), fixed], dim=1)
        x = [entering @ w.t() + b for w, b in zip(w_input, b_input, strict=True)]
        h = [state @ w.t() + b for w, b in zip(w_state, b_state, strict=True)]
        reset, update = torch.sigmoid(x[0] + h[0]), torch.sigmoid(x[1] + h[1])
        state = (1 - update) * torch.tanh(x[2] + reset * h[2]) + update * state
        expected = torch.tanh(torch.cat([fixed, state], dim=1) @ decoder.readout.weight.t())
        torch.testing.assert_close(model.decode(memory, inputs).features[:, t], expected)


@pytest.mark.parametrize("feeding", [False, True])
@pytest.mark.parametrize("placement", ["before", "after"])
def test_none_state_is_told_nothing_after_its_first_state(placement, feeding):
    model = build("none-state", placement, feeding)
    source, mask, inputs = pair()
    memory = model.encode(source, mask)
    first = model.decoder.start(memory)
    replaced = memory._replace(states=torch.randn_like(memory.states), summary=torch.randn_like(memory.summary))
    other = model.decoder.start(replaced)
    mixed = replace(other, hypothesis=first.hypothesis)  # everything of another sentence but the state
    for t in range(T):
        one, two = model.step(inputs[:, t], first), model.step(inputs[:, t], mixed)
        torch.testing.assert_close(one.logits, two.logits, rtol=0, atol=0)
        first, mixed = one.state, two.state
    assert not torch.allclose(model.step(inputs[:, 0], other).logits, one.logits)


def test_parameters_of_the_baselines():
    """H = 13, E = 11, a summary of 10: the fixed vector has 3 H columns in the cell and H in the readout, or none at all."""
    sizes = {
        (score, placement): sum(p.numel() for p in build(score, placement).decoder.parameters())
        for score in ("none", "none-state", "mean")
        for placement in ("before", "after")
    }
    assert sizes["none", "before"] == sizes["none", "after"] == sizes["mean", "before"]
    assert sizes["none", "after"] - sizes["mean", "after"] == 3 * 13 * 10
    assert sizes["none-state", "before"] == sizes["none-state", "after"] == sizes["none", "after"] - (3 + 1) * 13 * 10


def test_a_checkpoint_of_the_readout_only_baseline_is_refused():
    """What `none` with placement after was in versions before the fixed vector entered the cell."""
    model = build("none", "after")
    older = {name: value.clone() for name, value in trainable_state(model).items()}
    older["decoder.layers.0.rnn.weight_ih_l0"] = older["decoder.layers.0.rnn.weight_ih_l0"][:, :11]
    with pytest.raises(UserError, match=r"best: 'decoder\.layers\.0\.rnn\.weight_ih_l0' has shape .*CHANGELOG"):
        load_weights(model, older, "best")


@pytest.mark.parametrize(("tie", "shared"), [("none", 0), ("output", 1), ("all", 2)])
def test_tied_embeddings_are_one_tensor(tie, shared):
    settings = EncoderDecoderSettings.model_validate(
        {"tie": tie, "encoder": {"embedding_size": 11}, "decoder": {"embedding_size": 11, "hidden_size": 13}}
    )
    model = build_model(settings, source_vocabulary=31, target_vocabulary=31)
    tables = [model.encoder.embedding.weight, model.decoder.embedding.weight, model.output.weight]
    assert 3 - len({id(table) for table in tables}) == shared
    assert model(*pair()).features.shape[-1] == model.decoder.output_size


def test_gradients_reach_every_parameter():
    model = build("additive", "before", True)
    model.logits(model(*pair()).features).square().sum().backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]


def test_every_end_of_sentence_ends_a_segment_and_the_bridge_sees_it():
    source, mask, inputs = pair()
    model = build(HIERARCHICAL)
    memory = model.encode(source, mask)
    assert memory.segments.tolist() == [[0, 0, 0, 1, 1, 1, 1], [0] * 7, [0] * 7]
    flat = model.decode(memory._replace(segments=None), inputs).features
    changed = (model.decode(memory, inputs).features - flat).abs().flatten(1).amax(dim=1) > 1e-6
    assert changed.tolist() == [True, False, False]
