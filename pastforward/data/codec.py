"""L1. Codecs: from symbols to what people read, and back. A student's file has one as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pastforward.data.forecast_codec import ForecastCodec
from pastforward.data.text_codec import TextCodec, TokenCodec
from pastforward.errors import UsageError
from pastforward.files import from_json


@dataclass(frozen=True)
class PixelCodec:
    """Images read row by row, as grey levels 0 (black) to `levels` - 1 (white)."""

    height: int
    width: int
    levels: int

    def encode(self, image: np.ndarray) -> list[int]:
        """An image `[H, W]` of greys in [0, 1] to H * W symbols; `UsageError` for another shape."""
        if image.shape != (self.height, self.width):
            raise UsageError(
                f"An image of shape {image.shape} was given; give one of shape "
                f"({self.height}, {self.width}), like those of training."
            )
        return quantise(image, self.levels).ravel().tolist()

    def decode(self, symbols: Sequence[int]) -> np.ndarray:
        """H * W symbols to an image `[H, W]` of greys in [0, 1]; `UsageError` for another count."""
        if len(symbols) != self.height * self.width:
            raise UsageError(
                f"{len(symbols)} pixels were given; an image of {self.height} x {self.width} "
                f"needs {self.height * self.width}."
            )
        grey = np.asarray(symbols, dtype=np.float64) / (self.levels - 1)
        return grey.reshape(self.height, self.width)


@dataclass(frozen=True)
class SymbolCodec:
    """Symbols of the synthetic tasks, written as numbers with spaces between."""

    size: int

    def encode(self, text: str) -> list[int]:
        """Numbers to symbols; raises `UsageError` for anything but numbers 0..size-1."""
        words = text.split()
        wrong = [w for w in words if not w.isdecimal() or int(w) >= self.size]
        if wrong:
            raise UsageError(
                f"'{wrong[0]}' is no symbol; give numbers from 0 to {self.size - 1} with spaces "
                "between."
            )
        return [int(w) for w in words]

    def decode(self, symbols: Sequence[int]) -> str:
        """Symbols to numbers with spaces between."""
        return " ".join(str(int(s)) for s in symbols)


@dataclass(frozen=True)
class SeriesCodec:
    """Columns of numbers, standardised by their training part."""

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Values `[..., C]` in the file's units to what the network reads, of the same shape."""
        return (values - np.array(self.mean)) / np.array(self.std)

    def decode(self, vectors: np.ndarray) -> np.ndarray:
        """What the network writes, `[..., C]`, to the file's units."""
        return vectors * np.array(self.std) + np.array(self.mean)


InputCodec = TextCodec | PixelCodec | SymbolCodec | SeriesCodec


@dataclass(frozen=True)
class LabelCodec:
    """Labelled sequences: what inputs are, and what outputs are called."""

    inputs: InputCodec
    classes: tuple[str, ...] = ()
    """Names of the classes or flags, in the order of their codes; none for numbers."""
    mean: tuple[float, ...] = ()
    """`[C]` of numbers, by which they are standardised; none for classes."""
    std: tuple[float, ...] = ()

    def inputs_of(self, x: np.ndarray) -> np.ndarray:
        """One sequence as the network reads it: int64 `[T]` or float32 `[T, C]`.

        x is symbols `[T]`, or values `[T]` or `[T, C]` in the data's units.
        """
        if isinstance(self.inputs, SeriesCodec):
            with np.errstate(over="ignore"):  # networks refuse the infinity that it leaves
                return self.inputs.encode(x.reshape(len(x), -1)).astype(np.float32)
        return x.astype(np.int64)

    def encode(self, numbers: np.ndarray) -> np.ndarray:
        """Targets `[..., C]` in the data's units to what the network learns, float32."""
        return ((numbers - np.array(self.mean)) / np.array(self.std)).astype(np.float32)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Numbers that the network writes, `[..., C]`, to the data's units."""
        return outputs * np.array(self.std) + np.array(self.mean)


Codec = InputCodec | TokenCodec | LabelCodec | ForecastCodec

_KINDS = {
    "text": TextCodec, "tokens": TokenCodec, "pixels": PixelCodec, "symbols": SymbolCodec,
    "series": SeriesCodec, "labels": LabelCodec, "forecast": ForecastCodec,
}  # fmt: skip


def quantise(grey: np.ndarray, levels: int) -> np.ndarray:
    """Greys in [0, 1] to levels 0..levels-1, in bins of equal width."""
    return np.minimum(np.floor(grey * levels), levels - 1).astype(np.uint8)


def codec_to_json(codec: Codec) -> dict[str, Any]:
    """A codec as a JSON object; `codec_from_json` reads it."""
    kinds = {cls: name for name, cls in _KINDS.items()}
    content = {"kind": kinds[type(codec)], **asdict(codec)}
    if isinstance(codec, LabelCodec):
        content["inputs"] = codec_to_json(codec.inputs)
    if content.get("document_end", "") is None:  # as in files from before there were documents
        del content["document_end"]
    return content


def codec_from_json(data: dict[str, Any]) -> Codec:
    """The codec that `codec_to_json` wrote; raises `UsageError` for anything else."""
    try:
        fields = dict(data)
        kind = _KINDS[fields.pop("kind")]
        if kind is not LabelCodec:
            return from_json(kind, fields)
        inputs = codec_from_json(fields.pop("inputs"))
        if isinstance(inputs, LabelCodec | TokenCodec | ForecastCodec):
            raise ValueError("labels of what has none")
        names, mean, std = (fields.pop(name) for name in ("classes", "mean", "std"))
        return LabelCodec(
            inputs, tuple(map(str, names)), *(tuple(map(float, v)) for v in (mean, std))
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{str(data)[:80]} is no codec of pastforward; give what a run folder holds."
        ) from error
