"""L6. evaluation.json: what a run keeps of its evaluation, and facts on how it was made."""

from pathlib import Path
from typing import Any

from pastforward.analysis.evaluate import Evaluation
from pastforward.analysis.forecasts.samples import series_samples
from pastforward.analysis.label_samples import label_samples
from pastforward.analysis.samples import Samples, draw_samples
from pastforward.baselines.base import Network
from pastforward.baselines.build import parameters, student_parameters
from pastforward.config import RunConfig
from pastforward.data.codec import LabelCodec
from pastforward.data.series import SeriesSource
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.files import figures_from_json, from_json, read_json, to_json, write_json
from pastforward.provenance import provenance
from pastforward.report.summary import RunSummary
from pastforward.training.distributed import world
from pastforward.training.folder import RunFolder
from pastforward.training.trainer import Trainer

_COUNTS = "parameters", "student_parameters", "seconds", "steps", "tokens", "calls", "length"
_SAMPLED = 10
"""Held-out sequences that samples are drawn beside."""


def facts_of(trainer: Trainer) -> dict[str, Any]:
    """What training cost, on what it was done, and from which code."""
    spent = trainer.spent
    cost = {
        "seconds": round(spent.seconds, 2),
        "steps": spent.step,
        "tokens": spent.tokens,
        "serial_calls": trainer.serial_calls(),
        "calls": spent.calls,
        "length": trainer.source.signature.length,
        "data": trainer.source.describe(),
        "ranks": world(),
    }
    return network_facts(trainer.network, trainer.source, trainer.config) | cost | provenance()


def network_facts(network: Network, source: Source, config: RunConfig) -> dict[str, Any]:
    """Weights and config; of a baseline, the weights of the student whose size it takes, too."""
    facts = {"parameters": parameters(network), "config": to_json(config)}
    if config.baseline is not None:
        facts["student_parameters"] = student_parameters(config.student, source.signature)
    return facts


def few_samples(network: Network, source: Source, seed: int = 0) -> Samples | None:
    """Samples beside the first test sequences, the same for the same seed."""
    if isinstance(source.codec, LabelCodec):
        return label_samples(network, source)
    if isinstance(source, SeriesSource):
        return series_samples(network, source, seed)
    few = next(iter(source.held_out("test", _SAMPLED, _SAMPLED)))
    return draw_samples(network, source.codec, few, seed)


def write_summary(folder: RunFolder, summary: RunSummary) -> None:
    """Keep evaluation and facts; `read_saved` reads them."""
    content = {"evaluation": summary.evaluation, "facts": summary.facts}
    write_json(folder.evaluation, content)


def read_saved(path: Path) -> dict[str, Any]:
    """Evaluation and facts; raises `UsageError` where there are none or they can't be read."""
    try:
        content = read_json(path)
        evaluation = figures_from_json(Evaluation, content["evaluation"])
        return {"evaluation": evaluation.to_json(), "facts": _checked(content["facts"])}
    except FileNotFoundError as error:
        raise UsageError(
            f"{path.parent} was not evaluated; do it with: pastforward eval {path.parent}"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} can't be read ({error}); make it anew with: pastforward eval {path.parent}"
        ) from error


def _checked(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts as they are; raises `ValueError` for what reports can't show."""
    from_json(RunConfig, facts["config"])
    from_json(dict[str, int], facts.get("serial_calls", {}))
    for name in _COUNTS:
        if not isinstance(facts.get(name, 0), int | float):
            raise ValueError(f"{name} is no number")
    return facts


def saved_facts(folder: RunFolder) -> dict[str, Any]:
    """The facts that training saved, or what the metrics tell where there are none."""
    try:
        return read_saved(folder.evaluation)["facts"]
    except UsageError:
        rows = folder.metrics.read()
        return {"seconds": rows[-1]["seconds"]} if rows else {}
