"""L3. The deployed engine: a student run step by step, with constant memory and time per step.

State is a value: `m` goes in and comes out, so a caller may keep, copy or branch it.

    m = stream.start(1)
    m, parameters = stream.step(m, x_1)     # of y_1
    m, parameters = stream.step(m, x_2)     # of y_2
"""

from collections.abc import Iterator
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from pastforward.outputs import nll, sample
from pastforward.rollout import rollout
from pastforward.student import Student
from pastforward.types import Tokens, UsageError

# Steps whose memories are held at once: enough to read out together, few enough to forget.
_PIECE = 256


class Generated(NamedTuple):
    """Outputs drawn `[B, N]` (or `[B, N, C]`), the memory after them, and what may come next."""

    y: Tensor
    m: Float[Tensor, "batch slots width"]
    parameters: Float[Tensor, "batch parameters"]


@final
class Stream:
    """Runs a student from its empty memory; sets it to evaluation mode, never trains it."""

    def __init__(self, student: Student) -> None:
        self.student = student.eval()

    @torch.inference_mode()
    def start(self, count: int) -> Float[Tensor, "batch slots width"]:
        """The empty memory m_0 of `count` sequences."""
        return self.student.start(count).clone()

    @torch.inference_mode()
    def step(self, m: Float[Tensor, "batch slots width"], x: Tensor) -> tuple[Tensor, Tensor]:
        """m_t and the parameters `[B, P]` of y_t, from m_{t-1} and x_t `[B]` or `[B, C]`."""
        m = self.student.step(m, x)
        return m, self.student.readout(m)

    @torch.inference_mode()
    def feed(self, m: Float[Tensor, "batch slots width"], x: Tensor) -> tuple[Tensor, Tensor]:
        """m_T and the parameters `[B, P]` of y_T after x `[B, T]` or `[B, T, C]`, T >= 1."""
        if x.shape[1] == 0:
            raise UsageError("No input was fed; give at least one, for it decides what comes out.")
        for memories in self._memories(m, x):
            m = memories[:, -1]
        return m.clone(), self.student.readout(m)

    @torch.inference_mode()
    def score(
        self, x: Tensor, y: Tensor, mask: Tensor | None = None
    ) -> Float[Tensor, "batch length"]:
        """-log p(y_t | x_1..x_t) in nats, from the empty memory; 0 where `mask` is False."""
        kind, m = self.student.signature.outputs, self.student.start(x.shape[0])
        parts = zip(self._memories(m, x), y.split(_PIECE, 1), strict=True)
        nats = torch.cat([nll(kind, self.student.readout(part), seen) for part, seen in parts], 1)
        return nats if mask is None else nats.where(mask, 0.0)

    @torch.inference_mode()
    def generate(
        self,
        m: Float[Tensor, "batch slots width"],
        parameters: Float[Tensor, "batch parameters"],
        count: int,
        generator: torch.Generator,
        temperature: float = 1.0,
        top_k: int | None = None,
    ) -> Generated:
        """Draw `count` outputs, each fed back as the next input.

        Starts from a memory and the parameters of the first output, as `step` and `feed` return
        them. At `temperature` 0 the most likely output is taken; `top_k` draws from the k most
        likely tokens only. Raises `UsageError` when outputs are not of the kind that is read.
        """
        self._require_feedback(count, temperature, top_k)
        kind, drawn = self.student.signature.outputs, []
        for _ in range(count):
            y = sample(kind, _keep_top(parameters, top_k), generator, temperature)
            m, parameters = self.step(m, y)
            drawn.append(y)
        return Generated(torch.stack(drawn, 1), m, parameters)

    def _memories(self, m: Tensor, x: Tensor) -> Iterator[Tensor]:
        """The memories after each input, `[B, n, K, D]`, piece by piece."""
        for piece in x.split(_PIECE, 1):
            memories = rollout(self.student.cell, m, self.student.embed(piece))
            yield memories[:, 1:]
            m = memories[:, -1]

    def _require_feedback(self, count: int, temperature: float, top_k: int | None) -> None:
        read, given = self.student.signature.inputs, self.student.signature.outputs
        both = isinstance(read, Tokens), isinstance(given, Tokens)
        # An input vocabulary may be larger: images are read with a start symbol of their own.
        fits = read.size >= given.size if all(both) else read == given  # type: ignore[union-attr]
        if not fits:
            raise UsageError(
                f"This student reads {read} and gives {given}, so its outputs can't be fed back; "
                "score or step it instead."
            )
        if count < 1 or temperature < 0 or (top_k is not None and (top_k < 1 or not all(both))):
            raise UsageError(
                f"{count} outputs at temperature {temperature} with top_k {top_k} were asked for; "
                "give a count of 1 or more, a temperature of 0 or more, and top_k for tokens only."
            )


def _keep_top(parameters: Tensor, top_k: int | None) -> Tensor:
    if top_k is None or top_k >= parameters.shape[-1]:
        return parameters
    least = parameters.topk(top_k, -1).values[..., -1:]
    return parameters.masked_fill(parameters < least, -torch.inf)
