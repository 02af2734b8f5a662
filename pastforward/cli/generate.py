"""L6. `pastforward generate`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from pastforward.cli.parsing import parse

if TYPE_CHECKING:
    import torch

    from pastforward.data.codec import PixelCodec, SymbolCodec, TextCodec
    from pastforward.inference.sampling import Sampling
    from pastforward.inference.stream import Stream

DESCRIPTION = """\
Draw from a trained network. Text goes on from a prompt; of images, half-given ones are completed
and new ones drawn, into a PNG.

Examples:
  pastforward generate notes-smt+dmt --prompt "It was" --tokens 200 --temperature 0.7
  pastforward generate runs/notes-smt+dmt/student.safetensors --prompt "It was" --top-k 20
  pastforward generate digits/smt+dmt --out drawn.png --seed 3
  pastforward generate copy32-smt+dmt --prompt "3 1 4 1 5 2 6 5 3 5 0 7 7 3 2 3" --temperature 0
"""


@dataclass(frozen=True)
class GenerateOptions:
    """Options of `generate`."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Name or path of a run, or of a student's file."""
    prompt: str | None = None
    """Text to go on from; a new line when not given. Numbers for the symbols of a task."""
    tokens: int = 400
    """Symbols to draw."""
    temperature: float = 1.0
    """0 takes the most likely symbol, 1 draws as the network says."""
    top_k: int | None = None
    """Draw from this many most likely symbols only."""
    top_p: float | None = None
    """Draw from the fewest most likely symbols that hold this much probability together."""
    seed: int = 0
    """The same seed draws the same."""
    out: Path | None = None
    """Where to write; text is only shown when not given, images go to the run's folder."""


def main(argv: list[str]) -> None:
    """Draw, show or write."""
    options = parse(GenerateOptions, argv, "pastforward generate", DESCRIPTION)

    from pastforward.data.codec import PixelCodec, SeriesCodec
    from pastforward.errors import UsageError
    from pastforward.inference.stream import Stream
    from pastforward.runs.opening import find_student
    from pastforward.student_file import load_student

    if not 0 <= options.temperature < math.inf:
        raise UsageError(f"--temperature is {options.temperature}; give a number, 0 or above.")
    path = find_student(options.run)
    student, codec = load_student(path)
    if isinstance(codec, SeriesCodec):
        raise UsageError(f"{path} predicts series of numbers; use pastforward.Stream in Python.")
    if isinstance(codec, PixelCodec):
        _draw_images(path, Stream(student), codec, options)
    else:
        _write_text(path, Stream(student), codec, options)


def _write_text(
    path: Path, stream: "Stream", codec: "TextCodec | SymbolCodec", options: GenerateOptions
) -> None:
    from pastforward.files import write_atomically
    from pastforward.inference.writing import continue_text

    prompt = _usual_prompt(codec) if options.prompt is None else options.prompt
    arguments = (prompt, options.tokens, _generator(options), _sampling(options))
    joint = "" if hasattr(codec, "characters") else " "
    text = prompt + joint + continue_text(stream, codec, *arguments)
    if options.out is None:
        print(text)
        print(f"Drawn by: {path}")
    else:
        write_atomically(options.out, text.encode("utf-8", errors="surrogateescape"))
        print(f"Text: {options.out}")


def _draw_images(
    path: Path, stream: "Stream", codec: "PixelCodec", options: GenerateOptions
) -> None:
    from pastforward.analysis.samples import ImageSamples, draw_samples
    from pastforward.data.opening import open_data
    from pastforward.errors import UsageError
    from pastforward.report.charts import save_images
    from pastforward.training.folder import RunFolder

    if options.prompt is not None:
        raise UsageError("A prompt was given to a network of images; leave out --prompt.")
    source = open_data(RunFolder(path.parent).read_config().data)
    few = next(iter(source.held_out("test", 10, 10)))
    samples = draw_samples(stream.student, codec, few, options.seed, _sampling(options))
    assert isinstance(samples, ImageSamples)
    out = options.out or path.with_name("generated.png")
    save_images(out, samples)
    print("Rows: new images, completed ones (given pixels in blue), the originals.")
    print(f"Picture: {out}")


def _generator(options: GenerateOptions) -> "torch.Generator":
    import torch

    return torch.Generator().manual_seed(options.seed)


def _sampling(options: GenerateOptions) -> "Sampling":
    from pastforward.inference.sampling import Sampling

    return Sampling(options.temperature, options.top_k, options.top_p)


def _usual_prompt(codec: "TextCodec | SymbolCodec") -> str:
    """A new line where the text had any, else the first symbol."""
    characters = getattr(codec, "characters", None)
    if hasattr(codec, "characters") and (characters is None or "\n" in characters):
        return "\n"
    return codec.decode([0])
