"""L7. `pastforward doctor`."""

from dataclasses import asdict, dataclass

from pastforward.cli.options import RunOptions, print_json
from pastforward.cli.parsing import parse

DESCRIPTION = """\
Check a run, finished or stopped: does the future leak into the past, do networks use their memory,
have memories collapsed, where does the student lose against its teacher (one step, compounding,
readout), does it generalise?

Every check ends as ok, warning, failed or skipped, with what was measured and the threshold; what
is wrong comes with its usual cause and what to try. Exit code: 0 when nothing failed (warnings
allowed), 1 when a check failed, 2 for bad input.

Examples:
  pastforward doctor digits-smt+dmt                  a table, and a page with curves
  pastforward doctor runs/digits/bptt                no teacher: its checks are skipped
  pastforward doctor notes --json | jq '.checks[] | select(.level == "failed")'
"""


@dataclass(frozen=True)
class Options(RunOptions):
    """Options of `doctor`."""

    sequences: int = 256
    """At most so many held-out sequences, and as many of those trained on."""
    json: bool = False
    """Print everything as one JSON object."""


def main(argv: list[str]) -> None:
    """Check a run; leaves with code 1 when a check failed."""
    options = parse(Options, argv, "doctor", DESCRIPTION)

    from pastforward.analysis.checks.context import Level
    from pastforward.report.checks_page import print_results, verdict
    from pastforward.runs.opening import open_run
    from pastforward.watching import stderr_console

    run = open_run(options.run, *options.how)
    with stderr_console().status("reading the run") as status:
        results = run.doctor(options.sequences, lambda name: status.update(f"check: {name}"))
    last = f"Page: {run.unsaved or run.checks_page}"
    if options.json:
        found = {"run": run.name, "verdict": verdict(results), "checks": list(map(asdict, results))}
        print_json(found, last)
    else:
        print_results(results)
        print(last)
    if verdict(results) is Level.FAILED:
        raise SystemExit(1)
