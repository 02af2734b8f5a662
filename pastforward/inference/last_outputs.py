"""L3. Outputs at the end of sequences of several lengths, batch by batch, in constant memory."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pastforward.memory import flat
from pastforward.student import Student
from pastforward.types import checked

_BATCH = 256
"""Sequences of like length that are read at once."""
_CHUNK = 256
"""Steps whose memories are held at once."""


def batches_by_length(lengths: Sequence[int]) -> Iterator[np.ndarray]:
    """Numbers of sequences, shorter ones first, so that little of a batch is padding."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    return (order[begin : begin + _BATCH] for begin in range(0, len(order), _BATCH))


@torch.inference_mode()
def last_outputs(
    student: Student, x: Tensor, lengths: Int[Tensor, " batch"]
) -> Float[Tensor, "batch parameters"]:
    """Output parameters after the last step of each sequence of x `[B, T]` or `[B, T, C]`.

    Sequence i has `lengths[i]` steps, one or more; what follows is padding and changes nothing.
    Raises `UsageError` for inputs that the student can't read, as `types.checked` does.
    """
    m, x = student.start(len(x)), checked(student.signature.inputs, x, student.empty)
    last, begin = flat(m)[..., student.cell.visible].clone(), 0
    for chunk in x.split(_CHUNK, 1):
        visible, m = student.cell.outputs(m, student.embed(chunk))
        end = begin + chunk.shape[1]
        ending = torch.nonzero((lengths > begin) & (lengths <= end)).flatten()
        last[ending] = visible[ending, lengths[ending] - begin - 1]
        begin = end
    return student.readout.of_visible(last)
