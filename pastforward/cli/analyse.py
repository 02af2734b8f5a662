"""L7. `pastforward analyse`."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from pastforward.cli.options import RunOptions, print_json
from pastforward.cli.parsing import parse
from pastforward.runs.analysing import ANALYSES, page_of

DESCRIPTION = """\
Ask a run where it loses, what it remembers and how far it goes. A page, its pictures and
figures are written to RUN/analysis. All that suit the run, when none is named:

{names}

Examples:
  pastforward analyse copy16/smt+dmt gap lengths
  pastforward analyse notes-smt+dmt gap --json | jq .gap.shares
""".format(names="\n".join(f"  {name:<10}{row.summary}" for name, row in ANALYSES.items()))


@dataclass(frozen=True)
class Options(RunOptions):
    """Options of `analyse`."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = ()
    """What to ask."""
    sequences: int = 256
    """At most so many held-out sequences for each analysis."""
    json: bool = False
    """Print all figures as one JSON object."""


def main(argv: list[str]) -> None:
    """Analyse a run; page, pictures and analysis.json go to its folder."""
    options = parse(Options, argv, "analyse", DESCRIPTION)

    from pastforward.runs.opening import open_run
    from pastforward.watching import stderr_console

    run = open_run(options.run, *options.how)
    with stderr_console().status("reading the run") as status:

        def told(text: str) -> None:
            if text in ANALYSES:
                status.update(f"{text}: {ANALYSES[text].summary}")
            else:
                status.console.print(text, highlight=False, markup=False, soft_wrap=True)

        found = run.analyse(*options.names, sequences=options.sequences, told=told)
    last = f"Page: {page_of(run.path)}, with pictures and analysis.json beside it"
    if options.json:
        print_json({"run": run.name} | {name: one.facts for name, one in found.items()}, last)
        return
    for name, answer in found.items():
        print("\n".join([name, *(f"  {line}" for line in answer.lines)]))
    print(last)
