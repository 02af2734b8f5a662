"""L3. Engines: many steps of a student in one call.

An engine reads known inputs, or writes outputs that it feeds back to itself. Both are pure: memory
in, memory out.
"""

from abc import ABC, abstractmethod
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from pastforward.inference.sampling import Sampling, draw
from pastforward.student import Student


class Engine(ABC):
    """Abstract. Runs `student`, without gradients."""

    def __init__(self, student: Student) -> None:
        """Sets the student to evaluation mode."""
        self.student = student.eval()

    @abstractmethod
    def read(
        self, m: Float[Tensor, "batch slots width"], x: Tensor
    ) -> tuple[Tensor, Float[Tensor, "batch length parameters"]]:
        """m_N, and the parameters of y_1..y_N, from m and x `[B, N]` (or `[B, N, C]`)."""

    @abstractmethod
    def write(
        self, m: Float[Tensor, "batch slots width"], noise: Tensor, sampling: Sampling
    ) -> tuple[Tensor, Tensor]:
        """m_N and y `[B, N]` (or `[B, N, C]`): each output is drawn, then fed back as an input.

        The first is drawn at m, before any input; N is that of `noise` `[B, N]` (or `[B, N, C]`).
        """


@final
class Eager(Engine):
    """One operation at a time: on any device, without compilation."""

    @override
    @torch.inference_mode()
    def read(self, m: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        memories = self.student.rollout(x, m)
        return memories[:, -1].clone(), self.student.readout(memories[:, 1:])

    @override
    @torch.inference_mode()
    def write(self, m: Tensor, noise: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
        student, drawn = self.student, []
        temperature = torch.tensor(sampling.temperature, dtype=m.dtype, device=m.device)
        for u in noise.unbind(1):
            y = draw(student.signature.outputs, student.readout(m), u, temperature, sampling)
            m = student.step(m, y)
            drawn.append(y)
        return m, torch.stack(drawn, 1)
