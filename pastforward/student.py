"""L2. The student: embedding, cell, readout and empty memory. All that ships."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pastforward.cells import CELLS
from pastforward.cells.base import Cell
from pastforward.config import StudentConfig
from pastforward.errors import UsageError, nearest
from pastforward.inputs import embedding
from pastforward.memory import rms_norm
from pastforward.outputs import Readout
from pastforward.rollout import rollout
from pastforward.types import MemoryShape, Signature, Tokens


class Student(nn.Module):
    """A recurrent network: m_t = f(m_{t-1}, embed(x_t)), y_t ~ g(m_t), from a learned m_0."""

    def __init__(self, signature: Signature, cell: Cell, hidden: int = 128) -> None:
        super().__init__()
        self.signature = signature
        self.embed = embedding(signature.inputs, cell.inputs)
        self.cell = cell
        self.readout = Readout(cell.memory, signature.outputs, hidden)
        # Small, because the norm takes out its scale: the smaller it is, the faster it can turn.
        self.empty = nn.Parameter(0.05 * torch.randn(cell.memory.slots, cell.memory.width))

    @property
    def memory(self) -> MemoryShape:
        """K and D."""
        return self.cell.memory

    def is_autoregressive(self) -> bool:
        """Can an output be fed back as the next input?

        An input vocabulary may be larger: images are read with a start symbol of their own.
        """
        read, written = self.signature.inputs, self.signature.outputs
        if isinstance(read, Tokens) and isinstance(written, Tokens):
            return read.size >= written.size
        return read == written

    def start(self, *leading: int) -> Float[Tensor, "... slots width"]:
        """The empty memory m_0, expanded over leading axes."""
        return rms_norm(self.empty).expand(*leading, -1, -1)

    def step(self, m: Float[Tensor, "... slots width"], x: Tensor) -> Tensor:
        """f(m_{t-1}, x_t) for tokens `[...]` or vectors `[..., C]`."""
        return self.cell(m, self.embed(x))

    def predict(self, x: Tensor) -> Float[Tensor, "batch length parameters"]:
        """Parameters of y_1..y_T, alone from m_0: T steps, one after the other."""
        memories = rollout(self.cell, self.start(x.shape[0]), self.embed(x))
        return self.readout(memories[:, 1:])


def build_student(config: StudentConfig, signature: Signature) -> Student:
    """A student with a cell of the table; raises `UsageError` for what doesn't fit."""
    if config.cell not in CELLS:
        raise UsageError(f"There is no cell '{config.cell}'; {nearest(config.cell, CELLS)}.")
    memory = MemoryShape(config.slots, config.width)
    cell = CELLS[config.cell](memory, config.embed)
    cell.scale.fill_(config.scale)
    return Student(signature, cell, config.hidden)
