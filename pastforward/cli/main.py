"""L7. The command line: finds the command, and turns errors into one line and an exit code.

Exit codes: 0 done, 1 a loss became infinite or NaN or a check of the doctor failed, 2 bad input, or
too little memory or disk, 3 a fault of ours, 130 and 143 stopped and saved.
"""

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from pastforward.cli import COMMANDS
from pastforward.errors import Stopped, UsageError, is_first_rank, meaning, nearest
from pastforward.registry import import_target
from pastforward.watching import shown_on

_HEAD = """\
usage: pastforward COMMAND ...

Pretrain any nonlinear RNN without backpropagation through time, then run it alone.
"""
_TAIL = """\
Every command explains itself: pastforward COMMAND --help

  pastforward compare digits --seconds 60    the method beside BPTT, on the same seconds
  pastforward train my-notes.txt             on your own text, images or series
  pastforward generate my-notes-smt+dmt --prompt "Dear"
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what the terminal can't show is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    if words[:1] in ([], ["--help"], ["-h"]):
        print(_overview())
        return 0 if words else 2
    if words[0] in ("--version", "-V"):
        from importlib.metadata import version

        print(f"pastforward {version('pastforward')}")
        return 0
    try:
        if words[0] not in COMMANDS:
            raise UsageError(f"There is no command '{words[0]}'; {nearest(words[0], COMMANDS)}.")
        with shown_on():
            import_target(COMMANDS[words[0]].target)(words[1:])
        return 0
    except BaseException as error:
        return _answer(error)
    finally:
        _disconnect()


def _answer(error: BaseException) -> int:
    """Print what an error means and return its exit code."""
    if isinstance(error, SystemExit):  # after --help, or where a check failed
        return error.code if isinstance(error.code, int) else 0
    if isinstance(error, BrokenPipeError):  # the reader of our output was closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, KeyboardInterrupt):
        error = Stopped("interrupted.", 130)
    code, line = meaning(error)
    # Under torchrun every rank comes here, mostly for the same reason.
    if is_first_rank() or code == 3:
        print(f"pastforward: {line}", file=sys.stderr)
    return code


def _disconnect() -> None:
    if "torch" in sys.modules:
        from pastforward.training.distributed import disconnect

        disconnect()


def _overview() -> str:
    lines = (f"  {name:<10}{entry.summary}" for name, entry in COMMANDS.items())
    return "\n".join([_HEAD, *lines, "", _TAIL.rstrip()])
