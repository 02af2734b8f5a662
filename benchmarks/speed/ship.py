"""One step of every cell where it ships: eager, compiled, ONNX, 8 bits, `torch.nn`.

Every cell has a memory of 128 numbers, an embedding of 64 and a readout with 128 hidden units; it
is not trained. Each way runs 256 steps of one sequence on one thread; those that read a whole
sequence in a call do so. Differences are those of `pastforward export`, over 1,000 steps.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.speed import BENCHES
from benchmarks.speed.measuring import Row, interleaved, ratios
from benchmarks.speed.networks import SYMBOLS, WIDTH
from pastforward.cells import CELLS, StudentConfig
from pastforward.cells.build import wrap
from pastforward.cells.plain import Recurrent
from pastforward.cells.torch_nn import TorchCell
from pastforward.data.codec import SymbolCodec
from pastforward.inference.export import EXPORTS, Replay, Shipment
from pastforward.inference.export.checking import agreement, eager, probe
from pastforward.registry import import_target
from pastforward.student import Student, build_student
from pastforward.types import MemoryShape, Signature, Tokens

STEPS, SECONDS, SLOTS = 256, 4.0, 2
EAGER, MODULE, INT8 = "PyTorch, step by step", "nn.GRU, step by step", "step.int8.onnx"
NAMES = {
    "step.onnx": "ONNX, step by step",
    "sequence.onnx": "ONNX, whole sequence",
    INT8: "ONNX, 8 bits, step by step",
    "read.pt2": "compiled, whole sequence",
}
"""Of what exporters call their files."""


def run(cell: str | None = None) -> Iterator[Row]:
    """Rows of a cell, or of all."""
    torch.set_num_threads(1)
    for name in [cell] if cell else BENCHES["ship"].cases:
        yield from _rows(name, student_of(name))


def student_of(cell: str) -> Student:
    """Untrained, with 128 numbers in its memory."""
    torch.manual_seed(0)
    signature = Signature(Tokens(SYMBOLS), Tokens(SYMBOLS), STEPS)
    if cell in CELLS:
        return build_student(StudentConfig(cell, SLOTS, WIDTH), signature).eval()
    shape = MemoryShape(SLOTS, WIDTH)
    return Student(signature, wrap(nn.GRUCell(WIDTH, shape.size))(shape, WIDTH)).eval()


def _rows(cell: str, student: Student) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        ways, sizes = _exported(student, Path(folder))
        x = probe(student, 1, STEPS).numpy()
        parts = {EAGER: eager(student), MODULE: _module()} | ways
        times = interleaved({name: _call(replay, x) for name, replay in parts.items()}, SECONDS)
        for name, seconds in times.items():
            if name != EAGER:
                differs = _differs(student, name, parts[name])
                yield _row(f"{cell}: {name}", seconds, times[EAGER], differs | sizes.get(name, {}))


def _exported(student: Student, folder: Path) -> tuple[dict[str, Replay], dict[str, dict]]:
    """Each way to run it, and the bytes of its file."""
    ways: dict[str, Replay] = {}
    sizes: dict[str, dict] = {}
    for target in ("torch", "onnx", "pt2"):
        if target == "torch" and not isinstance(student.cell, TorchCell):
            continue
        place = folder / target
        place.mkdir()
        shipment = Shipment(student, SymbolCodec(SYMBOLS), int8=EXPORTS[target].has_int8)
        written = import_target(EXPORTS[target].target)(shipment, place)
        for file, replay in {**written.replays, **written.rounded}.items():
            name = NAMES.get(file, file)
            ways[name] = replay
            path = place / (file if file in NAMES else "model.safetensors")
            sizes[name] = {"bytes": path.stat().st_size}
    return ways, sizes


def _module() -> Replay:
    """`nn.GRU` of 128 in plain PyTorch, a step a call: what people run."""
    torch.manual_seed(0)
    network = Recurrent("GRU", SYMBOLS, WIDTH, SLOTS * WIDTH, 1, 128, SYMBOLS).eval()

    @torch.inference_mode()
    def run(x: np.ndarray) -> np.ndarray:
        found, state = [], network.start(len(x))
        for x_t in torch.from_numpy(x).split(1, 1):
            y, state = network(x_t, state)
            found.append(y)
        return torch.cat(found, 1).numpy()

    return run


def _differs(student: Student, name: str, replay: Replay) -> dict[str, object]:
    if name == MODULE:
        return {}
    if name == NAMES[INT8]:
        x = probe(student, 2, STEPS)
        with torch.inference_mode():
            gap = np.abs(replay(x.numpy()) - student(x)[0].numpy()).max()
        return {"difference": float(gap), "steps": STEPS}
    found = agreement(student, name, replay)
    return {"difference": found.difference, "steps": found.steps}


def _call(replay: Replay, x: np.ndarray) -> Callable[[], object]:
    return lambda: replay(x)


def _row(
    case: str, seconds: list[float], reference: list[float], facts: Mapping[str, object]
) -> Row:  # fmt: skip
    ratio, spread = ratios(reference, seconds)
    ours, rival = (float(np.median(part)) / STEPS * 1e6 for part in (seconds, reference))
    return Row("ship", case, ratio, ">=", None, spread, ours, rival, "us a step", facts=facts)
