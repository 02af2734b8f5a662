"""L0. Dials that one encoder has and the others have not. Imports no torch."""

from dataclasses import dataclass

from pastforward.ranges import above_zero, at_least


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
class WindowConfig:
    """Dials of the paper's encoder: full attention over the last Tc inputs."""

    context: int | None = None
    """Tc, inputs that the encoder sees; the whole sequence when None."""

    def __post_init__(self) -> None:
        at_least(self, "encoder", 1, "context")
