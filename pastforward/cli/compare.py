"""L7. `pastforward compare`."""

from pastforward.cli.compare_options import read_compare
from pastforward.cli.options import is_first_rank, resume_command
from pastforward.runs.places import if_exists_of


def main(argv: list[str]) -> None:
    """Train every run of the comparison, evaluate, and write runs/NAME/report.html."""
    options, request = read_compare(argv)

    from rich.console import Console

    from pastforward.cli.showing import say, show
    from pastforward.runs.comparison.comparing import compare, plan
    from pastforward.runs.comparison.planning import check_plan, plan_text
    from pastforward.runs.places import read_if_exists
    from pastforward.runs.training import Telling

    if_exists = if_exists_of(options.resume, options.overwrite)
    if options.plan:
        planned = plan(options.tasks, request, options.name)
        check_plan(planned, options.jobs, read_if_exists(if_exists))
        say(plan_text(planned, options.jobs))
        say(f"Nothing was written; runs would lie in: {planned.root}/")
        return
    found = compare(
        options.tasks,
        request,
        name=options.name,
        jobs=options.jobs,
        if_exists=if_exists,
        telling=Telling(resume_command=resume_command("compare", argv)),
    )
    if is_first_rank():
        if found.is_simple:
            show(found.runs)
        else:
            Console().print(found.table)
        print(f"Report: {found.page}")
