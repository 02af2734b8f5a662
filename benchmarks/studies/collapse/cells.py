"""Forms of the library's cells."""

from collections.abc import Callable

from torch import Tensor, nn


class WithoutNorm(nn.Module):
    """A cell without the norm after its step, on memories scaled by `scale`."""

    def __init__(self, cell: nn.Module, scale: float = 1.0) -> None:
        super().__init__()
        self.cell, self.memory, self.inputs, self.scale = cell, cell.memory, cell.inputs, scale

    def forward(self, m: Tensor, e: Tensor) -> Tensor:
        return self.cell.transition(self.scale * m, e) / self.scale


class NormalisedGates(nn.Module):
    """A linear layer whose outputs are normalised gate by gate."""

    def __init__(self, linear: nn.Linear, gates: int) -> None:
        super().__init__()
        self.linear, self.gates = linear, gates
        self.norm = nn.LayerNorm(linear.out_features // gates)

    def forward(self, rows: Tensor) -> Tensor:
        return self.norm(self.linear(rows).unflatten(-1, (self.gates, -1))).flatten(-2)


def with_normalised_gates(cell: nn.Module) -> WithoutNorm:
    """A GRU or an LSTM."""
    gates = {"GRU": 3, "LSTM": 4}[type(cell).__name__]
    cell.recurrent, cell.input = (
        NormalisedGates(part, gates) for part in (cell.recurrent, cell.input)
    )
    return WithoutNorm(cell)


FORMS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "plain": WithoutNorm,
    "scaled": lambda cell: WithoutNorm(cell, 0.4),
    "gates": with_normalised_gates,
    "norm": lambda cell: cell,
}
