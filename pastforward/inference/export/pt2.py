"""L3. Compiled code (AOTInductor): a loop of steps in one call, for Python and C++.

    read.pt2           memory [1, K, D], input [1, T] or [1, T, C] -> memory, parameters [1, T, P]
    empty_memory.f32   m_0, K * D numbers of 4 bytes
    student.json       signature and codec

Weights are in the package; T may be any number. The code is for processors like the one that
compiled it, and for the torch that did.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch._inductor import aoti_compile_and_package, aoti_load_package
from torch.export import Dim
from torch.export import export as export_graph

from pastforward.data.codec import codec_to_json
from pastforward.errors import UsageError
from pastforward.files import to_json, write_atomically, write_json
from pastforward.inference.aot import Reads, blank
from pastforward.inference.export import Exported, Shipment
from pastforward.student import Student

CODE, EMPTY, FACTS = "read.pt2", "empty_memory.f32", "student.json"


def export(shipment: Shipment, folder: Path) -> Exported:
    """Compile; raises `UsageError` where that fails, as it does without a C++ compiler."""
    student = shipment.student
    try:
        compile_reading(student, folder / CODE)
    except Exception as error:  # compilers can fail in any way
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"The student can't be compiled ({first[:200]}); install a C++ compiler such as g++, "
            "or export it --to onnx."
        ) from error
    empty = student.start().detach().numpy().astype("<f4")
    write_atomically(folder / EMPTY, empty.tobytes())
    facts = {
        "signature": to_json(student.signature),
        "codec": codec_to_json(shipment.codec),
        "memory": [student.memory.slots, student.memory.width],
        "torch": torch.__version__,
    }
    write_json(folder / FACTS, facts)
    hint = "In C++: torch::inductor::AOTIModelPackageLoader; see examples/stream.cpp."
    return Exported({CODE: _Replay(student, folder)}, hint=hint)


def compile_reading(student: Student, path: Path) -> None:
    """Write a package that reads T inputs of one sequence in a call."""
    m = student.start(1).detach().clone()
    inputs = m, blank(student.signature.inputs, m)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the compiler, about its own code
        shapes = (None, {1: Dim("steps", min=1)})
        program = export_graph(Reads(student), inputs, dynamic_shapes=shapes)
        aoti_compile_and_package(program, package_path=str(path))


class _Replay:
    """The package, a sequence after the other."""

    def __init__(self, student: Student, folder: Path) -> None:
        self._loop: Any = aoti_load_package(str(folder / CODE))
        shape = (1, student.memory.slots, student.memory.width)
        self._empty = torch.from_numpy(np.fromfile(folder / EMPTY, "<f4").reshape(shape))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        rows = [row.contiguous() for row in torch.from_numpy(x).split(1)]
        return np.concatenate([self._loop(self._empty, row)[1].numpy() for row in rows])
