"""L3. `Stream`: a student in an application. Its state is a tensor m, passed in and returned.

m = stream.start(1)
m, parameters = stream.step(m, x_1)                 # of y_1
kept = m                                            # a plain tensor: keep, copy or save it
m, parameters = stream.step(m, x_2)                 # of y_2
y, other = stream.generate(kept, 100, generator)    # branch from an earlier memory

An engine runs many steps in one call: it reads known inputs, or writes outputs and feeds them
back."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import wraps
from typing import NamedTuple, ParamSpec, TypeVar, cast, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import override

from pastforward.errors import UsageError
from pastforward.inference.sampling import PLAIN, Sampling, draw, noise
from pastforward.outputs import output_loss
from pastforward.student import Student
from pastforward.types import Tokens, checked, not_finite

P = ParamSpec("P")
R = TypeVar("R")


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
        parameters, m = self.student(x, m)
        return m.clone(), parameters

    @override
    @torch.inference_mode()
    def write(self, m: Tensor, noise: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
        student, drawn = self.student, []
        temperature = torch.tensor(sampling.temperature, device=m.device)
        for u in noise.unbind(1):
            y = draw(student.signature.outputs, student.readout(m), u, temperature, sampling)
            m = student.step(m, fed_back(y))
            drawn.append(y)
        return m, torch.stack(drawn, 1)


def fed_back(y: Tensor) -> Tensor:
    """Outputs as inputs. A token of -1, of parameters that are not finite, has no embedding."""
    return y if y.is_floating_point() else y.clamp(min=0)


# Steps per call of the engine: many enough to amortise a call, few enough to hold their outputs.
_CHUNK = 256


class Written(NamedTuple):
    """Outputs drawn, `[B, N]` (or `[B, N, C]`), and the memory after them."""

    y: Tensor
    m: Float[Tensor, "batch slots width"]


def _plain(method: Callable[P, R]) -> Callable[P, R]:
    """Run in inference mode, and return copies that may be written to and enter a backward pass."""

    @wraps(method)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.inference_mode():
            found = method(*args, **kwargs)
        if isinstance(found, Tensor):
            return cast(R, found.clone())
        copies = [one.clone() for one in cast("tuple[Tensor, ...]", found)]
        return cast(R, Written(*copies) if isinstance(found, Written) else tuple(copies))

    return run


@final
class Stream:
    """Independent sequences in a batch, each with its own memory; without gradients.

    What is given is checked here, alike for all engines: memories and inputs are converted to the
    student's device and precision, and `UsageError` is raised for other shapes, for tokens outside
    0..V-1 or that are no signed integers, and for numbers that are not finite. What comes out are
    plain tensors.
    """

    def __init__(self, student: Student, engine: Engine | None = None) -> None:
        """Eager when no engine is given; `compile_stream` makes a faster one."""
        self.student = student
        self._engine = engine or Eager(student)

    @_plain
    def start(self, count: int) -> Float[Tensor, "batch slots width"]:
        """The empty memory m_0 of `count` sequences."""
        return self.student.start(count)

    @_plain
    def reset(
        self, m: Float[Tensor, "batch slots width"], ended: Bool[Tensor, " batch"]
    ) -> Float[Tensor, "batch slots width"]:
        """Empty the memories where `ended` is True, so that new sequences begin there."""
        return torch.where(ended[:, None, None], self.student.start(len(m)), m)

    @_plain
    def step(self, m: Float[Tensor, "batch slots width"], x: Tensor) -> tuple[Tensor, Tensor]:
        """m_t and the parameters `[B, P]` of y_t, from m_{t-1} and x_t `[B]` or `[B, C]`."""
        m, parameters = self._engine.read(*self._checked(m, x.unsqueeze(min(1, x.dim()))))
        return m, parameters[:, 0]

    @_plain
    def feed(self, m: Float[Tensor, "batch slots width"], x: Tensor) -> tuple[Tensor, Tensor]:
        """m_T and the parameters `[B, P]` of y_T after x `[B, T]` or `[B, T, C]`.

        Raises `UsageError` for T = 0.
        """
        m, x = self._checked(m, x)
        if x.shape[1] == 0:
            raise UsageError("No input was given (T = 0); give at least one.")
        parameters = torch.empty(0)
        for chunk in x.split(_CHUNK, 1):
            m, parameters = self._engine.read(m, chunk)
        return m, parameters[:, -1]

    @_plain
    def score(
        self, x: Tensor, y: Tensor, mask: Tensor | None = None
    ) -> Float[Tensor, "batch length"]:
        """Loss of each y_t given x_1..x_t, from the empty memory; 0 where `mask` is False.

        -log p(y_t) in nats, or the pinball loss of quantiles (`outputs.output_loss`).
        """
        if not x.shape[:2] == y.shape[:2] == (x if mask is None else mask).shape[:2]:
            raise UsageError(
                f"Outputs of shape {list(y.shape)} were given for inputs of shape {list(x.shape)}; "
                "give one output, and one value of the mask, a step."
            )
        m, x = self._checked(self.student.start(len(x)).clone(), x)
        kind = self.student.signature.outputs
        if mask is not None:
            mask = mask.to(m.device, torch.bool)
            y = y.to(m.device).where(mask if isinstance(kind, Tokens) else mask.unsqueeze(-1), 0)
        y = checked(kind, y, m, "Outputs")
        losses = torch.cat(list(self._losses(m, x, y)), 1)
        return losses if mask is None else losses.where(mask, 0.0)

    @_plain
    def generate(
        self,
        m: Float[Tensor, "batch slots width"],
        count: int,
        generator: torch.Generator,
        sampling: Sampling = PLAIN,
    ) -> Written:
        """Draw `count` outputs after m, each fed back as the next input.

        The same seed gives the same outputs, however many calls they are split into. The generator
        may be of another device. Raises `UsageError` when the student is not autoregressive, and
        where its output parameters are not finite.
        """
        self.require_feedback(count, sampling)
        m = self._checked_memory(m)
        kind, drawn = self.student.signature.outputs, []
        for done in range(0, count, _CHUNK):
            # Step by step, so that the numbers of a step don't depend on `count`.
            steps = range(min(_CHUNK, count - done))
            u = torch.stack([noise(kind, (len(m),), generator, m) for _ in steps], 1)
            m, y = self._engine.write(m, u, sampling)
            if (y < 0).any() if isinstance(kind, Tokens) else not_finite(y):
                raise UsageError(
                    "The network's output parameters became NaN or infinite, so nothing can be "
                    "drawn; train it again, with a lower learning rate."
                )
            drawn.append(y)
        return Written(torch.cat(drawn, 1), m)

    def _checked_memory(self, m: Tensor) -> Tensor:
        """m in the student's precision, on its device."""
        slots, width = self.student.empty.shape
        if m.dim() != 3 or m.shape[1:] != (slots, width):
            raise UsageError(
                f"A memory of shape {list(m.shape)} was given; give [B, {slots}, {width}], as "
                "`Stream.start` does."
            )
        m = m.to(self.student.empty)
        if not_finite(m):
            raise UsageError(
                "The memory holds NaN or infinity; begin such a sequence anew with `Stream.start` "
                "or `Stream.reset`."
            )
        return m

    def _checked(self, m: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """m and x `[B, T]` (or `[B, T, C]`) as the engine reads them."""
        m, kind = self._checked_memory(m), self.student.signature.inputs
        if x.dim() != 2 + (not isinstance(kind, Tokens)) or len(x) != len(m):
            raise UsageError(
                f"Inputs of shape {list(x.shape)} were given for {len(m)} memories; give one of "
                f"{kind} for each, with an axis for T in `feed` and without one in `step`."
            )
        return m, checked(kind, x, m)

    def _losses(self, m: Tensor, x: Tensor, y: Tensor) -> Iterator[Tensor]:
        for chunk, seen in zip(x.split(_CHUNK, 1), y.split(_CHUNK, 1), strict=True):
            m, parameters = self._engine.read(m, chunk)
            yield output_loss(self.student.signature.outputs, parameters, seen)

    def require_feedback(self, count: int, sampling: Sampling) -> None:
        """Raise `UsageError` where `generate` would."""
        read, written = self.student.signature.inputs, self.student.signature.outputs
        filtered = sampling.top_k is not None or sampling.top_p is not None
        if not self.student.is_autoregressive or (filtered and not isinstance(written, Tokens)):
            raise UsageError(
                f"This student reads {read} and writes {written}, so with {sampling} its outputs "
                "can't be fed back; score or step it instead, and use top_k and top_p for tokens "
                "only."
            )
        if count < 1:
            raise UsageError(f"{count} outputs were asked for; ask for 1 or more.")
