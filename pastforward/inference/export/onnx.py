"""L3. ONNX: one step of any cell; for those of torch.nn whole sequences by ONNX's own operators.

    step.onnx       memory [B, K, D], input [B] or [B, C]     -> next_memory, parameters [B, P]
    sequence.onnx   memory [B, K, D], input [B, T] or [B, T, C] -> next_memory, parameters [B, T, P]

B and T may be any number. Each file tells in its metadata what it reads and writes, as JSON:
signature, codec, class names and the empty memory m_0. `pastforward.onnx_stream` runs them.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from pastforward.cells.torch_nn import TorchCell
from pastforward.data.codec import LabelCodec, codec_to_json
from pastforward.files import json_text, to_json, write_atomically
from pastforward.inference.export import Exported, Replay, Shipment
from pastforward.onnx_stream import METADATA, SEQUENCE, STEP, OnnxStream
from pastforward.student import Student
from pastforward.types import Tokens

if TYPE_CHECKING:
    from onnx import ModelProto

STEP_INT8 = "step.int8.onnx"


def export(shipment: Shipment, folder: Path) -> Exported:
    """Write step.onnx, for cells of torch.nn sequence.onnx, and with `int8` step.int8.onnx."""
    student, rounded = shipment.student, {}
    write(folder / STEP, step_model(student), shipment)
    replays = {"step.onnx": step_replay(folder / STEP)}
    if isinstance(student.cell, TorchCell):
        from pastforward.inference.export.onnx_sequence import sequence_model

        write(folder / SEQUENCE, sequence_model(student), shipment)
        replays["sequence.onnx"] = sequence_replay(folder / SEQUENCE)
    if shipment.int8:
        quantise(folder / STEP, folder / STEP_INT8)
        rounded[STEP_INT8] = step_replay(folder / STEP_INT8)
    hint = "Run it without torch: pastforward.onnx_stream.OnnxStream('{place}')"
    return Exported(replays, rounded, hint)


def step_model(student: Student) -> "ModelProto":
    """One step as a graph of ONNX, for any number of sequences."""
    kind, batch = student.signature.inputs, torch.export.Dim("batch", min=1)
    x = torch.zeros(2, dtype=torch.long)
    x = x if isinstance(kind, Tokens) else torch.zeros(2, kind.width)
    m = student.start(2).detach().clone()
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            _Step(student).eval(), (m, x), dynamo=True, dynamic_shapes=({0: batch}, {0: batch}),
            verbose=False, input_names=["memory", "input"],
            output_names=["next_memory", "parameters"],
        )  # fmt: skip
    assert program is not None
    return program.model_proto


class _Step(nn.Module):
    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, m: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        m = self.student.step(m, x)
        return m, self.student.readout(m)


def write(path: Path, model: "ModelProto", shipment: Shipment) -> None:
    """With metadata, and without the source lines that the exporter notes at every node."""
    import onnx

    del model.metadata_props[:]
    for part in (*model.graph.node, *model.graph.input, *model.graph.output,
                 *model.graph.initializer, *model.graph.value_info, model.graph):  # fmt: skip
        part.doc_string = ""
        del part.metadata_props[:]
    for name, value in _metadata(shipment).items():
        model.metadata_props.add(key=METADATA + name, value=json_text(value))
    onnx.checker.check_model(model)
    write_atomically(path, model.SerializeToString())


def _metadata(shipment: Shipment) -> dict[str, Any]:
    student, codec = shipment.student, shipment.codec
    found = {
        "signature": to_json(student.signature),
        "codec": codec_to_json(codec),
        "empty_memory": student.start().detach().tolist(),
        "is_autoregressive": student.is_autoregressive,
    }
    return found | ({"classes": codec.classes} if isinstance(codec, LabelCodec) else {})


def quantise(path: Path, out: Path) -> None:
    """Weights of matrix products as 8 bits; what they are multiplied by is rounded as it runs."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(path, out, weight_type=QuantType.QInt8)


def step_replay(path: Path) -> Replay:
    """A file of one step, step by step."""
    stream = OnnxStream(path)

    def run(x: np.ndarray) -> np.ndarray:
        m, found = stream.start(len(x)), []
        for x_t in np.moveaxis(x, 1, 0):
            m, parameters = stream.step(m, x_t)
            found.append(parameters)
        return np.stack(found, 1)

    return run


def sequence_replay(path: Path) -> Replay:
    """A file of sequences, in one call."""
    stream = OnnxStream(path)
    return lambda x: stream.run(stream.start(len(x)), x)[1]


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters tell of operators that we don't use, by warnings and through logging."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
