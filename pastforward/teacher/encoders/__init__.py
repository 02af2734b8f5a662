"""L0. Encoders: target memories of all prefixes of a sequence. Their table and dials; no torch."""

from dataclasses import dataclass

from pastforward.errors import above_zero, at_least
from pastforward.registry import Entry, Registry


@dataclass(frozen=True)
class LinearConfig:
    """Dials of the linear encoder: a diagonal linear recurrence over causal states."""

    initial_decay_time: float = 0.5
    """Steps over which the fastest modes decay by 1/e at initialisation; the slowest take 2 T."""

    def __post_init__(self) -> None:
        above_zero(self, "encoder", "initial_decay_time")


@dataclass(frozen=True)
class DeltaConfig:
    """Dials of the delta encoder: matrices that inputs rotate and rewrite."""

    matrices: int | None = None
    """Slots that hold matrices; the others hold the last input. Half of the slots when None."""
    key_dim: int = 4
    """n, rows of each matrix: as many keys can be told apart."""
    householder_steps: int = 0
    """Householder reflections by which an input rotates the matrices; n of them make any rotation,
    0 none."""

    def __post_init__(self) -> None:
        at_least(self, "encoder", 1, "matrices", "key_dim")
        at_least(self, "encoder", 0, "householder_steps")


@dataclass(frozen=True)
class StackConfig:
    """Dials of the stack encoder: K layers, each with a diagonal linear recurrence of D numbers."""

    initial_decay_time: float = 0.5
    """Steps over which the fastest modes decay by 1/e at initialisation; the slowest take 2 T."""
    initial_turn: float = 0.1
    """Half turns a step by which the fastest modes rotate at initialisation."""
    hidden: int | None = None
    """Hidden units of the MLP between two layers; twice the teacher's width when None."""

    def __post_init__(self) -> None:
        above_zero(self, "encoder", "initial_decay_time")
        at_least(self, "encoder", 0, "initial_turn")
        at_least(self, "encoder", 1, "hidden")


@dataclass(frozen=True)
class FourierConfig:
    """Dials of the Fourier encoder: a diagonal linear recurrence of the inputs."""

    initial_decay: float = 0.3
    """Steps over which the fastest modes decay by 1/e at initialisation, as a share of T; the
    slowest take 2 T."""
    initial_spacing: float = 0.7
    """Turns in T steps between neighbouring frequencies at initialisation; 1 is a Fourier series.
    Less where K * D modes so spaced would pass half a turn a step."""

    def __post_init__(self) -> None:
        above_zero(self, "encoder", "initial_decay", "initial_spacing")


@dataclass(frozen=True)
class WindowConfig:
    """Dials of the paper's encoder: full attention over the last Tc inputs."""

    context: int | None = None
    """Tc, inputs that the encoder sees; the whole sequence when None."""

    def __post_init__(self) -> None:
        at_least(self, "encoder", 1, "context")


_HERE = "pastforward.teacher.encoders"

ENCODERS: Registry[Entry] = Registry(
    "encoder",
    {
        "linear": Entry(
            f"{_HERE}.causal:LinearEncoder", LinearConfig,
            "a causal Transformer writes to a diagonal linear recurrence",
        ),
        "registers": Entry(
            f"{_HERE}.causal:RegisterEncoder",
            summary="K learned queries attend to all states of a causal Transformer up to t",
        ),
        "state": Entry(
            f"{_HERE}.causal:StateEncoder",
            summary="a linear map of a causal Transformer's state at t",
        ),
        "delta": Entry(
            f"{_HERE}.delta:DeltaEncoder", DeltaConfig,
            "delta-rule matrices with Householder products; no Transformer",
        ),
        "stack": Entry(
            f"{_HERE}.stack:StackEncoder", StackConfig,
            "layers of linear recurrences, one a slot: all that they hold is the memory",
        ),
        "fourier": Entry(
            f"{_HERE}.fourier:FourierEncoder", FourierConfig,
            "a linear recurrence of the inputs, begun as a Fourier series; an MLP reads it",
        ),
        "window": Entry(
            f"{_HERE}.window:WindowEncoder", WindowConfig,
            "the paper's: full attention over the last Tc inputs, one pass per prefix",
        ),
    },
)  # fmt: skip
