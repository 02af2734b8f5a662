"""`python -m benchmarks.faults kills`: try what can go wrong, many times, and write rows."""

import sys

import tyro

from benchmarks.faults.fuzz import fuzz
from benchmarks.faults.kills import kills
from benchmarks.faults.page import page
from benchmarks.faults.ranks import ranks
from benchmarks.faults.stream import stream

COMMANDS = {"kills": kills, "fuzz": fuzz, "ranks": ranks, "stream": stream, "page": page}


def main(argv: list[str]) -> int:
    """The exit code: 1 where something failed."""
    return tyro.extras.subcommand_cli_from_dict(
        COMMANDS, prog="python -m benchmarks.faults", description=__doc__, args=argv
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
