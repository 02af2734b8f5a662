"""L5. A recipe for labels that are written already: a student alone, sizes as its teacher's run."""

from dataclasses import replace
from pathlib import Path

from pastforward.config import RunConfig
from pastforward.recipes.strategies import STRATEGIES, stages

RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 1e-3, "bptt": 1e-3}
"""Where the run that wrote the labels has none."""

STORED_STRATEGY = "labels"
"""The usual way to train from stored labels."""
_STRATEGIES = STRATEGIES | {STORED_STRATEGY: (("smt-frozen", 0.4), ("dmt", 0.6))}


def for_labels(folder: str, strategy: str = STORED_STRATEGY) -> RunConfig:
    """A config for a folder that `label` wrote; raises `UsageError` when there is no such store."""
    from pastforward.teacher.store.facts import read_store

    facts, _ = read_store(Path(folder).expanduser())
    run, memory = facts.config, facts.memory
    return replace(
        run,
        student=replace(run.student, slots=memory.slots, width=memory.width),
        smt=replace(run.smt, consistency=0.0),  # it would need the decoder
        stages=stages(
            strategy, RATES | {stage.method: stage.lr for stage in run.stages}, _STRATEGIES
        ),
        label_store=folder,
    )
