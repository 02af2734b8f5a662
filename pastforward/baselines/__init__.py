"""L0. Baselines: networks that are no students, on the same data, loop and budget. No torch."""

from dataclasses import dataclass

from pastforward.errors import at_least
from pastforward.registry import Entry, NoConfig, Registry


@dataclass(frozen=True)
class BaselineConfig:
    """A network that is no student, trained in its place on the same data, loop and budget."""

    name: str = "s4d"
    """A name in `BASELINES`: s4d, mingru, delta, mamba2 or attention."""
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


@dataclass(frozen=True)
class BaselineEntry(Entry):
    """A row of `BASELINES`: a builder `(Signature, BaselineConfig) -> Baseline`."""

    width_step: int = 1
    """Widths are multiples of it."""


def _row(target: str, summary: str, width_step: int = 1) -> BaselineEntry:
    return BaselineEntry(f"pastforward.baselines.{target}", NoConfig, summary, width_step)


BASELINES: Registry[BaselineEntry] = Registry(
    "baseline",
    {
        "s4d": _row("linear:build_s4d", "diagonal state space layers, by convolution"),
        "mingru": _row("linear:build_mingru", "GRU whose gates see the input alone, by a scan"),
        "delta": _row("delta:build_delta", "matrices by the delta rule, as DeltaNet", 8),
        "mamba2": _row("mamba2:Mamba2", "selective state spaces, from transformers", 8),
        "attention": _row("attention:Attention", "causal Transformer: no bounded memory", 8),
    },
)
