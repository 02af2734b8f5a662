"""L1. The gated recurrent unit (Cho et al. 2014; reset gate after the product, as in cuDNN)."""

from typing import final

import torch
from torch import Tensor, nn
from typing_extensions import override

from pastforward.cells import TanhConfig
from pastforward.cells.base import Cell
from pastforward.memory import flat
from pastforward.types import MemoryShape


@final
class GRU(Cell):
    """m' = z s m + (1 - z) tanh(s (n + r h)), gates from m and e, s the memory scale.

    The norm after the step lets memories leave the cube (-1, 1): a plain GRU can't reach target
    memories of root-mean-square 1.
    """

    def __init__(self, memory: MemoryShape, inputs: int, config: TanhConfig = TanhConfig()) -> None:
        super().__init__(memory, inputs)
        self.scale = config.scale
        self.recurrent = nn.Linear(memory.size, 3 * memory.size)
        self.input = nn.Linear(inputs, 3 * memory.size)

    @override
    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        hz, hr, hn = self.recurrent(flat(m)).chunk(3, -1)
        ez, er, en = self.input(e).chunk(3, -1)
        candidate = torch.tanh(self.scale * (en + torch.sigmoid(hr + er) * hn))
        kept, gate = self.scale * flat(m), torch.sigmoid(hz + ez)
        # Under autocast products are in bfloat16, memories are not.
        return torch.lerp(candidate.to(kept.dtype), kept, gate.to(kept.dtype)).view(m.shape)
