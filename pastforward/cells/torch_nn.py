"""L1. `torch.nn.RNN`, `GRU` and `LSTM` of L layers as cells: no norm after a step, fused rollouts.

A memory is h of each layer, from the lowest, and of an LSTM then c of each, cut into K slots of
width D. As target memories have root-mean-square 1 and h lies in (-1, 1), memories are measured in
a unit of their own, h = scale * m: `forward` is the module's step, exactly so where the scale is a
power of two. The readout reads h of the highest layer, the module's output.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import final

import torch
from torch import Tensor, nn
from typing_extensions import override

from pastforward.cells import TorchConfig
from pastforward.cells.base import Cell, Reach
from pastforward.errors import UsageError
from pastforward.memory import Step, flat
from pastforward.types import MemoryShape

Weights = tuple[Tensor, Tensor, Tensor, Tensor]
"""Of a layer, as its module names them: weight_ih, weight_hh, bias_ih, bias_hh."""


class TorchCell(Cell, ABC):
    """Abstract: a module of `torch.nn` whose state has S tensors: h, or h and c."""

    states = 1
    """S."""

    def __init__(
        self, memory: MemoryShape, inputs: int, config: TorchConfig = TorchConfig()
    ) -> None:
        """Raises `UsageError` where S * L doesn't divide K * D."""
        super().__init__(memory, inputs)
        self.layers, self.scale = config.layers, config.scale
        parts = self.states * self.layers
        if memory.size % parts:
            raise UsageError(
                f"A memory of {memory.slots} x {memory.width} numbers can't be cut into "
                f"{' and '.join('hc'[: self.states])} of {self.layers} layers; let {parts} divide "
                "--student.slots times --student.width."
            )
        self.hidden = memory.size // parts
        self.visible = slice((self.layers - 1) * self.hidden, self.layers * self.hidden)
        self.net = self.build()

    @abstractmethod
    def build(self) -> nn.RNNBase:
        """The module, batch first."""

    @abstractmethod
    def step_layer(self, below: Tensor, state: Sequence[Tensor], weights: Weights) -> list[Tensor]:
        """The next state of a layer, S tensors `[N, H]`, from its input `[N, ...]`."""

    @final
    @override
    def normalise(self, m: Tensor) -> Tensor:
        return m

    @final
    @override
    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        old, below, reached = self._states(m), e.reshape(-1, self.inputs), []
        for n in range(self.layers):
            reached.append(self.step_layer(below, old[:, :, n].unbind(1), self.weights(n)))
            below = reached[-1][0]
        after = torch.stack([torch.stack(state, 1) for state in reached], 2)
        return after.view(m.shape) / self.scale

    @override
    def outputs(self, m: Tensor, e: Tensor, step: Step | None = None) -> tuple[Tensor, Tensor]:
        """By one fused call of the module."""
        # The module has layers before sequences.
        given = [state.transpose(0, 1).contiguous() for state in self._states(m).unbind(1)]
        found, after = self.net(e, tuple(given) if self.states > 1 else given[0])
        last = torch.stack(after, 2) if self.states > 1 else after.unsqueeze(2)
        return found / self.scale, last.permute(1, 2, 0, 3).reshape(m.shape) / self.scale

    def weights(self, layer: int) -> Weights:
        """Of one layer. By name: the module's list of them is blind to `functional_call`."""
        weight_ih, weight_hh, bias_ih, bias_hh = (
            getattr(self.net, f"{name}_l{layer}")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        return weight_ih, weight_hh, bias_ih, bias_hh

    def _states(self, m: Tensor) -> Tensor:
        """h, or h and c, of each layer: `[N, S, L, H]`."""
        return self.scale * m.reshape(-1, self.states, self.layers, self.hidden)


class _HiddenAlone(TorchCell, ABC):
    """Abstract: an RNN or GRU. All memories are what its layers return."""

    @abstractmethod
    def run_layer(self, below: Tensor, h: Tensor, weights: Weights) -> Tensor:
        """h_1..h_T `[B, T, H]` of a layer, fused, from its inputs and h_0 `[1, B, H]`."""

    @final
    @override
    def rollout(self, m: Tensor, e: Tensor, step: Step | None = None) -> Tensor:
        """By one fused call a layer."""
        given, reached = self._states(m)[:, 0], [e]
        for n in range(self.layers):
            h = given[:, n].unsqueeze(0).contiguous()
            reached.append(self.run_layer(reached[-1], h, self.weights(n)))
        after = torch.stack(reached[1:], 2).view(len(m), -1, *m.shape[1:]) / self.scale
        return torch.cat([m.unsqueeze(1), after], 1)


_ONE_LAYER = True, 1, 0.0, False, False, True
"""Biases, layers, no dropout, not training, one direction, batch first."""


@final
class TorchRNN(_HiddenAlone):
    """`torch.nn.RNN` with tanh."""

    @override
    def build(self) -> nn.RNNBase:
        return nn.RNN(self.inputs, self.hidden, self.layers, batch_first=True)

    @override
    def step_layer(self, below: Tensor, state: Sequence[Tensor], weights: Weights) -> list[Tensor]:
        return [torch.rnn_tanh_cell(below, state[0], *weights)]

    @override
    def run_layer(self, below: Tensor, h: Tensor, weights: Weights) -> Tensor:
        return torch.rnn_tanh(below, h, weights, *_ONE_LAYER)[0]


@final
class TorchGRU(_HiddenAlone):
    """`torch.nn.GRU`."""

    @override
    def build(self) -> nn.RNNBase:
        return nn.GRU(self.inputs, self.hidden, self.layers, batch_first=True)

    @override
    def step_layer(self, below: Tensor, state: Sequence[Tensor], weights: Weights) -> list[Tensor]:
        return [torch.gru_cell(below, state[0], *weights)]

    @override
    def run_layer(self, below: Tensor, h: Tensor, weights: Weights) -> Tensor:
        return torch.gru(below, h, weights, *_ONE_LAYER)[0]


@final
class TorchLSTM(TorchCell):
    """`torch.nn.LSTM`. It returns no c_t on the way, so `rollout` is a loop; `outputs` is fused."""

    states = 2

    @property
    @override
    def reach(self) -> Reach:
        return partial(_lstm_reach, scale=self.scale)

    @override
    def build(self) -> nn.RNNBase:
        return nn.LSTM(self.inputs, self.hidden, self.layers, batch_first=True)

    @override
    def step_layer(self, below: Tensor, state: Sequence[Tensor], weights: Weights) -> list[Tensor]:
        return list(torch.lstm_cell(below, tuple(state), *weights))


def _lstm_reach(m: Tensor, scale: float) -> Tensor:
    """c as it is, and h = o tanh(c) with the gate o from what stands in the place of h.

    An LSTM's h has the sign of its c and is no larger than tanh(c): free targets are neither.
    """
    gate, c = flat(m).chunk(2, -1)
    h = torch.sigmoid(2.0 * gate) * torch.tanh(scale * c) / scale
    return torch.cat([h, c], -1).view(m.shape)
