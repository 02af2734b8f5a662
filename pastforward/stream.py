"""L3. The deployed engine: a student run step by step, with constant memory and time per step.

State is a value: `m` goes in and comes out, so a caller may keep, copy or branch it.

    m = stream.start(1)
    m, parameters = stream.step(m, x_1)     # of y_1
    m, parameters = stream.step(m, x_2)     # of y_2
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pastforward.data.codec import PixelCodec, SymbolCodec, TextCodec
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


@dataclass(frozen=True)
class Sampling:
    """How outputs are drawn from their distribution."""

    temperature: float = 1.0
    """0 takes the most likely output, 1 draws from the distribution as it is."""
    top_k: int | None = None
    """Draw from this many most likely tokens only; from all when not given."""

    def __post_init__(self) -> None:
        few = self.top_k is not None and self.top_k < 1
        if few or not 0 <= self.temperature < inf:
            raise UsageError(
                f"Temperature {self.temperature} and top_k {self.top_k} were given; give a "
                "temperature of 0 or more and a top_k of 1 or more."
            )


PLAIN = Sampling()
"""Draw from the distribution as it is."""


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
        sampling: Sampling = PLAIN,
    ) -> Generated:
        """Draw `count` outputs, each fed back as the next input.

        Starts from a memory and the parameters of the first output, as `step` and `feed` return
        them. Raises `UsageError` when the student does not read what it writes.
        """
        self._require_feedback(count, sampling)
        kind, drawn = self.student.signature.outputs, []
        for _ in range(count):
            kept = _keep_top(parameters, sampling.top_k)
            drawn.append(sample(kind, kept, generator, sampling.temperature))
            m, parameters = self.step(m, drawn[-1])
        return Generated(torch.stack(drawn, 1), m, parameters)

    def _memories(self, m: Tensor, x: Tensor) -> Iterator[Tensor]:
        """The memories after each input, `[B, n, K, D]`, piece by piece."""
        for piece in x.split(_PIECE, 1):
            memories = rollout(self.student.cell, m, self.student.embed(piece))
            yield memories[:, 1:]
            m = memories[:, -1]

    def _require_feedback(self, count: int, sampling: Sampling) -> None:
        read, written = self.student.signature.inputs, self.student.signature.outputs
        if isinstance(read, Tokens) and isinstance(written, Tokens):
            # An input vocabulary may be larger: images are read with a start symbol of their own.
            fits = read.size >= written.size
        else:
            fits = read == written and sampling.top_k is None
        if not fits:
            raise UsageError(
                f"This student reads {read} and writes {written}, so with {sampling} its outputs "
                "can't be fed back; score or step it instead, and use top_k for tokens only."
            )
        if count < 1:
            raise UsageError(f"{count} outputs were asked for; ask for 1 or more.")


def continue_text(
    stream: Stream,
    codec: TextCodec | SymbolCodec,
    prompt: str,
    count: int,
    generator: torch.Generator,
    sampling: Sampling = PLAIN,
) -> str:
    """`count` symbols after `prompt`, as text; raises `UsageError` for an empty prompt."""
    if not prompt:
        raise UsageError("An empty prompt was given; give at least one character to go on from.")
    m = stream.start(1)
    x = torch.tensor([codec.encode(prompt)], device=m.device)
    y = stream.generate(*stream.feed(m, x), count, generator, sampling).y
    return codec.decode(y[0].tolist())


def complete_images(
    stream: Stream,
    codec: PixelCodec,
    given: Int[Tensor, "batch given"],
    generator: torch.Generator,
    sampling: Sampling = PLAIN,
) -> Int[Tensor, "batch pixels"]:
    """Draw what follows the first pixels `given`: levels `[B, H * W]`, the given ones included.

    Raises `UsageError` when no pixel is left to draw.
    """
    left = codec.height * codec.width - given.shape[1]
    if left < 1:
        raise UsageError(f"{given.shape[1]} pixels were given and none is left; give fewer.")
    m = stream.start(len(given))
    start = torch.full((len(given), 1), codec.levels, device=m.device)
    x = torch.cat([start, given.to(m.device)], 1)
    y = stream.generate(*stream.feed(m, x), left, generator, sampling).y
    return torch.cat([x[:, 1:], y], 1)


def draw_images(
    stream: Stream,
    codec: PixelCodec,
    count: int,
    generator: torch.Generator,
    sampling: Sampling = PLAIN,
) -> Int[Tensor, "batch pixels"]:
    """`count` new images, levels `[count, H * W]`."""
    nothing = torch.zeros(count, 0, dtype=torch.long)
    return complete_images(stream, codec, nothing, generator, sampling)


def _keep_top(parameters: Tensor, top_k: int | None) -> Tensor:
    if top_k is None or top_k >= parameters.shape[-1]:
        return parameters
    least = parameters.topk(top_k, -1).values[..., -1:]
    return parameters.masked_fill(parameters < least, -torch.inf)
