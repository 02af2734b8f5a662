"""L6. `pastforward doctor`."""

import json
import sys
from dataclasses import asdict, dataclass
from typing import Annotated

import tyro

from pastforward.cli.parsing import parse

DESCRIPTION = """\
Examine a run, finished or stopped: does the future leak into the past, do networks use their
memory, have memories collapsed, where does the student lose against its teacher (one step,
compounding, readout), does it generalise?

Every check ends as ok, warning, failed or skipped, with what was measured and the threshold; what
is wrong comes with its usual cause and what to try. Exit code: 0 when nothing failed (warnings
allowed), 1 when a check failed, 2 for bad input.

Examples:
  pastforward doctor digits-smt+dmt                  a table, and a page with curves
  pastforward doctor runs/digits/bptt                no teacher: its checks are skipped
  pastforward doctor notes --json | jq '.findings[] | select(.level == "failed")'
  pastforward doctor notes && pastforward generate notes

In Python: pf.diagnose(student, teacher, source).
"""


@dataclass(frozen=True)
class DoctorOptions:
    """Options of `doctor`."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Name of a run below runs/, or its path."""
    sequences: int = 256
    """At most so many held-out sequences, and as many of those trained on."""
    json: bool = False
    """Print everything as one JSON object."""


def main(argv: list[str]) -> None:
    """Examine a run; leaves with code 1 when a check failed."""
    options = parse(DoctorOptions, argv, "pastforward doctor", DESCRIPTION)

    from rich.console import Console

    from pastforward.analysis.checks import examine
    from pastforward.analysis.checks.context import CheckContext, History
    from pastforward.analysis.checks.result import Level
    from pastforward.analysis.evaluate import finite
    from pastforward.errors import UsageError
    from pastforward.report.checks_page import write_page
    from pastforward.report.checks_table import print_findings, verdict
    from pastforward.runs.opening import find_run, open_any_run, with_student

    if options.sequences < 2:
        raise UsageError(f"--sequences is {options.sequences}; give 2 or more, to compare them.")
    opened, finished = open_any_run(find_run(options.run))
    run = with_student(opened, "doctor")
    history = History(finished, run.folder.metrics.read(), run.config)
    context = CheckContext(run.student, run.teacher, run.source, history, options.sequences)
    with Console(stderr=True).status("reading the run") as status:
        results = examine(context, lambda name: status.update(f"checking: {name}"))
    if options.json:
        found = {"run": run.folder.path.name, "verdict": verdict(results)}
        print(json.dumps(finite(found | {"findings": [asdict(f) for f in results]}), indent=1))
    else:
        print_findings(results, Console())
    page = write_page(run.folder.path.name, context, results, run.folder.path / "doctor.html")
    print(f"Page: {page}", file=sys.stderr if options.json else sys.stdout)
    if verdict(results) is Level.FAILED:
        raise SystemExit(1)
