"""L3. `Stream`: what an application holds. Its state is a value: `m` goes in and comes out.

m = stream.start(1)
m, parameters = stream.step(m, x_1)         # of y_1
kept = m                                    # keep it, copy it, save it as the tensor it is
m, parameters = stream.step(m, x_2)         # of y_2
y, other = stream.generate(kept, 100, generator)    # branch: another future of the same past
"""

from collections.abc import Iterator
from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pastforward.errors import UsageError
from pastforward.inference.engine import Eager, Engine
from pastforward.inference.sampling import PLAIN, Sampling, noise
from pastforward.outputs import nll
from pastforward.student import Student
from pastforward.types import Tokens

# Steps of a call: enough to forget what a call costs, few enough to hold their outputs at once.
_CHUNK = 256


class Written(NamedTuple):
    """Outputs drawn `[B, N]` (or `[B, N, C]`) and the memory after them."""

    y: Tensor
    m: Float[Tensor, "batch slots width"]


@final
class Stream:
    """Independent sequences side by side, each from its own memory; never trains the student."""

    def __init__(self, student: Student, engine: Engine | None = None) -> None:
        """Eager where no engine is given; see `compile_stream` for a faster one."""
        self.student = student
        self._engine = engine or Eager(student)

    @torch.inference_mode()
    def start(self, count: int) -> Float[Tensor, "batch slots width"]:
        """The empty memory m_0 of `count` sequences."""
        return self.student.start(count).clone()

    @torch.inference_mode()
    def reset(
        self, m: Float[Tensor, "batch slots width"], ended: Bool[Tensor, " batch"]
    ) -> Float[Tensor, "batch slots width"]:
        """Empty the memories where `ended` is True, so that new sequences begin there."""
        return torch.where(ended[:, None, None], self.student.start(len(m)), m)

    @torch.inference_mode()
    def step(self, m: Float[Tensor, "batch slots width"], x: Tensor) -> tuple[Tensor, Tensor]:
        """m_t and the parameters `[B, P]` of y_t, from m_{t-1} and x_t `[B]` or `[B, C]`."""
        m, parameters = self._engine.read(m, x.unsqueeze(1))
        return m, parameters[:, 0]

    @torch.inference_mode()
    def feed(self, m: Float[Tensor, "batch slots width"], x: Tensor) -> tuple[Tensor, Tensor]:
        """m_T and the parameters `[B, P]` of y_T after x `[B, T]` or `[B, T, C]`, T >= 1."""
        if x.shape[1] == 0:
            raise UsageError("No input was fed; give at least one, for it decides what comes out.")
        parameters = torch.empty(0)
        for chunk in x.split(_CHUNK, 1):
            m, parameters = self._engine.read(m, chunk)
        return m, parameters[:, -1]

    @torch.inference_mode()
    def score(
        self, x: Tensor, y: Tensor, mask: Tensor | None = None
    ) -> Float[Tensor, "batch length"]:
        """-log p(y_t | x_1..x_t) in nats, from the empty memory; 0 where `mask` is False."""
        nats = torch.cat(list(self._surprises(x, y)), 1)
        return nats if mask is None else nats.where(mask, 0.0)

    @torch.inference_mode()
    def generate(
        self,
        m: Float[Tensor, "batch slots width"],
        count: int,
        generator: torch.Generator,
        sampling: Sampling = PLAIN,
    ) -> Written:
        """Draw `count` outputs after m, each fed back as the next input.

        The same seed draws the same, however many calls the outputs are cut into. Raises
        `UsageError` when the student does not read what it writes.
        """
        self._require_feedback(count, sampling)
        kind, drawn = self.student.signature.outputs, []
        for done in range(0, count, _CHUNK):
            # Step by step, so that the numbers of a step don't depend on how many are asked for.
            steps = range(min(_CHUNK, count - done))
            u = torch.stack([noise(kind, (len(m),), generator, m) for _ in steps], 1)
            m, y = self._engine.write(m, u, sampling)
            drawn.append(y)
        return Written(torch.cat(drawn, 1), m)

    def _surprises(self, x: Tensor, y: Tensor) -> Iterator[Tensor]:
        m = self.student.start(x.shape[0])
        for chunk, seen in zip(x.split(_CHUNK, 1), y.split(_CHUNK, 1), strict=True):
            m, parameters = self._engine.read(m, chunk)
            yield nll(self.student.signature.outputs, parameters, seen)

    def _require_feedback(self, count: int, sampling: Sampling) -> None:
        read, written = self.student.signature.inputs, self.student.signature.outputs
        filtered = sampling.top_k is not None or sampling.top_p is not None
        fits = self.student.is_autoregressive()
        fits = fits and (isinstance(written, Tokens) or not filtered)
        if not fits:
            raise UsageError(
                f"This student reads {read} and writes {written}, so with {sampling} its outputs "
                "can't be fed back; score or step it instead, and use top_k and top_p for tokens "
                "only."
            )
        if count < 1:
            raise UsageError(f"{count} outputs were asked for; ask for 1 or more.")
