"""L6. A fitted estimator in an application: one sequence, a step at a time."""

from collections.abc import Callable
from typing import Self, final

import numpy as np
import torch
from torch import Tensor

from pastforward.data.codec import LabelCodec
from pastforward.errors import UsageError
from pastforward.estimators.reading import as_read
from pastforward.inference.stream import Stream
from pastforward.student import Student


@final
class LabelStream:
    """What is known so far of one sequence, whose steps are pushed; constant memory."""

    def __init__(
        self, student: Student, codec: LabelCodec, answer: Callable[[Tensor], np.ndarray]
    ) -> None:
        """`answer` makes what users read of output parameters `[1, P]`."""
        self._stream, self._codec, self._answer = Stream(student), codec, answer
        self.reset()

    def reset(self) -> Self:
        """Begin a new sequence."""
        self.memory = self._stream.start(1)
        return self

    def push(self, x_t: np.typing.ArrayLike) -> np.ndarray:
        """Read one step, a symbol or numbers `[C]` in the units of `fit`, and answer.

        Classifiers give the probabilities of their classes `[n_classes]`; regressors the number,
        or numbers `[n_outputs]`. Raises `UsageError` for what is no such step.
        """
        step = as_read(self._stream.student.signature.inputs, [_checked(x_t)])[0]
        x = torch.from_numpy(self._codec.inputs_of(step)).to(self.memory.device)
        self.memory, parameters = self._stream.step(self.memory, x)
        return self._answer(parameters)[0]


def _checked(x_t: np.typing.ArrayLike) -> np.ndarray:
    """One step with an axis for time."""
    x = np.asarray(x_t)
    if x.ndim > 1 or x.dtype.kind not in "iufb" or not np.isfinite(x).all():
        raise UsageError(
            f"A step of shape {x.shape} and type {x.dtype} was pushed; give a finite number, or "
            "numbers [C]."
        )
    return x[None]
