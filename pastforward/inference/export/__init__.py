"""L3. Exports: a student in the formats that others run. Their table; imports no torch.

An exporter is a function `export(shipment, folder) -> Exported`: it writes to an empty folder,
which is moved to its place after what was written was run beside PyTorch (`checking`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pastforward.registry import Entry, Registry

if TYPE_CHECKING:
    import numpy as np

    from pastforward.data.codec import Codec
    from pastforward.student import Student

Replay = Callable[["np.ndarray"], "np.ndarray"]
"""What was written, run from its files as a user would: x `[B, T]` int64 or `[B, T, C]` float32 to
the parameters `[B, N, P]` of the last N outputs, from the empty memory; N is T or 1."""


@dataclass(frozen=True)
class Shipment:
    """What is exported."""

    student: "Student"
    """Exporters get it in evaluation mode, on the CPU, in single precision."""
    codec: "Codec"
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Of its run, as JSON: name, config, evaluation, facts; empty for a student's file."""
    int8: bool = False
    """Write weights of 8 bits, too."""


@dataclass(frozen=True)
class Exported:
    """What was written, and how to run it."""

    replays: Mapping[str, Replay]
    """By what people read: 'step by step', 'whole sequence'. Each must do what PyTorch does."""
    rounded: Mapping[str, Replay] = field(default_factory=dict)
    """Those that differ on purpose, weights of 8 bits: their loss is measured instead."""
    hint: str = ""
    """One line on how to use it; {place} stands for the folder."""


@dataclass(frozen=True)
class ExportEntry(Entry):
    """A row of `EXPORTS`: a function (Shipment, Path) -> Exported. The folder gets its name."""

    extra: str = ""
    """What to install for it, as pastforward[extra]; none when empty."""
    needs: tuple[str, ...] = ()
    """Modules of that extra."""
    has_int8: bool = False


EXPORTS: Registry[ExportEntry] = Registry(
    "export",
    {
        "torch": ExportEntry(
            "pastforward.inference.export.plain:export",
            summary="plain torch.nn module of the cells torch-rnn, torch-gru and torch-lstm: "
            "weights and one short file of code",
        ),
        "onnx": ExportEntry(
            "pastforward.inference.export.onnx:export",
            summary="ONNX, one step and for torch-* cells the whole sequence, for onnxruntime",
            extra="onnx",
            needs=("onnx", "onnxruntime", "onnxscript"),
            has_int8=True,
        ),
        "hf": ExportEntry(
            "pastforward.inference.export.hf:export",
            summary="a folder for Hugging Face's transformers: model, tokenizer, model card",
            extra="hf",
            needs=("transformers", "tokenizers"),
        ),
        "pt2": ExportEntry(
            "pastforward.inference.export.pt2:export",
            summary="compiled code for Python and C++, by AOTInductor; needs a C++ compiler",
        ),
    },
)
