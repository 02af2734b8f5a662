"""L2. A causal Transformer and a head that reads memories from its states: all t in one pass."""

from abc import ABC
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from pastforward.blocks import Transformer
from pastforward.inputs import embedding
from pastforward.memory import rms_norm
from pastforward.registry import NoConfig
from pastforward.scan import DiagonalRecurrence
from pastforward.teacher.configs import TeacherConfig
from pastforward.teacher.encoders.base import Encoder
from pastforward.teacher.encoders.configs import LinearConfig
from pastforward.teacher.encoders.heads import LinearHead, MemoryHead, RegisterHead, StateHead
from pastforward.types import MemoryShape, Signature


class CausalEncoder(Encoder, ABC):
    """Abstract: what the three share. Target memories of all prefixes, the empty one included."""

    def __init__(self, signature: Signature, config: TeacherConfig, head: MemoryHead) -> None:
        """`head` reads memories from the Transformer's states."""
        super().__init__()
        self.embed = embedding(signature.inputs, config.width)
        self.start = nn.Parameter(torch.randn(config.width))
        self.transformer = Transformer(
            config.width, config.depth, config.heads, signature.length + 1, causal=True,
            recompute=config.recompute,
        )  # fmt: skip
        self.head = head

    @override
    def targets(self, x: Tensor) -> Tensor:
        return rms_norm(self.head(self._states(x)))

    @override
    def targets_at(self, x: Tensor, times: Tensor) -> Tensor:
        # States are computed at all steps, memories at the given times only.
        return rms_norm(self.head(self._states(x), times))

    def _states(self, x: Tensor) -> Float[Tensor, "batch steps width"]:
        """h_0..h_T, `[B, T+1, width]`."""
        return self.transformer(x, embed=self._embed)

    def _embed(self, x: Tensor) -> Float[Tensor, "batch steps width"]:
        """A learned start symbol, whose state is h_0, and x."""
        e = self.embed(x)
        start = self.start.to(e.dtype).expand(e.shape[0], 1, -1)
        return torch.cat([start, e], 1)


@final
class LinearEncoder(CausalEncoder):
    """A causal Transformer writes to a diagonal linear recurrence, whose state is the memory."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig, own: LinearConfig
    ) -> None:
        """Raises `UsageError` for an odd D."""
        slowest = 2.0 * (signature.length + 1)
        recurrence = DiagonalRecurrence(memory, own.initial_decay_time, slowest)
        super().__init__(signature, config, LinearHead(config.width, recurrence, memory))

    @property
    def recurrence(self) -> DiagonalRecurrence:
        """What moves memories from step to step."""
        assert isinstance(self.head, LinearHead)
        return self.head.recurrence


@final
class RegisterEncoder(CausalEncoder):
    """K learned queries at every t attend to the states of a causal Transformer up to t."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig, own: NoConfig
    ) -> None:
        steps = signature.length + 1
        super().__init__(signature, config, RegisterHead(config.width, config.heads, steps, memory))


@final
class StateEncoder(CausalEncoder):
    """A linear map of a causal Transformer's state at t: cheap, but one state must hold it all."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, config: TeacherConfig, own: NoConfig
    ) -> None:
        super().__init__(signature, config, StateHead(config.width, memory))
