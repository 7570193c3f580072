"""One recurrent layer, usable as a whole sequence at once or a step at a time with the same parameters."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.attention.masks import length_mask
from seq2seq.models.kernels.gru import gru_sequence


class CellState(NamedTuple):
    """The state of one layer."""

    hidden: Tensor
    """(N, H), what the layer says."""
    cell: Tensor | None
    """(N, H), what an LSTM keeps to itself; None for a GRU."""


class RecurrentLayer(nn.Module):
    """One GRU (Cho et al. 2014, arXiv:1406.1078, in cuDNN's form) or LSTM (Hochreiter and Schmidhuber 1997) layer.

    The GRU is the variant of cuDNN and torch: h' = (1 - z) n + z h with n = tanh(W x + b + r (U h + c)), where Cho's reset gate
    r multiplies h before the matmul: U (r h). Bahdanau's z is our 1 - z. H is the hidden_size, of each direction.
    """

    def __init__(self, *, cell: str, input_size: int, hidden_size: int, bidirectional: bool = False) -> None:
        super().__init__()
        kind = nn.GRU if cell == "gru" else nn.LSTM
        self.rnn: nn.GRU | nn.LSTM = kind(input_size, hidden_size, batch_first=True, bidirectional=bidirectional)
        self.hidden_size = hidden_size
        self.is_lstm = cell == "lstm"
        for name, parameter in self.rnn.named_parameters():
            if "weight_hh" in name:
                for gate in parameter.data.chunk(len(parameter) // self.hidden_size):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)
                if self.is_lstm and "bias_ih" in name:
                    parameter.data[self.hidden_size : 2 * self.hidden_size] = 1.0  # open forget gate, Jozefowicz et al. 2015

    def read(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read padded rows, each to its own end.

        Args:
            inputs: (B, S, input_size).
            lengths: (B,) on the CPU, 1 <= length <= S.

        Returns:
            Outputs (B, S, directions * H), zero past the end, and the last state of each direction (B, directions * H).
        """
        if self.has_kernel(inputs):
            return self._read_gru(inputs, lengths)
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        outputs, last = self.rnn(packed)
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
        hidden: Tensor = last[0] if self.is_lstm else last  # (directions, B, H)
        return padded, hidden.transpose(0, 1).flatten(1)

    def has_kernel(self, inputs: Tensor) -> bool:
        """Whether `gru_sequence` computes this layer; an accelerator has a better one in cuDNN."""
        return not self.is_lstm and inputs.device.type == "cpu"

    def _read_gru(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`read` without packing: past the end of a row the state is zero, as it is before its beginning."""
        count, size = inputs.shape[:2]
        steps = inputs.transpose(0, 1).contiguous()  # (S, B, input_size)
        mask = length_mask(lengths, size).t()  # (S, B)
        outputs, last = [], []
        for direction, (weight, recurrent_weight, from_input, from_state) in enumerate(self.rnn.all_weights):
            gates = functional.linear(steps, weight, from_input)  # (S, B, 3 H)
            first = steps.new_zeros(count, self.hidden_size, dtype=weight.dtype)
            states = gru_sequence(gates, first, recurrent_weight, from_state, mask=mask, reverse=direction == 1)  # (S, B, H)
            outputs.append(states)
            last.append(states[0] if direction else states[lengths - 1, torch.arange(count)])
        return torch.cat(outputs, dim=-1).transpose(0, 1).contiguous(), torch.cat(last, dim=-1)

    def unroll(self, inputs: Tensor, state: CellState, context: Tensor | None = None) -> Tensor:
        """Run over known inputs from a state.

        Args:
            inputs: (B, T, D).
            state: of B rows.
            context: (B, T or 1, input_size - D), the other features of the input; of one that is the same at every step the
                share of the gates is computed once.

        Returns:
            (B, T, H), the states.
        """
        if self.has_kernel(inputs):
            _, weight, _, bias = self.first_direction()
            gates = self.project(inputs.transpose(0, 1).contiguous())  # (T, B, 3 H)
            if context is not None:
                gates = gates + self.project(context.transpose(0, 1), inputs.shape[-1], bias=False)
            return gru_sequence(gates, state.hidden, weight, bias).transpose(0, 1)
        if context is not None:
            inputs = torch.cat([inputs, context.expand(-1, inputs.shape[1], -1)], dim=-1)
        hidden = state.hidden.unsqueeze(0).contiguous()
        first = hidden if state.cell is None else (hidden, state.cell.unsqueeze(0).contiguous())
        outputs: Tensor = self.rnn(inputs, first)[0]
        return outputs

    def project(self, inputs: Tensor, first: int = 0, bias: bool = True) -> Tensor:
        """Return the share of the gates (..., gates * H) that inputs (..., D) contribute, D input features from `first` on."""
        weight, _, from_input, _ = self.first_direction()
        return functional.linear(inputs, weight[:, first : first + inputs.shape[-1]], from_input if bias else None)

    def first_direction(self) -> list[Tensor]:
        """W_ih (gates * H, input_size), W_hh (gates * H, H), b_ih, b_hh."""
        return list(self.rnn.all_weights[0])

    def step(self, gates: Tensor, state: CellState) -> CellState:
        """Take one step of N rows; `gates` (N, gates * H) are the sum of `project` over all parts of the input."""
        _, weight, _, bias = self.first_direction()
        recurrent = functional.linear(state.hidden, weight, bias)
        if state.cell is not None:
            return _lstm_step(gates + recurrent, state.cell)
        return CellState(hidden=_gru_step(gates, recurrent, state.hidden), cell=None)


def _gru_step(gates: Tensor, recurrent: Tensor, hidden: Tensor) -> Tensor:
    size = hidden.shape[-1]
    reset_update = torch.sigmoid(gates[..., : 2 * size] + recurrent[..., : 2 * size])
    reset, update = reset_update.chunk(2, dim=-1)
    new = torch.tanh(gates[..., 2 * size :] + reset * recurrent[..., 2 * size :])
    return torch.lerp(new, hidden, update)  # (1 - z) n + z h


def _lstm_step(gates: Tensor, cell: Tensor) -> CellState:
    remember_in, forget, new, show = gates.chunk(4, dim=-1)
    kept = torch.sigmoid(forget) * cell + torch.sigmoid(remember_in) * torch.tanh(new)
    return CellState(hidden=torch.sigmoid(show) * torch.tanh(kept), cell=kept)
