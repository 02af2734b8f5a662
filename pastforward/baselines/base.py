"""L2. The contract of a baseline: a network that is trained in parallel over time, by itself.

A nonlinear recurrent network is compared with linear recurrences and a causal Transformer. They
have the student's kind of embedding, readout and loss, but no target memories and no `Stream`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast, final

from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from pastforward.baselines import BaselineConfig
from pastforward.blocks import Mlp, embedding
from pastforward.outputs import parameter_count
from pastforward.student import Student
from pastforward.types import Signature

Features = Float[Tensor, "batch length width"]


class Baseline(nn.Module, ABC):
    """Embedding, a causal map over time `[B, T, width]`, and a readout with one hidden layer."""

    def __init__(self, signature: Signature, config: BaselineConfig) -> None:
        """`config.width` must be given."""
        super().__init__()
        assert config.width is not None
        self.signature, self.width = signature, config.width
        self.embed = embedding(signature.inputs, config.width)
        self.readout = Mlp(config.width, config.hidden, parameter_count(signature.outputs))

    @abstractmethod
    def features(self, e: Features) -> Features:
        """From embedded inputs to features; those at t depend on e_1..e_t alone."""

    @final
    def forward(self, x: Tensor) -> tuple[Float[Tensor, "batch length parameters"], None]:
        """Parameters of y_1..y_T, all at once; no last memory, where a student returns one."""
        return self.readout(self.features(self.embed(x))), None


Network = Student | Baseline
"""What a run trains and keeps: `network(x)[0]` are the parameters of y_1..y_T."""


class Recurrence(nn.Module, ABC):
    """A linear recurrence in one layer, in its parallel and its serial form."""

    @abstractmethod
    def forward(self, u: Features) -> Features:
        """All steps at once, from a zero state."""

    @abstractmethod
    def start(self, count: int) -> Tensor:
        """The zero state of `count` sequences."""

    @abstractmethod
    def step(self, state: Tensor, u: Float[Tensor, "batch width"]) -> tuple[Tensor, Tensor]:
        """One step: the output, and the next state."""


class Layer(nn.Module):
    """A recurrence and an MLP, both pre-norm and residual, as in a Transformer's block."""

    def __init__(self, width: int, recurrence: Recurrence) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.recurrence = recurrence
        self.mlp = Mlp(width, 2 * width, width)

    def forward(self, h: Features) -> Features:
        """All steps at once."""
        return self.feed_forward(h + self.recurrence(self.norms[0](h)))

    def feed_forward(self, h: Tensor) -> Tensor:
        """Residual MLP."""
        return h + self.mlp(self.norms[1](h))

    def step(self, state: Tensor, h: Float[Tensor, "batch width"]) -> tuple[Tensor, Tensor]:
        """One step: features and the next state."""
        mixed, state = self.recurrence.step(state, self.norms[0](h))
        return self.feed_forward(h + mixed), state


@final
class RecurrentBaseline(Baseline):
    """Layers of linear recurrences: parallel over time in training, serial when run alone."""

    def __init__(
        self, signature: Signature, config: BaselineConfig, recurrences: Sequence[Recurrence]
    ) -> None:
        super().__init__(signature, config)
        self.layers = nn.ModuleList([Layer(self.width, own) for own in recurrences])
        self.norm = nn.LayerNorm(self.width)

    @override
    def features(self, e: Tensor) -> Tensor:
        for layer in self.layers:
            e = layer(e)
        return self.norm(e)

    def start(self, count: int) -> list[Tensor]:
        """Zero states of `count` sequences, one a layer."""
        return [cast(Layer, layer).recurrence.start(count) for layer in self.layers]

    def step(self, state: list[Tensor], x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Parameters of y_t from x_t and the state before it, and the next state."""
        h, later = self.embed(x), []
        for layer, own in zip(self.layers, state, strict=True):
            h, after = cast(Layer, layer).step(own, h)
            later.append(after)
        return self.readout(self.norm(h)), later
