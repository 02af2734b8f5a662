"""The compiled engine is the eager one; where there is no compiler, eager runs and says so."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pastforward.cells import StudentConfig
from pastforward.inference.aot import compile_stream
from pastforward.inference.stream import Stream
from pastforward.student import build_student
from pastforward.types import Signature, Vectors


def test_compiled_is_eager_over_10000_steps_and_serves_other_weights(tmp_path):
    script = Path(__file__).parent / "compiled_stream.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_compiler_the_stream_is_eager_and_says_so(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("no compiler here\nand more")

    monkeypatch.setattr("pastforward.inference.aot.export", fails)
    config = StudentConfig(cell="elman", width=8, embed=4, hidden=8)
    student = build_student(config, Signature(Vectors(3), Vectors(3), 9)).double()
    with pytest.warns(UserWarning, match=r"could not be compiled \(no compiler here\); it runs"):
        stream = compile_stream(student, 2, tmp_path)
    x = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found, expected = (s.feed(s.start(2), x) for s in (stream, Stream(student)))
    assert all(map(torch.equal, found, expected))
    assert not list(tmp_path.iterdir())
