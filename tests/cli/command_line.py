"""The real command line, called in this process."""

from dataclasses import dataclass

import pytest

from pastforward.cli.main import main

QUICK = ["--steps", "3", "--fit.batch", "4", "--fit.evaluations", "1"]
TINY = ["--student.slots", "2", "--student.width", "8", "--teacher.width", "16"]
TEXT = "Once upon a time there was a memory, and it was small. " * 60


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line on stdout."""
        return self.out.rstrip("\n").splitlines()[-1]


def call(capsys: pytest.CaptureFixture, *words: str) -> Said:
    capsys.readouterr()
    code = main(list(words))
    said = capsys.readouterr()
    return Said(code, said.out, said.err)


def refused(capsys: pytest.CaptureFixture, *words: str) -> str:
    """The one line of a command that must end with exit code 2."""
    said = call(capsys, *words)
    assert said.code == 2, said
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("pastforward: ")
    assert "Traceback" not in said.err
    return said.err
