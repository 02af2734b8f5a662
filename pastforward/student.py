"""L2. The student: embedding, cell, readout and empty memory. All that ships."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pastforward.blocks import embedding
from pastforward.cells import StudentConfig
from pastforward.cells.base import Cell
from pastforward.cells.build import build_cell
from pastforward.cells.plain import Recurrent
from pastforward.outputs import Readout
from pastforward.types import MemoryShape, Signature, Tokens


class Student(nn.Module):
    """A recurrent network: m_t = f(m_{t-1}, embed(x_t)), y_t ~ g(m_t), from a learned m_0."""

    def __init__(self, signature: Signature, cell: Cell, hidden: int = 128) -> None:
        super().__init__()
        self.signature = signature
        self.embed = embedding(signature.inputs, cell.inputs)
        self.cell = cell
        self.readout = Readout(cell.memory, signature.outputs, hidden, cell.visible)
        # A norm removes its scale, so a small start lets m_0 change direction quickly.
        self.empty = nn.Parameter(0.05 * torch.randn(cell.memory.slots, cell.memory.width))

    @property
    def memory(self) -> MemoryShape:
        """K and D."""
        return self.cell.memory

    @property
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
        return self.cell.normalise(self.empty).expand(*leading, -1, -1)

    def step(self, m: Float[Tensor, "... slots width"], x: Tensor) -> Tensor:
        """f(m_{t-1}, x_t) for tokens `[...]` or vectors `[..., C]`."""
        return self.cell(m, self.embed(x))

    def rollout(
        self, x: Tensor, m: Float[Tensor, "batch slots width"] | None = None
    ) -> Float[Tensor, "batch steps slots width"]:
        """m_0..m_T, `[B, T+1, K, D]`, from m (the empty memory when None): T serial steps."""
        return self.cell.rollout(self.start(len(x)) if m is None else m, self.embed(x))

    def forward(
        self, x: Tensor, m: Float[Tensor, "batch slots width"] | None = None
    ) -> tuple[Float[Tensor, "batch length parameters"], Float[Tensor, "batch slots width"]]:
        """Parameters of y_1..y_T and the last memory m_T, as `torch.nn.GRU` has it.

        x is `[B, T]` tokens or `[B, T, C]` vectors; m the memory before x_1, empty when None.
        """
        m = self.start(len(x)) if m is None else m
        visible, last = self.cell.outputs(m, self.embed(x))
        return self.readout.of_visible(visible), last

    def to_torch(self) -> Recurrent:
        """The same network of modules of `torch.nn` alone, whose `state_dict` needs no pastforward.

        Raises `UsageError` for other cells than torch-rnn, torch-gru and torch-lstm.
        """
        from pastforward.plain_torch import to_torch

        return to_torch(self)


def build_student(config: StudentConfig, signature: Signature) -> Student:
    """A student as configured; raises `UsageError` for an unknown cell or sizes that don't fit."""
    memory = MemoryShape(config.slots, config.width)
    cell = build_cell(config.cell, memory, config.embed, config.cell_config)
    return Student(signature, cell, config.hidden)
