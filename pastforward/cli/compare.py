"""L6. `pastforward compare`."""

from functools import partial
from typing import TYPE_CHECKING

from pastforward.cli.compare_options import Comparison, read_compare
from pastforward.cli.options import RUNS
from pastforward.recipes.names import stem

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from pastforward.runs.comparison.record import Job, Record

DESCRIPTION = """\
Train networks on tasks by several ways for the same budget, then show a table and a page. Every
combination of task, length, cell, way and seed is a run of its own.

Examples:
  pastforward compare digits --seconds 60
  pastforward compare copy32 --methods bptt tbptt smt+dmt --seconds 300 --cells gru
  pastforward compare my-notes.txt --name notes --seconds 120
  pastforward compare copy retrieval --lengths 32 64 128 --cells mlp gru --methods bptt smt+dmt
    --seeds 0 1 2 --seconds 60 --search --jobs 2 --name five
  pastforward compare digits pydoc --seeds 0 1 2 --tokens 3000000 --plan

--search tries the recipe's rates times each of --factors on a seed that isn't reported, takes the
best by held-out loss, and writes all to rates.json. A run lies in runs/NAME/TASK/CELL/WAY/seedK, or
in runs/NAME/WAY for one task, cell and seed. Ctrl-C saves; with --resume, finished runs are kept.
Meanwhile `pastforward report NAME` shows what there is; results.json holds every run. Defaults
shown are those of the recipe named (digits when none is).
"""


def main(argv: list[str]) -> None:
    """Train every run of the grid, evaluate, and write runs/NAME/report.html."""
    asked = read_compare(argv, DESCRIPTION)

    from pastforward.runs.comparison.jobs import check_all, clear, jobs_for
    from pastforward.runs.comparison.record import Record
    from pastforward.runs.comparison.show import finish, plan_text
    from pastforward.runs.running import consoles, existing, resume_command
    from pastforward.training.distributed import rank, wait
    from pastforward.training.folder import IfExists

    options, grid = asked.options, asked.grid
    root = RUNS / (options.name or "-".join(map(stem, options.tasks)))
    if_exists = existing(options.resume, options.overwrite)
    searches = jobs_for(asked, root, grid.searches(), grid.share)
    jobs = jobs_for(asked, root, grid.trials())
    check_all(root, asked, searches, jobs, if_exists)
    out, stderr = consoles()
    plan = plan_text(grid, searches, jobs, options.jobs)
    if options.plan:
        out.print(plan, highlight=False, soft_wrap=True)
        print(f"Nothing was written; runs would lie in: {root}/")
        return
    stderr.print(plan, highlight=False, soft_wrap=True)
    if if_exists is IfExists.OVERWRITE:
        clear([*searches, *jobs])
    command = resume_command("compare", argv)
    sources = {task: config.data.source for (task, _), config in asked.configs.items()}
    record = Record(command.removesuffix(" --resume"), grid, sources)
    if rank() == 0:
        record.write(root)
    wait()  # until all ranks see the same
    _run(asked, root, record, (searches, jobs), stderr)
    finish(root, record, out)


def _run(
    asked: Comparison, root: "Path", record: "Record", both: "tuple[list[Job], list[Job]]",
    stderr: "Console",
) -> None:  # fmt: skip
    """First the searches, then, with the rates they found, the runs that are reported."""
    from pastforward.runs.comparison.jobs import run_jobs, searched, with_factors
    from pastforward.runs.comparison.progress import GridProgress
    from pastforward.runs.comparison.show import update_results

    searches, jobs = both
    command = f"{record.command} --resume"
    with GridProgress(
        [*searches, *jobs], asked.options.jobs, stderr, partial(update_results, root, record)
    ) as progress:
        run_jobs(searches, asked.options.jobs, progress, command)
        factors = searched(root, searches)
        run_jobs(with_factors(jobs, factors), asked.options.jobs, progress, command)
