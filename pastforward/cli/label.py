"""L6. `pastforward label`."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pastforward.cli.parsing import parse

DESCRIPTION = """\
Write a teacher's labels once, in half precision; any number of students then train from them
without it.

Examples:
  pastforward label digits-smt+dmt
  pastforward label notes-smt+dmt --sequences 20000 --out labels/notes
  pastforward label notes-smt+dmt --data more-notes.txt --out labels/more
  pastforward train --labels labels/notes --cell gru --seconds 300

The size is told before it starts. SIGTERM and Ctrl-C keep what was written; --resume goes on, and
writes damaged files again.
"""


@dataclass(frozen=True)
class LabelOptions:
    """Options of `label`."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Name of a run with a teacher below runs/, or its path."""
    data: str | None = None
    """Other data of the same kind, a recipe or a path; the run's own when not given."""
    sequences: int | None = None
    """Sequences to label; all that there are to train on, at most 16384, when not given."""
    out: Path | None = None
    """Folder to write; RUN/labels when not given."""
    seed: int = 0
    """Of the draw of sequences."""
    resume: bool = False
    """Go on where writing was stopped, and write damaged files again."""
    overwrite: bool = False
    """Replace labels that are there."""


def main(argv: list[str]) -> None:
    """Label and write."""
    options = parse(LabelOptions, argv, "pastforward label", DESCRIPTION)

    from pastforward.errors import UsageError
    from pastforward.runs.labelling import already, clear, label_job, require_room, write
    from pastforward.runs.opening import find_run, open_run
    from pastforward.runs.running import consoles, existing, resume_command
    from pastforward.teacher.store.writing import begin
    from pastforward.training.folder import IfExists

    if options.sequences is not None and not 1 <= options.sequences < 10**15:
        raise UsageError(
            f"--sequences is {options.sequences}; give 1 or more, of at most 15 digits."
        )
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise UsageError("Several processes were started; start `label` alone, without torchrun.")
    if_exists = existing(options.resume, options.overwrite)
    job = label_job(options, open_run(find_run(options.run)))
    files = already(job, if_exists)
    size = require_room(job, files)
    if if_exists is IfExists.OVERWRITE:
        clear(job.folder)
    files = begin(job, files)
    _, stderr = consoles()
    stderr.print(f"{size} in {job.folder}", highlight=False, soft_wrap=True)
    write(job, files, stderr, resume_command("label", argv))
    where = shlex.quote(str(job.folder))
    print(f"Labels: {where}, for: pastforward train --labels {where} --cell gru")
