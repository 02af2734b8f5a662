"""Compiled code reads as PyTorch does, in Python and in C++.

The command runs in a process of its own, because the compiler can't trace the checks of shapes.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pastforward.cells import StudentConfig
from pastforward.data.codec import SymbolCodec
from pastforward.errors import UsageError
from pastforward.inference.export import Shipment
from pastforward.inference.export.pt2 import export
from pastforward.student import build_student
from pastforward.student_file import save_student
from pastforward.types import Signature, Tokens

EXAMPLE = Path(__file__).parents[2] / "examples" / "stream.cpp"
TORCH = Path(torch.__file__).parent
HEADER = TORCH / "include/torch/csrc/inductor/aoti_package/model_package_loader.h"
CONFIG = StudentConfig(cell="torch-gru", slots=2, width=8, embed=4, hidden=8)

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None or not HEADER.exists(),
    reason="no g++ here, or no headers of torch",
)


@needs_compiler
def test_compiled_code_in_python_and_in_cpp(tmp_path):
    torch.manual_seed(0)
    student = build_student(CONFIG, Signature(Tokens(5), Tokens(5), 9)).eval()
    save_student(tmp_path / "student.safetensors", student, CONFIG, SymbolCodec(5))
    command = [sys.executable, "-m", "pastforward", "export", "student.safetensors", "--to", "pt2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "read.pt2" in done.stdout
    assert "over 1,000 steps" in done.stdout
    assert done.stdout.splitlines()[-1] == "Exported: pt2"
    program = tmp_path / "stream"
    include = [f"-I{TORCH / 'include'}", f"-I{TORCH / 'include/torch/csrc/api/include'}"]
    link = [f"-L{TORCH / 'lib'}", f"-Wl,-rpath,{TORCH / 'lib'}", "-ltorch", "-ltorch_cpu", "-lc10"]
    build = ["g++", "-std=c++20", "-O0", *include, str(EXAMPLE), "-o", str(program), *link]
    subprocess.run(build, check=True, capture_output=True)
    words = ["pt2", "2", "8", "3", "1", "4", "1"]
    said = subprocess.run(
        [program, *words], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    found = torch.tensor([float(word) for word in said.stdout.split()])
    expected = student(torch.tensor([[3, 1, 4, 1]]))[0][0, -1]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_without_a_compiler_it_is_refused(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("no compiler here\nand more")

    monkeypatch.setattr("pastforward.inference.export.pt2.export_graph", fails)
    student = build_student(CONFIG, Signature(Tokens(5), Tokens(5), 9)).eval()
    with pytest.raises(
        UsageError, match=r"can't be compiled \(no compiler here\); install a C\+\+"
    ):
        export(Shipment(student, SymbolCodec(5)), tmp_path)
