"""L6. Generate: draw text or images from a trained student."""

import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import torch

from pastforward.analysis.samples import ImageSamples, draw_samples, new_images
from pastforward.data.codec import (
    ForecastCodec,
    LabelCodec,
    PixelCodec,
    SeriesCodec,
    SymbolCodec,
)
from pastforward.data.documents import unescaped
from pastforward.data.text_codec import AnyTextCodec, SymbolsOfText
from pastforward.errors import UsageError
from pastforward.files import write_atomically
from pastforward.inference.sampling import PLAIN, Sampling
from pastforward.inference.stream import Stream
from pastforward.inference.writing import stream_text, until
from pastforward.report.charts import save_images
from pastforward.runs.networks import require_finished
from pastforward.runs.opening import open_run
from pastforward.runs.places import find_run
from pastforward.student import Student
from pastforward.student_file import load_student

_IMAGES = 10


@dataclass(frozen=True)
class Drawing:
    """What is drawn, and how."""

    prompt: str | None = None
    """Text to go on from, a new line when None; of images none."""
    tokens: int = 400
    """Symbols to draw at most: text ends where its document does."""
    sampling: Sampling = PLAIN
    seed: int = 0
    stop: tuple[str, ...] = ()
    """Text ends before the first of these; \\n is a new line."""

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise UsageError(f"--tokens is {self.tokens}; give 1 or more.")
        if "" in self.stop:
            raise UsageError("--stop was given nothing; give text before which to stop.")


@dataclass(frozen=True)
class Drawn:
    """What was drawn, by whom, and where it was written."""

    student: Path
    text: str | None
    """Prompt and text; None of images."""
    path: Path | None
    rows: str = ""
    """What the rows of images are."""


Told = Callable[[str], object]


def _silent(text: str) -> None:
    pass


def given_prompt(word: str | None) -> str | None:
    """The prompt, read from the standard input where it is '-', without its last new line."""
    return sys.stdin.read().removesuffix("\n") if word == "-" else word


def generate(
    name: str, drawing: Drawing, out: Path | None = None, allow: Collection[str] = (),
    source: str | None = None, allow_new_data: bool = False, told: Told = _silent,
) -> Drawn:  # fmt: skip
    """Draw from the student of a run or in a file; images always go to a PNG.

    `told(text)` is called with the prompt, then with text as it comes.

    A file alone is enough; of a run's images some held-out ones are completed, too, for which its
    data is opened as `open_run` does. Raises `UsageError` where there is no student, for one of a
    series, and for a file that names code which is not in `allow`.
    """
    alone = Path(name).is_file()
    path = Path(name) if alone else _student_file(name)
    student, codec = load_student(path, next(iter(allow), None))
    if isinstance(codec, ForecastCodec):
        raise UsageError(
            f"{path} predicts series of numbers; draw from it with: pastforward forecast {name}"
        )
    if isinstance(codec, LabelCodec):
        raise UsageError(f"{path} predicts labels of sequences; use pastforward.Stream.")
    if isinstance(codec, PixelCodec):
        out = out or path.with_name("generated.png")
        if drawing.prompt is not None:
            raise UsageError("A prompt was given to a network of images; leave out --prompt.")
        if alone:
            save_images(out, new_images(student, codec, drawing.seed, drawing.sampling))
            return Drawn(path, None, out, "new images")
        run = open_run(path.parent, allow, source, allow_new_data)
        few = next(iter(run.source.held_out("test", _IMAGES, _IMAGES)))
        samples = draw_samples(student, codec, few, drawing.seed, drawing.sampling)
        assert isinstance(samples, ImageSamples)
        save_images(out, samples)
        return Drawn(
            path, None, out, "new images, completed ones (given pixels in blue), originals"
        )
    assert not isinstance(codec, SeriesCodec)  # those of forecasts were refused above
    text = _text(student, codec, drawing, told)
    if out is not None:
        write_atomically(out, text.encode("utf-8", errors="surrogateescape"))
    return Drawn(path, text, out)


def _student_file(name: str) -> Path:
    """The student's file of a run; raises `UsageError` if there is none."""
    folder = find_run(name)
    require_finished(folder)
    return folder.student


def _text(student: Student, codec: AnyTextCodec | SymbolCodec, drawing: Drawing, told: Told) -> str:
    prompt = _default_prompt(codec) if drawing.prompt is None else drawing.prompt
    generator = torch.Generator().manual_seed(drawing.seed)
    words = stream_text(Stream(student), codec, prompt, drawing.tokens, generator, drawing.sampling)
    shown = [prompt if isinstance(codec, SymbolsOfText) else f"{prompt} "]
    told(shown[0])
    for text in until(words, tuple(map(unescaped, drawing.stop))):
        told(text)
        shown.append(text)
    return "".join(shown)


def _default_prompt(codec: AnyTextCodec | SymbolCodec) -> str:
    """The end of the document before, a new line where the text had any, else the first symbol."""
    if isinstance(codec, SymbolsOfText):
        if codec.document_end:
            return codec.document_end
        if b"\n" in codec.pieces:
            return "\n"
    return codec.decode([0])
