"""The pool of a beam's past: a value, whichever hypotheses go on and whichever branch was continued first."""

import pytest
import torch

from seq2seq.attention.build import build_self_attention
from seq2seq.attention.mechanisms.pool import Pool
from seq2seq.config.transformer import TransformerDecoderSettings
from seq2seq.models.interface import index_rows

SIZE = 12


def attention(**settings):
    torch.manual_seed(2)
    return (
        build_self_attention(
            TransformerDecoderSettings.model_validate({"hidden_size": SIZE, "self_attention": {"heads": 3}, **settings}),
            causal=True,
        )
        .double()
        .eval()
    )


def follow(layer, sequences):
    """Search with beam 2 over 2 sentences: after each step rows go on from the parents given."""
    parents = [[1, 0, 2, 2], [0, 0, 3, 2], [1, 0, 3, 3]] * 6  # further than room is made at once
    cache = index_rows(layer.start(torch.zeros(2, 1, SIZE, dtype=torch.float64)), torch.tensor([0, 0, 1, 1]))
    pasts = [[], [], [], []]
    with torch.no_grad():
        for position, rows in enumerate(parents):
            states = sequences[:, position : position + 1]
            pasts = [[*past, states[row]] for row, past in enumerate(pasts)]
            output, cache = layer.step(states, cache, position)
            for row, past in enumerate(pasts):
                torch.testing.assert_close(output[row], layer(torch.cat(past).unsqueeze(0))[0, -1:])
            cache, pasts = index_rows(cache, torch.tensor(rows)), [pasts[row] for row in rows]
    return cache


@pytest.mark.parametrize("settings", [{}, {"positions": "rope"}, {"positions": "relative"}, {"positions": "alibi"}])
def test_steps_of_a_beam_equal_whole_sequences(settings):
    cache = follow(attention(**settings), torch.randn(4, 18, SIZE, dtype=torch.float64))
    assert isinstance(cache, Pool)


def test_two_branches_of_one_state_do_not_disturb_each_other():
    layer = attention()
    with torch.no_grad():
        first, second, third = torch.randn(3, 2, 1, SIZE, dtype=torch.float64)
        _, begun = layer.step(first, layer.start(first), 0)
        _, left = layer.step(second, begun, 1)
        _, right = layer.step(third, begun, 1)
        for middle, cache in ((second, left), (third, right)):
            output, _ = layer.step(first, cache, 2)
            torch.testing.assert_close(output, layer(torch.cat([first, middle, first], dim=1))[:, -1:])


def test_sentences_can_leave_and_unequal_numbers_of_hypotheses_can_stay():
    layer = attention()
    with torch.no_grad():
        states = torch.randn(4, 1, SIZE, dtype=torch.float64)
        cache = index_rows(layer.start(states[:2]), torch.tensor([0, 0, 1, 1]))
        _, cache = layer.step(states, cache, 0)
        for rows in ([2, 3], [3], [0, 2, 3]):
            following = torch.randn(len(rows), 1, SIZE, dtype=torch.float64)
            output, _ = layer.step(following, index_rows(cache, torch.tensor(rows)), 1)
            torch.testing.assert_close(output, layer(torch.cat([states[rows], following], dim=1))[:, -1:])
