"""L2. Students of the cells torch-rnn, torch-gru and torch-lstm as plain `torch.nn`, and back.

The unit of a memory, h = scale * m, goes into the readout's first weights, and a linear layer
before the cell into the cell's own: what ships is embedding, `nn.GRU`, readout.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pastforward.blocks import Mlp, VectorEmbedding
from pastforward.cells import StudentConfig, TorchConfig
from pastforward.cells.plain import Recurrent
from pastforward.cells.torch_nn import TorchCell
from pastforward.errors import UsageError
from pastforward.outputs import parameter_count
from pastforward.student import Student, build_student
from pastforward.types import Kind, Signature, Tokens

_CELLS = {nn.RNN: "torch-rnn", nn.GRU: "torch-gru", nn.LSTM: "torch-lstm"}
_TOLERANCE = 1e-4


def to_torch(student: Student) -> Recurrent:
    """The same network of modules of `torch.nn` alone, in evaluation mode on the CPU.

    Outputs are the student's; vectors beyond 2^32 are read as they are. Raises `UsageError` for
    other cells.
    """
    network = Recurrent(**torch_sizes(student))
    network.load_state_dict(_weights(student))
    return network.eval()


def torch_sizes(student: Student) -> dict[str, Any]:
    """Arguments of `Recurrent`, as JSON holds them; raises `UsageError` for other cells."""
    cell, what = student.cell, student.signature
    if not isinstance(cell, TorchCell):
        raise UsageError(
            f"The student's cell is {type(cell).__name__}, which torch.nn has no module of; train "
            "one with --cell torch-rnn, torch-gru or torch-lstm, or export it --to onnx."
        )
    tokens = isinstance(what.inputs, Tokens)
    return {
        "kind": type(cell.net).__name__,
        "inputs": what.inputs.size if isinstance(what.inputs, Tokens) else what.inputs.width,
        "embed": cell.inputs if tokens else 0,
        "hidden": cell.hidden,
        "layers": cell.layers,
        "readout": student.readout.hidden,
        "outputs": parameter_count(what.outputs),
    }


def _weights(student: Student) -> dict[str, Tensor]:
    """By the names of `Recurrent`; folded in double precision."""
    cell, own = student.cell, deepcopy(student).cpu().double()
    assert isinstance(cell, TorchCell) and isinstance(own.cell, TorchCell)  # noqa: PT018
    found = {f"rnn.{name}": tensor for name, tensor in own.cell.net.state_dict().items()}
    if isinstance(own.embed, VectorEmbedding):
        first = found["rnn.weight_ih_l0"]
        found["rnn.bias_ih_l0"] = found["rnn.bias_ih_l0"] + first @ own.embed.bias
        found["rnn.weight_ih_l0"] = first @ own.embed.weight
    else:
        found["embed.weight"] = own.embed.state_dict()["weight"]
    states = (cell.scale * own.empty).view(cell.states, cell.layers, cell.hidden)
    found |= dict(zip(("h0", "c0"), states, strict=False))
    found |= _readout(own.readout.net, cell.scale)
    return {name: tensor.detach().float() for name, tensor in found.items()}


def _readout(net: nn.Module, scale: float) -> dict[str, Tensor]:
    if isinstance(net, nn.Linear):
        return {"readout.weight": net.weight / scale, "readout.bias": net.bias}
    assert isinstance(net, Mlp)
    return {
        "readout.0.weight": net.up.weight / scale, "readout.0.bias": net.up.bias,
        "readout.2.weight": net.down.weight, "readout.2.bias": net.down.bias,
    }  # fmt: skip


@dataclass(frozen=True)
class _Parts:
    """Layers of a module, in the order of the data."""

    embed: nn.Embedding | nn.Linear | None
    rnn: nn.RNNBase
    up: nn.Linear | None
    down: nn.Linear


def torch_config(module: nn.Module, slots: int = 1) -> StudentConfig:
    """The config of the student that `from_torch` makes of a module.

    Raises `UsageError` for a module of another shape than `from_torch` reads.
    """
    parts = _parts(module)
    rnn = parts.rnn
    states = (2 if isinstance(rnn, nn.LSTM) else 1) * rnn.num_layers
    size = states * rnn.hidden_size
    if size % slots:
        raise UsageError(
            f"A state of {size} numbers can't be cut into {slots} slots; let --student.slots "
            "divide it, such as 1."
        )
    return StudentConfig(
        cell=_CELLS[type(rnn)],
        slots=slots,
        width=size // slots,
        embed=rnn.input_size,
        hidden=0 if parts.up is None else parts.up.out_features,
        cell_config=TorchConfig(layers=rnn.num_layers),
    )


@torch.no_grad()
def from_torch(module: nn.Module, signature: Signature, slots: int = 1) -> Student:
    """A student with the weights of a module, to pretrain what you have.

    The module holds, in this order: an `nn.Embedding` (of tokens), an `nn.Linear` or nothing (of
    vectors); one `nn.RNN`, `nn.GRU` or `nn.LSTM`, batch first; a readout of one `nn.Linear`, or of
    two with an `nn.SiLU` between. Called on x it returns outputs `[B, T, P]`, or `[B, P]` of the
    last step, alone or first in a tuple. Its first state is zero, or that of `Recurrent`, and is
    learned from there.

    `signature` says what it reads and writes, as `Source.signature` does; `slots` in how many
    slots target memories have the state. Raises `UsageError` for a module of another shape, and
    where the student would do something else than it.
    """
    parts, config = _parts(module), torch_config(module, slots)
    _require_kinds(parts, signature)
    student = build_student(config, signature).eval()
    cell = student.cell
    assert isinstance(cell, TorchCell)
    cell.net.load_state_dict(parts.rnn.state_dict())
    _fill_embedding(student.embed, parts.embed)
    net = student.readout.net
    first, last = (net.up, net.down) if isinstance(net, Mlp) else (net, net)
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    last.load_state_dict(parts.down.state_dict())
    first.load_state_dict((parts.up or parts.down).state_dict())
    first.weight.mul_(cell.scale)
    states = [module.h0, module.c0][: cell.states] if isinstance(module, Recurrent) else []
    student.empty.zero_()
    if states:
        student.empty.copy_(torch.stack([s / cell.scale for s in states]).view_as(student.empty))
    _require_same(student, module)
    return student


def _parts(module: nn.Module) -> _Parts:
    """Its layers; raises `UsageError` for others."""
    passing = (nn.Dropout, nn.Identity)
    leaves = [m for m in module.modules() if not list(m.children()) and not isinstance(m, passing)]
    places = [n for n, m in enumerate(leaves) if type(m) in _CELLS]
    if len(places) != 1:
        raise _other_shape(module, f"{len(places)} modules of nn.RNN, nn.GRU or nn.LSTM")
    before, rnn, after = leaves[: places[0]], leaves[places[0]], leaves[places[0] + 1 :]
    assert isinstance(rnn, nn.RNNBase)
    _require_plain(module, rnn)
    kinds = [type(m) for m in after]
    if len(before) > 1 or not all(type(m) in (nn.Embedding, nn.Linear) for m in before):
        raise _other_shape(module, f"{', '.join(type(m).__name__ for m in before)} before it")
    if kinds not in ([nn.Linear], [nn.Linear, nn.SiLU, nn.Linear]):
        raise _other_shape(module, f"{', '.join(k.__name__ for k in kinds) or 'nothing'} after it")
    *up, down = (m for m in after if isinstance(m, nn.Linear))
    if any(m.bias is None for m in [*up, down]):
        raise _other_shape(module, "a readout without bias")
    embed = before[0] if before else None
    assert embed is None or isinstance(embed, nn.Embedding | nn.Linear)
    return _Parts(embed, rnn, up[0] if up else None, down)


def _require_plain(module: nn.Module, rnn: nn.RNNBase) -> None:
    unlike = {
        "two directions": rnn.bidirectional,
        "projections (proj_size)": rnn.proj_size,
        "no biases": not rnn.bias,
        "the time axis first (batch_first=False)": not rnn.batch_first,
        "a ReLU": getattr(rnn, "nonlinearity", "tanh") != "tanh",
    }
    for what, given in unlike.items():
        if given:
            raise _other_shape(module, f"a {type(rnn).__name__} with {what}")


def _require_kinds(parts: _Parts, signature: Signature) -> None:
    embed, inputs = parts.embed, signature.inputs
    reads: Kind | str
    if isinstance(embed, nn.Embedding):
        same, reads = inputs == Tokens(embed.num_embeddings), f"{embed.num_embeddings} tokens"
    else:
        width = parts.rnn.input_size if embed is None else embed.in_features
        same = not isinstance(inputs, Tokens) and inputs.width == width
        reads = f"vectors of {width}"
    count, expected = parts.down.out_features, parameter_count(signature.outputs)
    if not same or count != expected:
        raise UsageError(
            f"The module reads {reads} and writes {count} numbers a step, and the data reads as "
            f"{inputs} and {signature.outputs}, which have {expected} parameters; give a module of "
            "these sizes."
        )


def _fill_embedding(embed: nn.Module, given: nn.Embedding | nn.Linear | None) -> None:
    if given is not None:
        state = dict(given.state_dict())
        if "bias" not in state and isinstance(embed, nn.Linear):
            state["bias"] = torch.zeros_like(embed.bias)
        embed.load_state_dict(state)
        return
    assert isinstance(embed, nn.Linear)
    nn.init.eye_(embed.weight)
    nn.init.zeros_(embed.bias)


def _require_same(student: Student, module: nn.Module) -> None:
    """Refuse a module whose `forward` is not what its layers say."""
    was, kind = module.training, student.signature.inputs
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 5, 1 if isinstance(kind, Tokens) else kind.width, generator=generator)
    if isinstance(kind, Tokens):
        x = torch.randint(kind.size, (3, 5), generator=generator)
    try:
        found = module.eval()(x)
    except Exception as error:  # code of the user's can fail in any way
        raise _other_shape(module, f"a forward that can't be called on {list(x.shape)}") from error
    finally:
        module.train(was)
    found = found[0] if isinstance(found, tuple) else found
    expected = student(x)[0]
    expected = expected if found.dim() == 3 else expected[:, -1]
    if found.shape != expected.shape or not torch.allclose(found, expected, 0, _TOLERANCE):
        raise _other_shape(module, "a forward that does more than its layers")


def _other_shape(module: nn.Module, what: str) -> UsageError:
    return UsageError(
        f"{type(module).__name__} has {what}; give a module of one nn.Embedding or nn.Linear (or "
        "none, of vectors), one nn.RNN, nn.GRU or nn.LSTM (batch_first=True), and a readout of one "
        "nn.Linear, or of two with nn.SiLU between."
    )
