"""L6. Report: one page about several runs, or about a comparison."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from pastforward.errors import UsageError
from pastforward.files import write_atomically
from pastforward.report.run_page import write_report
from pastforward.report.summary import RunSummary
from pastforward.runs.comparison.comparing import open_comparison
from pastforward.runs.opening import Run, open_run
from pastforward.runs.places import RUNS, find_runs


def report(
    names: Sequence[str], out: Path | None = None, allow: Collection[str] = (),
    source: str | None = None, allow_new_data: bool = False,
) -> Path:  # fmt: skip
    """Write a page about the runs of these names or paths, and of comparisons so named.

    Without `out` it lies in the folder of the one run or comparison, or in runs/report.html.
    `allow`, `source` and `allow_new_data` are as for `open_run`. Raises `UsageError` where there is
    no such run.
    """
    if not names:
        raise UsageError("No run was named; name one or more, as `pastforward list` shows them.")
    how = allow, source, allow_new_data
    comparison = open_comparison(names[0], *how) if len(names) == 1 else None
    if comparison is not None:
        return comparison.report(out)
    folders = dict.fromkeys(run for name in names for run in find_runs(name))
    runs = [open_run(folder.path, *how) for folder in folders]
    return write_report(_summaries(runs), out or _default_place(names, runs))


def metrics_csv(names: Sequence[str], out: Path) -> Path:
    """Write what was logged in training of these runs as one table.

    Raises `UsageError` where there is no such run, or `out` can't be written.
    """
    import pandas

    if not names:
        raise UsageError("No run was named; name one or more, as `pastforward list` shows them.")
    folders = dict.fromkeys(run for name in names for run in find_runs(name))
    parts = [pandas.DataFrame(f.metrics.read()).assign(run=str(f.path)) for f in folders]
    table = pandas.concat(parts, ignore_index=True).set_index("run")
    write_atomically(out, table.to_csv().encode())
    return out


def _summaries(runs: Sequence[Run]) -> list[RunSummary]:
    """By the names of folders, or by paths where two are alike."""
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        names = [str(run.path) for run in runs]
    return [replace(run.summary, name=name) for run, name in zip(runs, names, strict=True)]


def _default_place(names: Sequence[str], runs: Sequence[Run]) -> Path:
    if len(runs) == 1:
        return runs[0].folder.report
    return runs[0].path.parent / "report.html" if len(names) == 1 else RUNS / "report.html"
