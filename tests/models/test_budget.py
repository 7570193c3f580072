"""FLOPs and parameters worked out by hand."""

import pytest
import torch

from seq2seq.config.study import RunSettings
from seq2seq.models.budget import budget_of, flops_per_token, meta_model
from seq2seq.models.interface import count_parameters

RNN = {
    "encoder": {"hidden_size": 5, "embedding_size": 3, "bidirectional": False},
    "decoder": {"hidden_size": 7, "embedding_size": 3},
}
STACK = {"kind": "transformer", "hidden_size": 8, "layers": 1, "feedforward_size": 11, "self_attention": {"heads": 2}}


def settings(vocabulary=300, **model):
    return RunSettings.model_validate(
        {"data": {"corpus": "grammar"}, "tokenizer": {"vocabulary_size": vocabulary}, "model": {**RNN, **model}}
    )


def test_parameters_of_a_recurrent_model():
    blocks = count_parameters(meta_model(settings(attention={"score": "additive", "attention_size": 4})))
    assert blocks["encoder.embedding"] == blocks["decoder.embedding"] == 300 * 3
    assert blocks["encoder.layers"] == 3 * 5 * (3 + 5 + 2)
    assert blocks["decoder.layers"] == 3 * 7 * (3 + 7 + 2)
    assert blocks["decoder.attention"] == 4 * 7 + 4 * 5 + 4
    assert blocks["decoder.start_proj"] == 7 * 5 + 7
    assert blocks["decoder.readout"] == 7 * (5 + 7)
    assert blocks["output.weight"] + blocks["output.bias"] == 300 * 8
    assert budget_of(settings(attention={"score": "additive", "attention_size": 4}), "parameters") == sum(blocks.values())


def recurrent_flops(source, target, gates, bridge):
    """Forward FLOPs per target token of RNN, two for each weight and token it meets."""
    encoder = source * gates * 5 * (3 + 5)
    decoder = target * (gates * 7 * (3 + 7) + 7 * (5 + 7) + 300 * 7) + 7 * 5
    return 2 * (encoder + decoder + bridge) / target


@pytest.mark.parametrize(("cell", "gates"), [("gru", 3), ("lstm", 4)])
@pytest.mark.parametrize("placement", ["after", "before"])
def test_flops_of_a_recurrent_model(cell, gates, placement):
    model = {part: {**RNN[part], "cell": cell} for part in RNN}
    model["decoder"]["placement"] = placement
    source, target = 6, 4
    system = settings(**model, attention={"score": "additive", "attention_size": 4})
    projections = source * 4 * 5 + target * 4 * 7
    bridge = projections + target * source * (4 + 5)  # v . tanh(...), then the weighted sum
    fed = target * gates * 7 * 5 if placement == "before" else 0  # the context enters the cell
    assert flops_per_token(system, source, target) == recurrent_flops(source, target, gates, bridge + fed)


def test_none_costs_no_attention():
    found = flops_per_token(settings(attention={"score": "none"}), 6, 4)
    once = (
        3 * 7 * 5 - 3 * 7 * 5
    )  # the same at 4 steps, so multiplied once: for the three gates, and 3 times fewer in the readout
    assert found == recurrent_flops(6, 4, 3, once)


def test_none_state_costs_neither_cell_nor_readout():
    found = flops_per_token(settings(attention={"score": "none-state"}), 6, 4)
    assert found == recurrent_flops(6, 4, 3, -4 * 7 * 5)


def test_flops_of_a_transformer_layer():
    model = {"encoder": STACK, "decoder": STACK, "attention": {"score": "scaled", "heads": 2}}
    found = flops_per_token(settings(**model), 6, 4)
    d, ff = 8, 11
    encoder = 6 * (4 * d * d + 2 * d * ff) + 2 * 6 * 6 * d
    decoder = 4 * (4 * d * d + 2 * d * d + 2 * d * ff) + 2 * 4 * 4 * d + 6 * 2 * d * d + 2 * 4 * 6 * d
    assert found == 2 * (encoder + decoder + 4 * 300 * d) / 4


def test_counting_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    flops_per_token(settings(), 3, 3)
    assert torch.equal(before, torch.get_rng_state())
