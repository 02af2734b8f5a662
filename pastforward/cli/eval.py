"""L7. `pastforward eval`."""

from dataclasses import dataclass

from pastforward.cli.options import RunOptions, print_json
from pastforward.cli.parsing import parse

DESCRIPTION = """\
Measure a run on held-out data: the student alone from its empty memory, its teacher, references,
drift, whether memories collapsed, and figures of labels.

Examples:
  pastforward eval digits-smt+dmt
  pastforward eval runs/digits/bptt --json | jq .student.nats
  pastforward eval notes-smt+dmt --split valid --sequences 2048
"""


@dataclass(frozen=True)
class Options(RunOptions):
    """Options of `eval`."""

    split: str = "test"
    """'test' or 'valid'."""
    sequences: int | None = None
    """At most so many sequences: 512, or 10,000 of labelled data, when not given."""
    json: bool = False
    """Print everything as one JSON object."""


def main(argv: list[str]) -> None:
    """Evaluate a run; the test split's figures are written to its evaluation.json."""
    options = parse(Options, argv, "eval", DESCRIPTION)

    from pastforward.cli.showing import say, table
    from pastforward.runs.figures import for_programs, lines_of
    from pastforward.runs.opening import open_run

    run = open_run(options.run, *options.how)
    found = run.evaluate(options.split, options.sequences)
    summary = run.summary_of(found)
    kept = run.folder.evaluation if options.split == "test" else "not kept"
    last = f"Figures: {run.unsaved or kept}"
    if options.json:
        print_json(for_programs(summary), last)
    else:
        table([summary])
        say(*lines_of(found, summary.facts), last)
