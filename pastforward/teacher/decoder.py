"""L2. The decoder: futures from a memory. It makes memories predictive states, then is discarded.

    tokens of m_t          x_{t+1}   x_{t+2}  ...  x_{t+F-1}
         |                    |         |              |
    readout -> y_t         y_{t+1}   y_{t+2}       y_{t+F-1}
       j = 1                j = 2     j = 3          j = F

Output j depends on m_t and x_{t+1}..x_{t+j-1}; the first on the memory alone: it is the readout.
Their cross-entropy is L_dec of arXiv 2606.06479. Where memories move by a linear recurrence with
factors lambda, lambda^j m_t is added to the embedding of x_{t+j}: what was read n steps before
t + j is then found in the same coordinates at every j.

With a second pair of heads, position j also predicts x_{t+j}, from the same memory and inputs: a
predictive state predicts observations, and has something to predict where outputs are rare.
"""

from math import gcd
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from pastforward.blocks import Transformer, embedding
from pastforward.errors import UsageError
from pastforward.losses import relevant
from pastforward.memory import take
from pastforward.outputs import Readout, parameter_count
from pastforward.scan import DiagonalRecurrence
from pastforward.teacher import TeacherConfig
from pastforward.types import AnyBatch, Batch, MemoryShape, Signature


@final
class Decoder(nn.Module):
    """A causal Transformer over the memory, cut into tokens, and the true next inputs."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig,
        recurrence: DiagonalRecurrence | None = None, decodes_inputs: bool = False,
    ) -> None:  # fmt: skip
        """`recurrence`: how memories move, where they do so by a diagonal linear recurrence.

        Only a decoder that `decodes_inputs` has `with_inputs`, and the parameters for it.
        """
        super().__init__()
        width = config.width
        # A token a slot; a memory of one slot is cut into up to 8.
        self.tokens = tokens = memory.slots if memory.slots > 1 else gcd(8, memory.width)
        self.readout = Readout(memory, signature.outputs, hidden=2 * width)
        self.project = nn.Linear(memory.size // tokens, width)
        self.positions = nn.Parameter(0.1 * torch.randn(tokens, width))
        self.embed = embedding(signature.inputs, width)
        length = tokens + signature.length
        self.transformer = Transformer(
            width, config.decoder_depth, config.heads, length, causal=True
        )
        self.extrapolation = _Extrapolation(recurrence, memory, width) if recurrence else None
        self.head = nn.Linear(width, parameter_count(signature.outputs))
        self.input_readout = self.input_head = None
        if decodes_inputs:
            self.input_readout = Readout(memory, signature.inputs, hidden=2 * width)
            self.input_head = nn.Linear(width, parameter_count(signature.inputs))

    def forward(
        self, m: Float[Tensor, "batch anchors slots width"], x: Tensor
    ) -> Float[Tensor, "batch anchors future parameters"]:
        """Parameters of y_t..y_{t+F-1} from m_t and x_{t+1}..x_{t+F-1} `[B, A, F-1]`."""
        return _read(self.readout, self.head, m, self._states(m, x))

    def with_inputs(
        self, m: Float[Tensor, "batch anchors slots width"], x: Tensor
    ) -> tuple[Tensor, Float[Tensor, "batch anchors future input_parameters"]]:
        """The same, and the parameters of x_{t+1}..x_{t+F}: x_{t+j} from what y_{t+j-1} is from.

        Raises `UsageError` where the decoder was built without the heads for it.
        """
        if self.input_readout is None or self.input_head is None:
            raise UsageError(
                "This teacher's decoder has no heads for inputs, and smt.input_decoding is above "
                "0; build the teacher with decodes_inputs=True."
            )
        h = self._states(m, x)
        outputs = _read(self.readout, self.head, m, h)
        return outputs, _read(self.input_readout, self.input_head, m, h)

    def _states(self, m: Tensor, x: Tensor) -> Float[Tensor, "batch anchors steps width"] | None:
        """The Transformer's states at x_{t+1}..x_{t+F-1}; None where F is 1."""
        if x.shape[2] == 0:
            return None
        prefix = self.project(m.flatten(2).unflatten(2, (self.tokens, -1))) + self.positions
        e = self.embed(x)
        if self.extrapolation is not None:
            e = e + self.extrapolation(m, x.shape[2])
        h = self.transformer(torch.cat([prefix, e], 2).flatten(0, 1))
        return h[:, self.tokens :].unflatten(0, m.shape[:2])


def _read(readout: nn.Module, head: nn.Module, m: Tensor, h: Tensor | None) -> Tensor:
    """The first step of each future from the memory alone, later ones from the states."""
    first = readout(m).unsqueeze(2)
    return first if h is None else torch.cat([first, head(h)], 2)


class _Extrapolation(nn.Module):
    """lambda^j m_t for j = 1, 2, ..., mapped to the Transformer's width."""

    def __init__(self, recurrence: DiagonalRecurrence, memory: MemoryShape, width: int) -> None:
        super().__init__()
        self.recurrence = recurrence
        self.read = nn.Linear(memory.size, width, bias=False)

    def forward(self, m: Tensor, steps: int) -> Float[Tensor, "batch anchors steps width"]:
        return self.read(self.recurrence.extrapolate(m.flatten(2), steps))


def futures(batch: AnyBatch, times: Int[Tensor, "batch anchors"], length: int) -> Batch:
    """The next `length` steps after each m_t, t in 1..T, as the decoder reads them.

    x `[B, A, F-1]` holds x_{t+1}.., y and mask `[B, A, F]` hold y_t.. for F = `length`; past the
    end of the sequence the mask is False.
    """
    steps = times.unsqueeze(-1) - 1 + torch.arange(length, device=times.device)
    inside = steps < batch.x.shape[1]
    steps = steps.clamp(max=batch.x.shape[1] - 1)
    x = take(batch.x, steps[..., 1:])
    return Batch(x, take(batch.y, steps), take(batch.mask, steps) & inside)


def input_futures(
    batch: AnyBatch, times: Int[Tensor, "batch anchors"], length: int
) -> tuple[Tensor, Bool[Tensor, "batch anchors future"]]:
    """x_{t+1}..x_{t+F} after each m_t for F = `length`; False past the last output that counts."""
    steps = times.unsqueeze(-1) + torch.arange(length, device=times.device)
    inside = steps < batch.x.shape[1]
    steps = steps.clamp(max=batch.x.shape[1] - 1)
    return take(batch.x, steps), take(relevant(batch.mask), steps) & inside
