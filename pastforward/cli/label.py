"""L7. `pastforward label`."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from pastforward.cli.options import RunOptions, resume_command
from pastforward.cli.parsing import parse
from pastforward.errors import is_first_rank

DESCRIPTION = """\
Write a teacher's target memories once, in half precision; any number of students then train from
them without it.

Examples:
  pastforward label digits-smt+dmt
  pastforward label notes-smt+dmt --data more-notes.txt --out labels/more
  pastforward train --labels labels/notes --cell gru --seconds 300
  torchrun --nproc-per-node 8 -m pastforward label notes-smt+dmt

The size is printed before it starts. SIGTERM and Ctrl-C keep what was written; --resume goes on,
and writes damaged files again.
"""


@dataclass(frozen=True)
class Options(RunOptions):
    """Options of `label`."""

    data: str | None = None
    """Other data of the same kind, a recipe or a path; the run's own when not given."""
    sequences: int | None = None
    """Sequences to label; all that there are to train on, at most 16384, when not given."""
    out: Path | None = None
    """Folder to write; RUN/labels when not given."""
    seed: int = 0
    """Seed of the sequences drawn."""
    resume: bool = False
    """Go on where writing was stopped, and write damaged files again."""
    overwrite: bool = False
    """Replace labels that are there."""


def main(argv: list[str]) -> None:
    """Label and write."""
    options = parse(Options, argv, "label", DESCRIPTION)

    from pastforward.runs.labelling import LabelRequest, label
    from pastforward.runs.opening import open_run
    from pastforward.runs.places import if_exists_of
    from pastforward.runs.training import Telling

    request = LabelRequest(options.data, options.sequences, options.seed)
    store = label(
        open_run(options.run, *options.how), request, out=options.out,
        if_exists=if_exists_of(options.resume, options.overwrite),
        telling=Telling(resume_command=resume_command("label", argv)),
    )  # fmt: skip
    where = shlex.quote(str(store.folder))
    if is_first_rank():
        print(f"Labels: {where}, for: pastforward train --labels {where} --cell gru")
