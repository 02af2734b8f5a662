"""L6. What is served: a student, what its inputs and outputs mean, facts and examples for the page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from pastforward.data.codec import (
    Codec,
    ForecastCodec,
    LabelCodec,
    PixelCodec,
    SeriesCodec,
    SymbolCodec,
    TextCodec,
)
from pastforward.errors import UsageError
from pastforward.inference.export.checking import eager, microseconds
from pastforward.outputs import class_probabilities, most_likely
from pastforward.runs.networks import require_finished
from pastforward.runs.opening import Run, open_run
from pastforward.serving.text import Pieces
from pastforward.student import Student
from pastforward.student_file import load_student
from pastforward.types import Flags, Tokens, checked

TEXT, IMAGE, SERIES, LABELS = "text", "image", "series", "labels"
_EXAMPLES = 12


@final
@dataclass(frozen=True)
class Served:
    """A student and its codec."""

    name: str
    student: Student
    codec: Codec
    examples: tuple[Any, ...] = ()
    """Held-out sequences, as the page's requests have them."""

    @property
    def view(self) -> str:
        """What the page shows; raises `UsageError` for a student that it can't show."""
        codec = self.codec
        if isinstance(codec, LabelCodec):
            return LABELS
        if self.student.is_autoregressive or isinstance(codec, PixelCodec):
            kinds = {TextCodec: TEXT, SymbolCodec: TEXT, PixelCodec: IMAGE, SeriesCodec: SERIES}
            if type(codec) in kinds:
                return kinds[type(codec)]
        what = self.student.signature
        raise UsageError(
            f"'{self.name}' reads {what.inputs} and writes {what.outputs}, which the page can't "
            "show; serve a student of text, images, series or labels, or use pastforward.Stream."
        )

    def pieces(self) -> Pieces | None:
        """Of text and symbols."""
        return Pieces(self.codec) if isinstance(self.codec, TextCodec | SymbolCodec) else None

    def begin(self) -> Tensor:
        """What a new sequence has read already, `[1, N]`: an image begins with a symbol."""
        first = [self.codec.levels] if isinstance(self.codec, PixelCodec) else []
        return torch.tensor([first], dtype=torch.long)

    def inputs(self, given: Any) -> Tensor:
        """x `[1, T]` or `[1, T, C]` of text, symbols or rows; raises `UsageError` for others."""
        reads: Codec = self.codec.inputs if isinstance(self.codec, LabelCodec) else self.codec
        if isinstance(given, str):
            if not isinstance(reads, TextCodec | SymbolCodec):
                raise UsageError("Text was given where numbers are read; give them as 'x'.")
            return torch.tensor([reads.encode(given)], dtype=torch.long)
        kind = self.student.signature.inputs
        if isinstance(kind, Tokens):
            good = isinstance(given, list) and all(type(v) is int for v in given)
            if not good or any(abs(v) >= 2**31 for v in given):
                raise UsageError("'x' is no list of whole numbers; give symbols [T].")
            return checked(kind, torch.tensor([given], dtype=torch.long), self.student.empty)
        try:
            values = np.asarray(given, dtype=np.float64).reshape(len(given), -1)
        except (TypeError, ValueError) as error:
            raise UsageError(f"'x' holds no numbers ({error}); give rows [T, C].") from error
        if values.shape[1] != kind.width:
            raise UsageError(f"'x' has {values.shape[1]} numbers a row; give {kind.width}.")
        assert isinstance(reads, SeriesCodec)
        with np.errstate(over="ignore"):
            read = torch.from_numpy(reads.encode(values)[None].astype(np.float32))
        return checked(kind, read, self.student.empty)

    def outputs(self, y: Tensor) -> list[Any]:
        """Drawn outputs `[B]` or `[B, C]` in the units of the data."""
        if isinstance(self.codec, SeriesCodec):
            return self.codec.decode(y.double().numpy()).tolist()
        return y.tolist()

    def answers(self, parameters: Tensor) -> list[Any]:
        """Of labels, after each step `[N, P]`: probabilities, or numbers in the data's units."""
        kind = self.student.signature.outputs
        if not isinstance(self.codec, LabelCodec):
            return []
        if isinstance(kind, Tokens | Flags):
            return class_probabilities(kind, parameters).tolist()
        return self.codec.decode(most_likely(kind, parameters).double().numpy()).tolist()

    def facts(self) -> dict[str, Any]:
        """What the page says of it, as JSON."""
        student, codec = self.student, self.codec
        found = {
            "name": self.name, "view": self.view, "examples": self.examples,
            "cell": type(student.cell).__name__, "slots": student.memory.slots,
            "width": student.memory.width, "length": student.signature.length,
            "parameters": sum(p.numel() for p in student.parameters()),
            "state_bytes": 4 * student.memory.size,
            "microseconds": round(microseconds(student, eager(student), 200), 1),
        }  # fmt: skip
        if isinstance(codec, LabelCodec):
            found["classes"] = codec.classes
            found["reads_text"] = isinstance(codec.inputs, TextCodec)
        if isinstance(codec, PixelCodec):
            found |= {"height": codec.height, "wide": codec.width, "levels": codec.levels}
        if isinstance(codec, SeriesCodec):
            found["columns"] = codec.columns
        return found


def open_served(
    name: str | Path, allow: Sequence[str] = (), source: str | None = None,
    allow_new_data: bool = False,
) -> Served:  # fmt: skip
    """The student of a run, or in a file; of a run whose data is there, with examples.

    Raises `UsageError` as `open_run` does, for a baseline, and for what can't be shown.
    """
    path, run = Path(name), None
    if not path.is_file():
        run = open_run(name, allow, source, allow_new_data)
        require_finished(run.folder)
        path = run.folder.student
    student, codec = load_student(path, next(iter(allow), None))
    called = path.stem if run is None else run.name
    served = Served(called, student.float(), codec, tuple(_examples(run, codec)))
    assert served.view
    return served


def _examples(run: Run | None, codec: Codec) -> Iterator[Any]:
    """Held-out sequences; none where the data is gone: the student alone is enough."""
    if run is None or isinstance(codec, ForecastCodec):  # `view` refuses series with dates
        return
    try:
        batch = next(iter(run.source.held_out("test", _EXAMPLES, _EXAMPLES)))
    except UsageError:
        return
    for x, y, mask in zip(*batch, strict=True):
        yield _example(codec, x[: int(mask.nonzero().max()) + 1], y, mask)


def _example(codec: Codec, x: Tensor, y: Tensor, mask: Tensor) -> Any:
    if isinstance(codec, PixelCodec):
        return {"x": y.tolist()}
    if isinstance(codec, TextCodec | SymbolCodec):
        return {"text": codec.decode(x[:48].tolist())}
    if isinstance(codec, SeriesCodec):
        return {"x": np.round(codec.decode(x.double().numpy()), 6).tolist()}
    assert isinstance(codec, LabelCodec)
    last = y[mask][-1]
    truth = codec.classes[int(last)] if codec.classes and last.dim() == 0 else last.tolist()
    if isinstance(codec.inputs, SeriesCodec):
        return {"x": codec.inputs.decode(x.double().numpy()).tolist(), "truth": truth}
    if isinstance(codec.inputs, TextCodec):
        return {"text": codec.inputs.decode(x.tolist()), "truth": truth}
    return {"x": x.tolist(), "truth": truth}
