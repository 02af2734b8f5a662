"""L2. Baselines: networks that are no students, on the same data, loop and budget."""

from dataclasses import dataclass

from pastforward.registry import Entry, NoConfig, Registry


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
        "s4d": _row("s4d:build", "diagonal state space layers, by convolution"),
        "mingru": _row("mingru:build", "GRU whose gates see the input alone, by a scan"),
        "mamba2": _row("mamba2:Mamba2", "selective state spaces, from transformers", 8),
        "attention": _row("attention:Attention", "causal Transformer: no bounded memory", 8),
    },
)
