"""L6. Generate: draw text or images from a trained student."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch

from pastforward.analysis.samples import ImageSamples, draw_samples
from pastforward.data.codec import LabelCodec, PixelCodec, SeriesCodec, SymbolCodec, TextCodec
from pastforward.data.opening import open_data
from pastforward.errors import UsageError
from pastforward.files import write_atomically
from pastforward.inference.sampling import PLAIN, Sampling
from pastforward.inference.stream import Stream
from pastforward.inference.writing import continue_text
from pastforward.report.charts import save_images
from pastforward.runs.foreign import require_allowed
from pastforward.runs.networks import require_finished
from pastforward.runs.places import find_run
from pastforward.student import Student
from pastforward.student_file import load_student
from pastforward.training.folder import RunFolder

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


def generate(
    name: str, drawing: Drawing, out: Path | None = None, allow: Collection[str] = ()
) -> Drawn:
    """Draw from the student of a run or in a file; images always go to a PNG.

    Raises `UsageError` where there is no student, for one of a series, and for a file that names
    code which is not in `allow`.
    """
    path = _student_file(name)
    student, codec = load_student(path, next(iter(allow), None))
    if isinstance(codec, SeriesCodec):
        raise UsageError(f"{path} predicts series of numbers; use pastforward.Stream in Python.")
    if isinstance(codec, LabelCodec):
        raise UsageError(f"{path} predicts labels of sequences; use pastforward.Stream.")
    if isinstance(codec, PixelCodec):
        out = out or path.with_name("generated.png")
        save_images(out, _images(path, student, codec, drawing, allow))
        return Drawn(path, None, out)
    text = _text(student, codec, drawing)
    if out is not None:
        write_atomically(out, text.encode("utf-8", errors="surrogateescape"))
    return Drawn(path, text, out)


def _student_file(name: str) -> Path:
    """The student's file of a run, or the file itself; raises `UsageError` if there is none."""
    if Path(name).is_file():
        return Path(name)
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


def _images(
    path: Path, student: Student, codec: PixelCodec, drawing: Drawing, allow: Collection[str]
) -> ImageSamples:
    if drawing.prompt is not None:
        raise UsageError("A prompt was given to a network of images; leave out --prompt.")
    folder = RunFolder(path.parent)
    config = folder.read_config()
    require_allowed(config, allow, folder.path)
    few = next(iter(open_data(config.data).held_out("test", _IMAGES, _IMAGES)))
    samples = draw_samples(student, codec, few, drawing.seed, drawing.sampling)
    assert isinstance(samples, ImageSamples)
    return samples


def _default_prompt(codec: TextCodec | SymbolCodec) -> str:
    """A new line where the text had any, else the first symbol."""
    if isinstance(codec, TextCodec) and (codec.characters is None or "\n" in codec.characters):
        return "\n"
    return codec.decode([0])
