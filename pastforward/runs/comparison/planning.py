"""L6. What a comparison is going to do, and what it came to, on the console and as a page."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pastforward.runs.comparison.progress import duration, seconds_of
from pastforward.runs.opening import load_summary
from pastforward.cli.showing import show
from pastforward.runs.comparison.grid import Grid
from pastforward.runs.comparison.page import write_page
from pastforward.runs.comparison.record import Job, Record, State, folder_of, read_record, state
from pastforward.runs.comparison.results import Row, aggregate, collect, write_results
from pastforward.runs.comparison.table import grid_table
from pastforward.config import Budget
from pastforward.report.run_page import write_report
from pastforward.training.loop import NonFiniteLoss
from pastforward.training.distributed import rank


def plan_text(grid: Grid, searches: Sequence[Job], jobs: Sequence[Job], count: int) -> str:
    """How many runs, of what, and for how long."""
    axes = (("task", grid.tasks), ("cell", grid.cells), ("strategy", grid.strategies), ("seed", grid.seeds))
    parts = [f"{what}{'s' * (len(of) > 1)} {' '.join(map(str, of))}" for what, of in axes]
    lines = [f"{_runs(jobs)}: {', '.join(parts)}"]
    if searches:
        factors = ", ".join(f"{factor:g}" for factor in grid.factors)
        lines.append(f"before them {_runs(searches)} to find rates: the recipe's x {factors}")
    both = [*searches, *jobs]
    waiting = [job for job in both if state(job.folder) in (State.WAITING, State.BEGUN)]
    seconds = seconds_of(waiting, count)
    if len(waiting) < len(both):
        lines.append(f"{len(both) - len(waiting)} of them are there already")
    known = "unknown until some of it is done, as the budget is not in seconds"
    time = known if seconds is None else f"about {duration(seconds)}, and evaluation"
    cores = os.cpu_count() or 1
    shared = f" on {cores} cores, which they share" if count > cores else ""
    lines.append(f"time: {time}; {count} at a time{shared}")
    return "\n".join(lines)


def finish(root: Path, record: Record, out: Console) -> None:
    """Table, results.json and report.html; raises `NonFiniteLoss` when not one run came through."""
    if rank() != 0:
        return
    place, rows = write_grid(root), collect(root, record)
    failed = [row for row in rows if row.state == State.FAILED.value]
    if len(failed) == len(rows):
        raise NonFiniteLoss(f"Every run failed; of {failed[0].folder}: {failed[0].error}")
    if is_simple(record, rows):
        show([(folder, load_summary(folder)) for folder in _folders(root, record)], out)
    else:
        out.print(grid_table(aggregate(rows)))
    print(f"Report: {place}")


def update_results(root: Path, record: Record) -> list[Row]:
    """results.json as far as the runs are; its rows."""
    rows = collect(root, record)
    if rank() == 0:
        write_results(root, record, rows)
    return rows


def write_grid(root: Path, out: Path | None = None) -> Path:
    """results.json, and a page about all runs of a comparison as far as they are."""
    record = read_record(root)
    rows = update_results(root, record)
    place = out or root / "report.html"
    if is_simple(record, rows):
        return write_report([load_summary(f) for f in _folders(root, record)], place)
    return write_page(root, record, rows, place)


def is_simple(record: Record, rows: Sequence[Row]) -> bool:
    """Is it one network on one task, all of its runs finished? Its own table then says more."""
    plain = record.grid.plain and not record.grid.factors
    return plain and all(row.state == State.FINISHED.value for row in rows)


def _folders(root: Path, record: Record) -> list:
    return [folder_of(root, record.grid, trial) for trial in record.grid.trials()]


def _runs(jobs: Sequence[Job]) -> str:
    budgets = {_said(job.config.budget) for job in jobs}
    each = f" of {budgets.pop()}" if len(budgets) == 1 else ""
    return f"{len(jobs)} run{'s' * (len(jobs) > 1)}{each}"


def _said(budget: Budget) -> str:
    if budget.seconds is not None:
        return duration(budget.seconds)
    return f"{budget.steps:,} optimiser steps" if budget.steps else f"{budget.tokens:,} tokens"
