"""L3. Truncated BPTT with carried memory: a stream is read window by window, a step for each.

A batch is B streams of T steps. Its ceil(T / k) optimiser steps read k steps each, one window after
the other. Step j starts from the memory with which step j - 1 ended, by the weights that it had,
detached; so values are carried along the whole stream and gradients through k steps at most. The
first window starts at m_0, which has its gradient there, and the next batch starts at m_0 again.

A step's loss is that of its own window: its part of the mean over all outputs of the batch, times
the number of windows up to the last output, so that their mean is the mean over outputs. (Williams
& Peng 1990: epochwise truncation. `tbptt` instead takes one optimiser step for all windows.) Long
streams are a long T: `--data.length 4096 --method tbptt-stream --tbptt.window 64`.
"""

from math import ceil
from typing import final

import torch
from torch import Tensor
from typing_extensions import override

from pastforward.config import RunConfig
from pastforward.losses import output_loss, output_weights, relevant, total_weight
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.student import Student
from pastforward.types import AnyBatch, Batch


class Stream(Batch):
    """A batch, and how far it has been read."""

    window = 0
    """The next one."""
    memory: Tensor | None = None
    """`[B, K, D]`, where the last one ended; None at the beginning."""


@final
class StreamBPTT(RolloutMethod):
    """The loss of one window of `window` steps after the other, of streams of `length` steps."""

    def __init__(self, student: Student, window: int, length: int) -> None:
        super().__init__(student)
        self.window = window
        self.replay_steps = ceil(length / window)

    @override
    def serial_calls(self, length: int) -> int:
        return min(self.window, length)

    @override
    def positions(self, length: int) -> int:
        return min(self.window, length)

    @override
    def collect(self, batch: AnyBatch) -> Stream:
        return Stream(*batch[:3])

    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """Of a batch that was not collected: those of its first window."""
        stream = batch if isinstance(batch, Stream) else self.collect(batch)
        student, windows = self.student, ceil(stream.mask.shape[1] / self.window)
        if stream.memory is None or stream.window == windows:  # shorter ones begin again
            stream.window, stream.memory = 0, student.start(len(stream.x))
        inside = slice(stream.window * self.window, (stream.window + 1) * self.window)
        x, y, mask = (part[:, inside] for part in stream)
        visible, last = student.cell.outputs(stream.memory, student.embed(x), self._step)
        stream.window, stream.memory = stream.window + 1, last.detach()
        signature, parameters = student.signature, student.readout.of_visible(visible)
        weights = output_weights(signature, y, mask)
        each = weights * output_loss(signature.outputs, parameters, y).where(mask, 0.0)
        whole = total_weight(output_weights(signature, stream.y, stream.mask))
        count = (relevant(stream.mask).any(0).sum() / self.window).ceil()
        readout = count * each.sum() / whole
        return Losses(readout, {"readout": readout.detach()})


def build_stream_bptt(network: Student, teacher: object, config: RunConfig) -> StreamBPTT:
    """'tbptt-stream' of `METHODS`."""
    length = config.fit.steps(network.signature.length)
    return StreamBPTT(network, config.tbptt.window, length)
