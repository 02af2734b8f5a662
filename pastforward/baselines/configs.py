"""L0. Dials of baselines. Imports no torch."""

from dataclasses import dataclass

from pastforward.ranges import at_least


@dataclass(frozen=True)
class BaselineConfig:
    """A network that is no student, trained in its place on the same data, loop and budget."""

    name: str = "s4d"
    """A name in `BASELINES`: s4d, mingru, mamba2 or attention."""
    depth: int = 3
    """Layers."""
    width: int | None = None
    """Width of a layer; the one that comes nearest to the student's parameter count when None."""
    hidden: int = 128
    """Hidden units of the readout."""
    heads: int = 4
    """Attention heads, of 'attention' alone."""

    def __post_init__(self) -> None:
        at_least(self, "network", 1, "depth", "width", "hidden", "heads")
