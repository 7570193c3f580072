"""A recurrent layer a step at a time equals torch's fused one, and its own reading of padded rows."""

import pytest
import torch
from torch import nn

from seq2seq.models.recurrent import CellState, RecurrentLayer


def first_state(cell, rows, size):
    hidden = torch.randn(rows, size, dtype=torch.float64)
    return CellState(hidden=hidden, cell=torch.randn_like(hidden) if cell == "lstm" else None)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_steps_equal_the_fused_sequence(cell):
    layer = RecurrentLayer(cell=cell, input_size=5, hidden_size=7).double()
    inputs, state = torch.randn(3, 11, 5, dtype=torch.float64), first_state(cell, 3, 7)
    fused = layer.unroll(inputs, state)
    for t in range(11):
        gates = layer.project(inputs[:, t, :2]) + layer.project(inputs[:, t, 2:], first=2, bias=False)
        state = layer.step(gates, state)
        torch.testing.assert_close(state.hidden, fused[:, t])


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_equals_torch_with_copied_weights(cell):
    ours = RecurrentLayer(cell=cell, input_size=5, hidden_size=7, bidirectional=True).double()
    theirs = (nn.GRU if cell == "gru" else nn.LSTM)(5, 7, batch_first=True, bidirectional=True).double()
    theirs.load_state_dict({n.removeprefix("rnn."): p for n, p in ours.state_dict().items()})
    inputs = torch.randn(1, 11, 5, dtype=torch.float64)
    outputs, last = ours.read(inputs, torch.tensor([11]))
    expected, _ = theirs(inputs)
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(last, torch.cat([expected[:, -1, :7], expected[:, 0, 7:]], dim=-1))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_padded_rows_equal_truncated_rows(bidirectional):
    layer = RecurrentLayer(cell="gru", input_size=5, hidden_size=7, bidirectional=bidirectional).double()
    inputs = torch.randn(3, 11, 5, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([4, 11, 1])
    outputs, last = layer.read(inputs, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone, end = layer.read(inputs[row : row + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(outputs[row, :length], alone[0])
        torch.testing.assert_close(last[row], end[0])
        assert not outputs[row, length:].any()
    (outputs.sum() + last.sum()).backward()
    assert not inputs.grad[0, 4:].any()
    assert not inputs.grad[2, 1:].any()
