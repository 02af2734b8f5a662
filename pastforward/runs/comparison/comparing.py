"""L6. Compare: the same networks on the same data by several methods, side by side."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from pastforward.errors import NonFiniteLoss, UsageError
from pastforward.recipes.names import stem
from pastforward.report.run_page import write_report
from pastforward.report.summary import RunSummary
from pastforward.report.tables import Table, results_table
from pastforward.runs.comparison.page import write_page
from pastforward.runs.comparison.planning import (
    Plan,
    check_plan,
    choices_of,
    clear,
    plan_of,
    plan_text,
    shard_of,
    with_factors,
)
from pastforward.runs.comparison.progress import GridProgress
from pastforward.runs.comparison.rates import Choice, write_rates
from pastforward.runs.comparison.record import (
    Job,
    Record,
    State,
    folder_of,
    holds_grid,
    read_record,
    state,
)
from pastforward.runs.comparison.request import DEFAULT, CompareRequest, configs_for
from pastforward.runs.comparison.results import Line, Row, aggregate, collect, write_results
from pastforward.runs.comparison.table import grid_table
from pastforward.runs.comparison.workers import run_workers
from pastforward.runs.foreign import foreign_names
from pastforward.runs.opening import Run, open_run
from pastforward.runs.places import RUNS, read_if_exists
from pastforward.runs.training import Telling, attempt
from pastforward.training.distributed import barrier, rank
from pastforward.training.folder import IfExists


class Comparison:
    """A comparison's folder and what came of its runs, read when it is first asked for."""

    def __init__(
        self, root: Path, allow: Collection[str] = (), source: str | None = None,
        allow_new_data: bool = False,
    ) -> None:  # fmt: skip
        """`compare` and `open_comparison` return comparisons."""
        self.root, self.record = root, read_record(root)
        self._how = allow, source, allow_new_data

    @cached_property
    def rows(self) -> list[Row]:
        """One for every planned run, as far as it is."""
        return collect(self.root, self.record)

    @property
    def lines(self) -> list[Line]:
        """Means over seeds, one for every task, network and method."""
        return aggregate(self.rows)

    @property
    def table(self) -> Table:
        """The lines; the results of each run where one network on one task was compared."""
        return results_table(self.summaries) if self.is_simple else grid_table(self.lines)

    @property
    def page(self) -> Path:
        """Where `report` writes."""
        return self.root / "report.html"

    @property
    def is_simple(self) -> bool:
        """Is it one network on one task, with all runs finished and no search?"""
        grid = self.record.grid
        done = all(row.state == State.FINISHED.value for row in self.rows)
        return grid.plain and not grid.factors and done

    @property
    def summaries(self) -> list[RunSummary]:
        """Of every run; raises `UsageError` where one isn't finished."""
        return [run.summary for run in self.runs]

    @cached_property
    def runs(self) -> list[Run]:
        """All that are begun, in the order of `record.grid`."""
        trials = self.record.grid.trials()
        folders = [folder_of(self.root, self.record.grid, trial) for trial in trials]
        return [open_run(f.path, *self._how) for f in folders if f.config.exists()]

    def report(self, out: Path | None = None) -> Path:
        """Write results.json, and the page to `out`, to report.html beside it when None."""
        write_results(self.root, self.record, self.rows)
        place = out or self.page
        if self.is_simple:
            return write_report(self.summaries, place)
        return write_page(self.root, self.record, self.rows, place)


def open_comparison(
    name: str, allow: Collection[str] = (), source: str | None = None, allow_new_data: bool = False
) -> Comparison | None:
    """The comparison of that name below runs/, or at that path; None where there is none.

    `allow`, `source` and `allow_new_data` are as for `open_run`.
    """
    found = next((path for path in (RUNS / name, Path(name)) if holds_grid(path)), None)
    return None if found is None else Comparison(found, allow, source, allow_new_data)


def describe(
    tasks: Sequence[str], request: CompareRequest, name: str | None, jobs: int, if_exists: str
) -> str:
    """What `compare` would train and for how long; nothing is written. Raises as `compare` does."""
    planned = plan(tasks, request, name)
    check_plan(planned, jobs, read_if_exists(if_exists))
    last = f"Nothing was written; runs would lie in: {planned.root}/"
    return f"{plan_text(planned, jobs)}\n{last}"


def plan(tasks: Sequence[str], request: CompareRequest, name: str | None = None) -> Plan:
    """The runs that `compare` would train."""
    if not tasks:
        raise UsageError("No task was named; name a recipe, data or a path first.")
    root = RUNS / (name or "-".join(map(stem, tasks)))
    whole = plan_of(configs_for(tasks, request), root)
    return whole if request.shard is None else shard_of(request.shard).part(whole)


def gather(
    tasks: Sequence[str], request: CompareRequest = DEFAULT, *, name: str | None = None,
    telling: Telling | None = None,
) -> Comparison:  # fmt: skip
    """The comparison whose parts were trained by shards: rates, results and page of all of it.

    Runs that are missing are told. Raises `UsageError` where no run of it was begun.
    """
    planned = plan(tasks, replace(request, shard=None), name)
    if not holds_grid(planned.root):
        raise UsageError(f"{planned.root} holds no comparison; run its shards first (--shard 1/8).")
    left = [job for job in planned.all if state(job.folder) in (State.WAITING, State.BEGUN)]
    if left:
        (telling or Telling()).console.print(
            f"{len(left)} of {len(planned.all)} runs are not finished, {left[0].trial} among them",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
    choices = choices_of(planned.searches)
    if choices:
        write_rates(planned.root, choices)
    return _finished(_comparison(planned))


def compare(
    tasks: Sequence[str],
    request: CompareRequest = DEFAULT,
    *,
    name: str | None = None,
    jobs: int = 1,
    if_exists: str = "refuse",
    telling: Telling | None = None,
) -> Comparison:
    """Train every combination of task, network, method and seed, and keep all in runs/NAME.

    `jobs` runs are trained at a time, from 2 on in processes of one thread each; a script that asks
    for them must guard its entry by `if __name__ == "__main__":`. With `if_exists` 'resume'
    finished runs are kept and stopped ones go on. With `request.shard` a part of the runs is
    trained, and `gather` writes the page.

    Raises `UsageError` for bad input before anything is trained, `Stopped` after Ctrl-C or SIGTERM
    with all saved, and `NonFiniteLoss` where every run failed.
    """
    exists, telling = read_if_exists(if_exists), telling or Telling()
    planned = plan(tasks, request, name)
    check_plan(planned, jobs, exists)
    telling.console.print(plan_text(planned, jobs), highlight=False, markup=False, soft_wrap=True)
    if rank() == 0:
        if exists is IfExists.OVERWRITE:
            clear(planned.all)
        command = telling.resume_command.removesuffix(" --resume")
        sources = {job.trial.setting.task: job.config.data.source for job in planned.jobs}
        Record(command, planned.grid, sources).write(planned.root)
    barrier()  # until all ranks see the same
    whole = request.shard is None
    _train_all(planned, jobs, telling, write_rates if whole else _keep_no_rates)
    return _finished(_comparison(planned)) if whole else _comparison(planned)


def _comparison(planned: Plan) -> Comparison:
    named = {name for job in planned.jobs for name in foreign_names(job.config)}
    return Comparison(planned.root, named)


def _keep_no_rates(root: Path, choices: Sequence[Choice]) -> None:
    """Of a shard, which knows some of them; `gather` writes all."""


def _train_all(
    plan: Plan, count: int, telling: Telling, keep: Callable[[Path, Sequence[Choice]], object]
) -> None:
    """First the searches, then, with the rates that they found, the runs that are reported."""
    update = partial(_update_results, plan.root)
    with GridProgress(plan.all, count, telling.console, update) as progress:
        _run_jobs(plan.searches, count, progress, telling)
        choices = choices_of(plan.searches)
        if choices and rank() == 0:
            keep(plan.root, choices)
        _run_jobs(with_factors(plan.jobs, choices), count, progress, telling)


def _run_jobs(jobs: Sequence[Job], count: int, progress: GridProgress, telling: Telling) -> None:
    """Train what isn't finished yet; raises `Stopped`, with all saved, when asked to."""
    done = [job for job in jobs if state(job.folder) in (State.FINISHED, State.FAILED)]
    for job in done:
        progress.kept(job)
    waiting = [job for job in jobs if job not in done]
    if count > 1:
        run_workers(waiting, count, progress, telling.resume_command)
        return
    for job in waiting:
        progress.begins(job)
        callbacks = (*telling.callbacks, progress.counting(job))
        attempt(
            job.config,
            job.folder,
            replace(telling, callbacks=callbacks, watching=progress.watching),
        )
        progress.ended(job)


def _update_results(root: Path) -> None:
    if rank() == 0:
        record = read_record(root)
        write_results(root, record, collect(root, record))


def _finished(comparison: Comparison) -> Comparison:
    """Write its page; raises `NonFiniteLoss` when every run failed."""
    if rank() != 0:
        return comparison
    comparison.report()
    failed = [row for row in comparison.rows if row.state == State.FAILED.value]
    if len(failed) == len(comparison.rows):
        raise NonFiniteLoss(f"Every run failed; of {failed[0].folder}: {failed[0].error}")
    return comparison
