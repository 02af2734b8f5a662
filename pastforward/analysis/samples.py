"""L4. Samples of what a student generates, for people to look at."""

from dataclasses import dataclass
from statistics import mean

import numpy as np
import torch
from torch import Tensor

from pastforward.analysis.forecasts.samples import SeriesSamples
from pastforward.analysis.label_samples import LabelSamples
from pastforward.baselines.base import Network
from pastforward.data.codec import (
    Codec,
    ForecastCodec,
    LabelCodec,
    PixelCodec,
    SeriesCodec,
    SymbolCodec,
)
from pastforward.data.text_codec import SymbolsOfText
from pastforward.inference.sampling import PLAIN, Sampling
from pastforward.inference.stream import Stream
from pastforward.inference.writing import complete_images, continue_text, draw_images
from pastforward.outputs import most_likely
from pastforward.student import Student
from pastforward.types import Batch

_PROMPT, _TEXT = 48, 400
_IMAGES, _ROWS, _STEPS = 10, 4, 48


@dataclass(frozen=True)
class ImageSamples:
    """Grey values in [0, 1], `[N, H, W]` each; completed images begin like the originals."""

    new: np.ndarray
    completed: np.ndarray
    original: np.ndarray
    given: int
    """Pixels, row by row, that were given of each completed image."""


Samples = str | ImageSamples | LabelSamples | SeriesSamples


def draw_samples(
    network: Network, codec: Codec, held_out: Batch, seed: int = 0, sampling: Sampling = PLAIN
) -> Samples | None:
    """Samples that suit the codec, the same for the same seed.

    Images: new ones, and the second halves of held-out ones. Text: the start of a held-out
    sequence, continued. Both None for a baseline. Symbols: given, expected and predicted ones of
    some sequences. None for labels and series, of which batches don't tell enough.
    """
    if isinstance(codec, LabelCodec | SeriesCodec | ForecastCodec):
        return None
    if isinstance(codec, SymbolCodec):
        return _rows(network, Batch(*(part[:_ROWS] for part in held_out)))
    if not isinstance(network, Student):
        return None
    generator = torch.Generator(network.empty.device).manual_seed(seed)
    stream = Stream(network)
    if isinstance(codec, PixelCodec):
        return _images(stream, codec, held_out.y[:_IMAGES], generator, sampling)
    assert isinstance(codec, SymbolsOfText)
    size = max(1, _PROMPT // round(max(1.0, mean(map(len, codec.pieces)))))
    prompt = codec.decode(held_out.x[0, :size].tolist())
    return prompt + continue_text(stream, codec, prompt, _TEXT, generator, sampling)


def new_images(
    student: Student, codec: PixelCodec, seed: int = 0, sampling: Sampling = PLAIN
) -> ImageSamples:
    """New images alone, which need no data; none are completed."""
    generator = torch.Generator(student.empty.device).manual_seed(seed)
    drawn = draw_images(Stream(student), codec, _IMAGES, generator, sampling)
    none = np.zeros((0, codec.height, codec.width))
    return ImageSamples(np.stack([codec.decode(one) for one in drawn.tolist()]), none, none, 0)


def _images(
    stream: Stream, codec: PixelCodec, pixels: Tensor, generator: torch.Generator,
    sampling: Sampling,
) -> ImageSamples:  # fmt: skip
    given = codec.width * (codec.height // 2)
    new = draw_images(stream, codec, len(pixels), generator, sampling)
    completed = complete_images(stream, codec, pixels[:, :given], generator, sampling)

    def greys(levels: Tensor) -> np.ndarray:
        return np.stack([codec.decode(image) for image in levels.tolist()])

    return ImageSamples(greys(new), greys(completed), greys(pixels), given)


@torch.inference_mode()
def _rows(network: Network, batch: Batch) -> str:
    """Three lines a sequence; a dot where no output counts."""
    x = batch.x.to(next(network.parameters()).device)
    predicted = most_likely(network.signature.outputs, network(x)[0])
    blocks = []
    for given, y, guess, mask in zip(batch.x, batch.y, predicted, batch.mask, strict=True):
        lines = {
            "given    ": _line(given, torch.ones_like(mask)),
            "expected ": _line(y, mask),
            "predicted": _line(guess, mask),
        }
        blocks.append("\n".join(f"{name} {line}" for name, line in lines.items()))
    return "\n\n".join(blocks)


def _line(values: Tensor, mask: Tensor) -> str:
    """The last steps of one sequence: tasks place their outputs there."""
    words = [str(value) for value in values.tolist()]
    shown = [w if keep else "." for w, keep in zip(words, mask.tolist(), strict=True)]
    width = max(map(len, words))
    return " ".join(word.rjust(width) for word in shown[-_STEPS:])
