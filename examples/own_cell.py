"""A cell of your own: pretrain it with SMT, compare with BPTT at equal budget.

    python examples/own_cell.py

The same on the command line, in this folder:

    pastforward train copy:16 --cell own_cell:LeakyCell --cell.leak 0.2
"""

from dataclasses import dataclass

import torch
from torch import nn

import pastforward as pf


@dataclass(frozen=True)
class LeakyConfig:
    """Dials of the cell; on the command line they are `--cell.leak` and so on."""

    leak: float = 0.1
    """Share of the memory that a step replaces."""


class LeakyCell(pf.Cell):
    """m' = (1 - leak) m + leak tanh(W [m, e])."""

    Config = LeakyConfig

    def __init__(self, memory: pf.MemoryShape, inputs: int, config: LeakyConfig) -> None:
        super().__init__(memory, inputs)
        self.leak = config.leak
        self.mix = nn.Linear(memory.size + inputs, memory.size)

    def transition(self, m: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
        """The next memory before normalisation; any leading axes."""
        new = torch.tanh(self.mix(torch.cat([m.flatten(-2), e], -1)))
        return (1 - self.leak) * m + self.leak * new.view(m.shape)


def main(budget: pf.Budget | None = None) -> None:
    """BPTT, then SMT and DMT; a minute each when no budget is given."""
    budget = budget or pf.Budget(seconds=60)
    for method in ("bptt", "smt+dmt"):
        run = pf.train(
            "copy:16", method, cell="own_cell:LeakyCell", name=f"own-cell-{method}",
            budget=budget, if_exists="overwrite",
        )  # fmt: skip
        score = run.evaluate().student
        print(f"{method:<8} {score.nats:.3f} nats, {score.accuracy:.1%} right, alone from m_0")


if __name__ == "__main__":
    main()
