"""L3. Whole sequences in ONNX, by its own operators RNN, GRU and LSTM.

A layer is one node. ONNX has other orders of gates than torch: a GRU's z, r, h where torch has
r, z, n; an LSTM's i, o, f, c where torch has i, f, g, o.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from pastforward.cells.plain import Recurrent
from pastforward.cells.torch_nn import TorchCell
from pastforward.outputs import parameter_count
from pastforward.plain_torch import to_torch
from pastforward.student import Student
from pastforward.types import Tokens

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

OPSET = 18
_GATES = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
"""Of torch, in ONNX's order."""


def sequence_model(student: Student) -> "ModelProto":
    """`(memory [B, K, D], input [B, T] or [B, T, C]) -> (next_memory, parameters [B, T, P])`."""
    from onnx import helper

    graph, network, cell = _Graph(), to_torch(student), student.cell
    assert isinstance(cell, TorchCell)
    below = graph.add("Transpose", [_embedded(graph, network)], perm=[1, 0, 2])  # T comes first
    shape = graph.integers([-1, cell.states, cell.layers, cell.hidden])
    states = graph.add("Reshape", ["memory", shape])
    states, reached = graph.add("Mul", [states, graph.number(cell.scale)]), []
    for layer in range(cell.layers):
        below, after = _layer(graph, network, states, below, layer)
        reached.append(after)
    _readout(graph, network, graph.add("Transpose", [below], perm=[1, 0, 2]))
    last = graph.add("Concat", reached, axis=2)  # [B, S, L, H]
    last = graph.add("Mul", [last, graph.number(1.0 / cell.scale)])
    shape = graph.integers([-1, student.memory.slots, student.memory.width])
    graph.add("Reshape", [last, shape], out="next_memory")
    made = helper.make_graph(graph.nodes, "sequence", *_shapes(student), graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)


def _shapes(student: Student) -> tuple[list[Any], list[Any]]:
    """Of inputs and outputs."""
    from onnx import TensorProto, helper

    kind, memory = student.signature.inputs, student.memory
    number, whole = TensorProto.FLOAT, TensorProto.INT64
    m = ["batch", memory.slots, memory.width]
    x = ["batch", "steps"] if isinstance(kind, Tokens) else ["batch", "steps", kind.width]
    y = ["batch", "steps", parameter_count(student.signature.outputs)]
    shape = helper.make_tensor_value_info
    return (
        [shape("memory", number, m), shape("input", whole if len(x) == 2 else number, x)],
        [shape("next_memory", number, m), shape("parameters", number, y)],
    )


@dataclass
class _Graph:
    """Nodes and constants, added one after the other."""

    nodes: list["NodeProto"] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def add(self, kind: str, inputs: list[str], out: str | None = None, **attributes: Any) -> str:
        """A node; the name of its only output."""
        return self.several(kind, inputs, [out or f"v{len(self.nodes)}"], **attributes)[0]

    def several(
        self, kind: str, inputs: list[str], outs: list[str], **attributes: Any
    ) -> list[str]:
        """A node with some outputs; their names."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, outs, **attributes))
        return outs

    def constant(self, values: np.ndarray) -> str:
        """Its name."""
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def integers(self, values: list[int]) -> str:
        """A constant of whole numbers."""
        return self.constant(np.array(values, dtype=np.int64))

    def number(self, value: float) -> str:
        """A constant of one number."""
        return self.constant(np.array(value, dtype=np.float32))


def _embedded(graph: _Graph, network: Recurrent) -> str:
    if isinstance(network.embed, nn.Embedding):
        return graph.add("Gather", [graph.constant(_values(network.embed.weight)), "input"])
    return "input"


def _layer(
    graph: _Graph, network: Recurrent, states: str, below: str, layer: int
) -> tuple[str, str]:
    """h_1..h_T `[T, B, H]` of a layer, and its last state `[B, S, 1, H]`."""
    kind, rnn = type(network.rnn).__name__, network.rnn
    weights = [graph.constant(w) for w in _weights(rnn, kind, layer)]
    count = 2 if kind == "LSTM" else 1
    chosen = graph.add("Gather", [states, graph.integers([layer])], axis=2)  # [B, S, 1, H]
    given = []
    for n in range(count):
        one = graph.add("Gather", [chosen, graph.integers([n])], axis=1)
        one = graph.add("Squeeze", [one, graph.integers([2])])
        given.append(graph.add("Transpose", [one], perm=[1, 0, 2]))  # [1, B, H]
    options: dict[str, Any] = {"hidden_size": rnn.hidden_size}
    if kind == "GRU":
        options["linear_before_reset"] = 1
    outs = [f"layer{layer}_{name}" for name in ("all", "h", "c")[: 1 + count]]
    found, *after = graph.several(kind, [below, *weights, "", *given], outs, **options)
    last = [graph.add("Transpose", [one], perm=[1, 0, 2]) for one in after]
    joined = graph.add("Concat", last, axis=1)  # [B, S, H]
    joined = graph.add("Unsqueeze", [joined, graph.integers([2])])
    return graph.add("Squeeze", [found, graph.integers([1])]), joined


def _weights(rnn: nn.RNNBase, kind: str, layer: int) -> list[np.ndarray]:
    """W, R and B with the gates in ONNX's order, and its axis of directions before them."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    w, r, w_bias, r_bias = (
        np.concatenate([np.split(one, len(_GATES[kind]))[gate] for gate in _GATES[kind]])
        for one in (_values(getattr(rnn, f"{name}_l{layer}")) for name in names)
    )
    return [w[None], r[None], np.concatenate([w_bias, r_bias])[None]]


def _readout(graph: _Graph, network: Recurrent, h: str) -> None:
    net = network.readout
    if isinstance(net, nn.Linear):
        _linear(graph, net, h, "parameters")
        return
    up, _, down = net
    hidden = _linear(graph, up, h)
    _linear(graph, down, graph.add("Mul", [hidden, graph.add("Sigmoid", [hidden])]), "parameters")


def _linear(graph: _Graph, net: nn.Module, h: str, out: str | None = None) -> str:
    assert isinstance(net, nn.Linear)
    product = graph.add("MatMul", [h, graph.constant(_values(net.weight).T)])
    return graph.add("Add", [product, graph.constant(_values(net.bias))], out)


def _values(tensor: Any) -> np.ndarray:
    return tensor.detach().numpy()
