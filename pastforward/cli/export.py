"""L7. `pastforward export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pastforward.cli.options import RunOptions
from pastforward.cli.parsing import parse
from pastforward.inference.export import EXPORTS

DESCRIPTION = """\
Write a trained student in a format that others run. What was written is run beside PyTorch at once,
and kept only where it does the same. RUN may be a student's file, too.

Examples:
  pastforward export notes-smt+dmt --to onnx
  pastforward export notes-smt+dmt --to onnx --int8 --out notes-onnx
  pastforward export digits-smt+dmt --to pt2
  pastforward export runs/notes-smt+dmt/student.safetensors --to torch

Formats:
""" + "\n".join(f"  {name:<8}{row.summary}" for name, row in EXPORTS.items())


@dataclass(frozen=True)
class Options(RunOptions):
    """Options of `export`."""

    to: Annotated[str, tyro.conf.arg(metavar="|".join(EXPORTS))]
    """Format to write."""
    out: Path | None = None
    """Folder to write; one beside the student, named like the format, when not given."""
    int8: bool = False
    """Write weights of 8 bits, too, and measure what they cost on held-out data."""
    overwrite: bool = False
    """Replace what lies there."""


def main(argv: list[str]) -> None:
    """Export and show how it compares."""
    options = parse(Options, argv, "export", DESCRIPTION)

    from pastforward.runs.exporting import ExportRequest, export

    request = ExportRequest(options.to, options.out, options.int8, options.overwrite)
    found = export(options.run, request, *options.how)
    for line in found.lines():
        print(line)
    print(f"Exported: {found.path}")
