"""L6. Generate: draw text or images from a trained student."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch

from pastforward.analysis.samples import ImageSamples, draw_samples, new_images
from pastforward.data.codec import ForecastCodec, LabelCodec, PixelCodec, SymbolCodec, TextCodec
from pastforward.errors import UsageError
from pastforward.files import write_atomically
from pastforward.inference.sampling import PLAIN, Sampling
from pastforward.inference.stream import Stream
from pastforward.inference.writing import continue_text
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
    """Symbols to draw."""
    sampling: Sampling = PLAIN
    seed: int = 0


@dataclass(frozen=True)
class Drawn:
    """What was drawn, by whom, and where it was written."""

    student: Path
    text: str | None
    """Prompt and text; None of images."""
    path: Path | None
    rows: str = ""
    """What the rows of images are."""


def generate(
    name: str, drawing: Drawing, out: Path | None = None, allow: Collection[str] = (),
    source: str | None = None, allow_new_data: bool = False,
) -> Drawn:  # fmt: skip
    """Draw from the student of a run or in a file; images always go to a PNG.

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
    text = _text(student, codec, drawing)
    if out is not None:
        write_atomically(out, text.encode("utf-8", errors="surrogateescape"))
    return Drawn(path, text, out)


def _student_file(name: str) -> Path:
    """The student's file of a run; raises `UsageError` if there is none."""
    folder = find_run(name)
    require_finished(folder)
    return folder.student


def _text(student: Student, codec: TextCodec | SymbolCodec, drawing: Drawing) -> str:
    prompt = _default_prompt(codec) if drawing.prompt is None else drawing.prompt
    generator = torch.Generator().manual_seed(drawing.seed)
    text = continue_text(
        Stream(student), codec, prompt, drawing.tokens, generator, drawing.sampling
    )
    return prompt + ("" if isinstance(codec, TextCodec) else " ") + text


def _default_prompt(codec: TextCodec | SymbolCodec) -> str:
    """A new line where the text had any, else the first symbol."""
    if isinstance(codec, TextCodec) and (codec.characters is None or "\n" in codec.characters):
        return "\n"
    return codec.decode([0])
