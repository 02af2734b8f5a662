"""L2. The contract of a peer: a whole network that is trained in parallel over time, by itself.

Peers are what a nonlinear recurrent network is measured against: linear recurrences, and a causal
Transformer as the ceiling. They share the student's embedding, readout and loss, and are no cells:
their state is theirs, and nobody labels it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from pastforward.blocks import Mlp
from pastforward.inputs import embedding
from pastforward.outputs import Readout
from pastforward.types import MemoryShape, Signature

State = list[Tensor]


class Baseline(nn.Module, ABC):
    """Embedding, something causal over time `[B, T, width]`, and the student's kind of readout."""

    def __init__(self, signature: Signature, width: int, hidden: int) -> None:
        super().__init__()
        self.signature = signature
        self.embed = embedding(signature.inputs, width)
        self.readout = Readout(MemoryShape(1, width), signature.outputs, hidden)

    @abstractmethod
    def mix(self, e: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch length width"]:
        """From embedded inputs to features; those at t depend on e_1..e_t alone."""

    @final
    def predict(self, x: Tensor) -> Float[Tensor, "batch length parameters"]:
        """Parameters of y_1..y_T, all at once."""
        return self.readout(self.mix(self.embed(x)).unsqueeze(-2))


class Recurrence(nn.Module, ABC):
    """A linear recurrence in one layer, in its two forms."""

    @abstractmethod
    def forward(self, u: Float[Tensor, "batch length width"]) -> Tensor:
        """All steps at once, from an empty state."""

    @abstractmethod
    def start(self, count: int) -> Tensor:
        """The empty state of so many sequences."""

    @abstractmethod
    def step(self, state: Tensor, u: Float[Tensor, "batch width"]) -> tuple[Tensor, Tensor]:
        """One step: what comes out, and the next state."""


class Layer(nn.Module):
    """A recurrence and an MLP, both residual and normed before, as in a Transformer's block."""

    def __init__(self, width: int, recurrence: Recurrence) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.recurrence = recurrence
        self.mlp = Mlp(width, 2 * width, width)

    def forward(self, h: Float[Tensor, "batch length width"]) -> Tensor:
        """All steps at once."""
        return self.feed_forward(h + self.recurrence(self.norms[0](h)))

    def feed_forward(self, h: Tensor) -> Tensor:
        """The second half: each step by itself."""
        return h + self.mlp(self.norms[1](h))

    def step(self, state: Tensor, h: Float[Tensor, "batch width"]) -> tuple[Tensor, Tensor]:
        """One step: features and the next state."""
        mixed, state = self.recurrence.step(state, self.norms[0](h))
        return self.feed_forward(h + mixed), state


@final
class RecurrentBaseline(Baseline):
    """Layers of linear recurrences: parallel over time in training, a step at a time alone."""

    def __init__(
        self, signature: Signature, width: int, hidden: int, recurrences: Sequence[Recurrence]
    ) -> None:
        super().__init__(signature, width, hidden)
        self.layers = nn.ModuleList([Layer(width, recurrence) for recurrence in recurrences])
        self.norm = nn.LayerNorm(width)

    def mix(self, e: Tensor) -> Tensor:
        """See `Peer`."""
        for layer in self.layers:
            e = layer(e)
        return self.norm(e)

    def start(self, count: int) -> State:
        """Empty states of so many sequences, one a layer."""
        return [layer.recurrence.start(count) for layer in self._layers()]

    def step(self, state: State, x: Tensor) -> tuple[Tensor, State]:
        """Parameters of y_t from x_t and what came before, and the next state."""
        h, later = self.embed(x), []
        for layer, own in zip(self._layers(), state, strict=True):
            h, after = layer.step(own, h)
            later.append(after)
        return self.readout(self.norm(h).unsqueeze(-2)), later

    def _layers(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]
