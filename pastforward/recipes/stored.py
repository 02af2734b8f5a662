"""L5. A recipe for a label store: a student alone, sizes as in the run that wrote it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pastforward.cells import CELLS
from pastforward.config import RunConfig
from pastforward.recipes.strategies import STORED_SHARES, STORED_STRATEGY, stages

RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 1e-3, "bptt": 1e-3}
"""Where the run that wrote the targets has none."""


def for_labels(folder: str, strategy: str = STORED_STRATEGY, cell: str | None = None) -> RunConfig:
    """A config for a folder that `label` wrote, by default with the cell of the run that wrote it.

    Raises `UsageError` when there is no such store.
    """
    from pastforward.teacher.label_store import read_store

    facts, _ = read_store(Path(folder).expanduser())
    run, memory = facts.config, facts.memory
    student = replace(run.student, slots=memory.slots, width=memory.width)
    if cell is not None and cell != student.cell:
        student = replace(student, cell=cell, cell_config=_same_dials(run, cell))
    return replace(
        run,
        student=student,
        smt=replace(run.smt, consistency=0.0),  # it would need the decoder
        stages=stages(strategy, RATES | {s.method: s.lr for s in run.stages}, STORED_SHARES),
        label_store=folder,
    )


def _same_dials(run: RunConfig, cell: str) -> object:
    """The run's dials of its cell, where the new cell has dials of the same kind."""
    old = run.student.cell
    alike = cell in CELLS and old in CELLS and CELLS[cell].config is CELLS[old].config
    return run.student.cell_config if alike else None
