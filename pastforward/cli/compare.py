"""L7. `pastforward compare`."""

from pastforward.cli.compare_options import read_compare
from pastforward.cli.options import resume_command
from pastforward.runs.places import if_exists_of

DESCRIPTION = """\
Train networks on tasks by several methods for the same budget, then show a table and a page. Every
combination of task, length, cell or baseline, method and seed is a run of its own. Tasks come
first.

Examples:
  pastforward compare digits --seconds 60
  pastforward compare copy32 --methods bptt tbptt smt+dmt --seconds 300 --cells gru
  pastforward compare copy retrieval --lengths 32 64 128 --cells mlp gru --methods bptt smt+dmt
    --seeds 0 1 2 --seconds 60 --search --jobs 2 --name five
  pastforward compare copy32 --cells gru my_module:MyCell --networks s4d mingru
  pastforward compare digits pydoc --seeds 0 1 2 --tokens 3000000 --plan

--search tries the recipe's rates times each of --factors on a seed that isn't reported, takes the
best by held-out loss, and writes all to rates.json. --shard 3/8 trains every eighth run, for job
arrays of a cluster; the same command with --gather makes the page. Ctrl-C saves; with --resume,
finished runs are kept. Meanwhile `pastforward report NAME` shows what there is; results.json holds
every run.
Defaults shown are those of the recipe named (digits when none is).
"""


def main(argv: list[str]) -> None:
    """Train every run of the comparison, evaluate, and write runs/NAME/report.html."""
    options, request = read_compare(argv, DESCRIPTION)

    from rich.console import Console

    from pastforward.cli.showing import say, show
    from pastforward.runs.comparison.comparing import compare, describe, gather
    from pastforward.runs.training import Telling
    from pastforward.training.distributed import rank

    if_exists = if_exists_of(options.resume, options.overwrite)
    if options.plan:
        say(describe(options.tasks, request, options.name, options.jobs, if_exists))
        return
    telling = Telling(resume_command=resume_command("compare", argv))
    if options.gather:
        found = gather(options.tasks, request, name=options.name, telling=telling)
    else:
        found = compare(
            options.tasks, request, name=options.name, jobs=options.jobs, if_exists=if_exists,
            telling=telling,
        )  # fmt: skip
    if options.shard is not None and not options.gather:
        say(f"Shard {options.shard} lies in {found.root}; the same command with --gather ends it")
    elif rank() == 0:
        if found.is_simple:
            show(found.runs)
        else:
            Console().print(found.table)
        print(f"Report: {found.page}")
