"""L1. The decoder: futures from a memory. It makes memories predictive states, then is discarded.

    memory tokens of m_t   x_{t+1}   x_{t+2}  ...  x_{t+F-1}
              |               |         |              |
      readout -> y_t       y_{t+1}   y_{t+2}       y_{t+F-1}
          j = 1             j = 2     j = 3           j = F

Output j sees m_t and x_{t+1}..x_{t+j-1}. The first sees the memory alone: it is the readout. Where
memories are those of a linear recurrence, x_{t+j} comes with what that makes of m_t in j steps:
"what was read n steps ago" then stands in the same place at every j.
"""

from math import gcd

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pastforward.blocks import Transformer
from pastforward.config import TeacherConfig
from pastforward.errors import UsageError
from pastforward.inputs import embedding
from pastforward.memory import take
from pastforward.outputs import Readout, parameter_count
from pastforward.scan import DiagonalRecurrence
from pastforward.types import AnyBatch, Batch, MemoryShape, Signature


class Decoder(nn.Module):
    """A causal Transformer over the memory, cut into `tokens` pieces, and the true next inputs."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig,
        recurrence: DiagonalRecurrence | None = None,
    ) -> None:  # fmt: skip
        """`recurrence`: how memories move, where they do by such a one. Raises `UsageError`."""
        super().__init__()
        width = config.width
        self.tokens = tokens = _tokens(config, memory)
        self.readout = Readout(memory, signature.outputs, hidden=2 * width)
        self.project = nn.Linear(memory.size // tokens, width)
        self.places = nn.Parameter(0.1 * torch.randn(tokens, width))
        self.embed = embedding(signature.inputs, width)
        length = tokens + signature.length
        self.transformer = Transformer(
            width, config.decoder_depth, config.heads, length, causal=True
        )
        self.onward = None if recurrence is None else _Onward(recurrence, memory, width)
        self.head = nn.Linear(width, parameter_count(signature.outputs))

    def forward(
        self, m: Float[Tensor, "batch anchors slots width"], x: Tensor
    ) -> Float[Tensor, "batch anchors future parameters"]:
        """Parameters of y_t..y_{t+F-1} from m_t and x_{t+1}..x_{t+F-1} `[B, A, F-1]`."""
        first = self.readout(m).unsqueeze(2)
        if x.shape[2] == 0:
            return first
        prefix = self.project(m.flatten(2).unflatten(2, (self.tokens, -1))) + self.places
        e = self.embed(x)
        if self.onward is not None:
            e = e + self.onward(m, x.shape[2])
        h = self.transformer(torch.cat([prefix, e], 2).flatten(0, 1))
        later = self.head(h[:, self.tokens :]).unflatten(0, m.shape[:2])
        return torch.cat([first, later], 2)


class _Onward(nn.Module):
    """What a linear recurrence makes of memories in 1, 2, ... steps, at the tower's width."""

    def __init__(self, recurrence: DiagonalRecurrence, memory: MemoryShape, width: int) -> None:
        super().__init__()
        self.recurrence = recurrence
        self.read = nn.Linear(memory.size, width, bias=False)

    def forward(self, m: Tensor, steps: int) -> Float[Tensor, "batch anchors steps width"]:
        return self.read(self.recurrence.ahead(m.flatten(2), steps))


def _tokens(config: TeacherConfig, memory: MemoryShape) -> int:
    """Pieces that a memory is cut into."""
    usual = memory.slots if memory.slots > 1 else gcd(8, memory.width)
    tokens = config.decoder_tokens or usual
    if memory.size % tokens:
        raise UsageError(
            f"Sizes don't fit: a memory of {memory.size} can't be cut into {tokens} decoder "
            "tokens; change one of them."
        )
    return tokens


def futures(batch: AnyBatch, times: Int[Tensor, "batch anchors"], length: int) -> Batch:
    """The next `length` steps after each m_t, t in 1..T, as the decoder reads them.

    x `[B, A, F-1]` holds x_{t+1}.., y and mask `[B, A, F]` hold y_t..; past the end the mask is
    False.
    """
    steps = times.unsqueeze(-1) - 1 + torch.arange(length, device=times.device)
    inside = steps < batch.x.shape[1]
    steps = steps.clamp(max=batch.x.shape[1] - 1)
    x = take(batch.x, steps[..., 1:])
    return Batch(x, take(batch.y, steps), take(batch.mask, steps) & inside)
