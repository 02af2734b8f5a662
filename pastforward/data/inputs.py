"""L1. What inputs of labelled sequences are: symbols, text or vectors, found from the arrays."""

from typing import Any, final

import numpy as np

from pastforward.data.codec import InputCodec, SeriesCodec, SymbolCodec, TextCodec
from pastforward.data.sequences import Sequences
from pastforward.data.targets import Given, Whole
from pastforward.errors import UsageError

_MOST_SYMBOLS = 65_536
_MOST_CHARACTERS = 128
_LARGEST = 1e100
"""Squares of much larger numbers overflow, and the standard deviation with them."""


FARTHEST = 1e9
"""Standard deviations from the training mean that a number may lie: squares stay far from overflow.
"""


def spread(std: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Standard deviations `[C]`; the range where squares of tiny numbers underflow to less."""
    # No deviation is below a millionth of the range in fewer than 10^12 numbers.
    return np.where(std > 1e-6 * (high - low), std, high - low)


def texts_as_symbols(
    givens: list[Given], known: InputCodec | None = None
) -> tuple[list[Given], TextCodec | None]:
    """Strings in x as symbols: of `known` if it is a codec of text, else characters or bytes.

    Characters where they are few; other x is left as it is.
    """
    if not isinstance(_first(givens[0].x), str):
        return givens, None
    texts = [[str(one) for one in given.x] for given in givens]
    characters = "".join(sorted(set().union(*(set(one) for part in texts for one in part))))
    codec = TextCodec(characters if len(characters) <= _MOST_CHARACTERS else None)
    codec = known if isinstance(known, TextCodec) else codec
    smallest = np.min_scalar_type(codec.size - 1)
    encoded = [[np.array(codec.encode(one), smallest) for one in part] for part in texts]
    return [g._replace(x=x) for g, x in zip(givens, encoded, strict=True)], codec


def _first(x: Any) -> Any:
    """The first sequence; None where there is none, or x is a single number."""
    try:
        return x[0] if len(x) else None
    except TypeError:
        return None


def input_codec(
    parts: list[tuple[Whole, np.ndarray]], fill: bool, columns: tuple[str, ...] = ()
) -> tuple[SymbolCodec | SeriesCodec, int]:
    """Codec of the inputs, and how many values are missing, by parts and their rows, train first.

    `fill` allows for missing values. Raises `UsageError` for values that are no symbols and not
    finite, and for parts that differ.
    """
    first = parts[0][0]
    for whole, _ in parts[1:]:
        if whole.x.shape != first.x.shape or is_symbols(whole.x) != is_symbols(first.x):
            raise UsageError(
                f"{whole.where}x holds {whole.x.dtype} of shape {whole.x.shape} a step, but x of "
                f"training {first.x.dtype} of {first.x.shape}; give the same channels in all parts."
            )
    if is_symbols(first.x):
        return SymbolCodec(max(_top(whole, rows) for whole, rows in parts) + 1), 0
    fitted, missing = Moments(int(np.prod(first.x.shape, dtype=int))), 0
    for number, (whole, rows) in enumerate(parts):
        moments = fitted if number == 0 else Moments(len(fitted.mean))
        for some, values in whole.x.chunks(rows):
            flat = values.reshape(len(values), -1)
            missing += _check(whole, some, flat, fill)
            moments.add(flat)
        moments.require_near(fitted, f"{whole.where}x")
    return SeriesCodec(columns or fitted.names(), *fitted.read()), missing


def as_before(
    name: str, found: SymbolCodec | SeriesCodec, known: InputCodec | None
) -> SymbolCodec | SeriesCodec:
    """The codec that a network was trained with, where it can read what was found; else `found`."""
    if isinstance(found, SymbolCodec) and isinstance(known, SymbolCodec):
        if found.size > known.size:
            raise UsageError(
                f"'{name}' holds the symbol {found.size - 1}, and the data trained on ended at "
                f"{known.size - 1}; put back the data that it was trained on."
            )
        return known
    if isinstance(found, SeriesCodec) and isinstance(known, SeriesCodec):
        return known if found.columns == known.columns else found
    return found


def is_symbols(x: Sequences) -> bool:
    """Are they integers without channels?"""
    return x.dtype.kind in "iub" and x.shape == ()


def symbol_count(codec: InputCodec) -> int:
    """How many symbols there are."""
    assert not isinstance(codec, SeriesCodec)
    return codec.size if isinstance(codec, TextCodec | SymbolCodec) else codec.levels


@final
class Moments:
    """Mean, standard deviation and range of each channel over chunks; NaN is left out."""

    def __init__(self, channels: int) -> None:
        self.count, self.mean, self.squares = (np.zeros(channels) for _ in range(3))
        self.low, self.high = np.full(channels, np.inf), np.full(channels, -np.inf)

    def add(self, values: np.ndarray) -> None:
        """Merge a chunk `[n, C]` by Chan's update of sums of squared deviations."""
        values = values.astype(np.float64)
        self.low = np.fmin(self.low, np.fmin.reduce(values))
        self.high = np.fmax(self.high, np.fmax.reduce(values))
        real = ~np.isnan(values)
        whole = bool(real.all())
        count = np.full(len(self.count), float(len(values))) if whole else real.sum(0)
        safe = np.maximum(count, 1)
        mean = (values if whole else np.where(real, values, 0)).sum(0) / safe
        values -= mean
        squares = np.einsum("nc,nc->c", *2 * [values if whole else np.where(real, values, 0)])
        total, shift = np.maximum(self.count + count, 1), mean - self.mean
        self.squares += squares + shift**2 * self.count * count / total
        self.mean += shift * count / total
        self.count += count

    def read(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation; 1 for a channel that never changes."""
        std = np.sqrt(self.squares / np.maximum(self.count, 1))
        std = spread(std, self.low, self.high)
        flat = (self.high <= self.low) | (std <= 1e-12 * np.abs(self.mean))
        return tuple(self.mean.tolist()), tuple(np.where(flat, 1.0, std).tolist())

    def require_near(self, fitted: "Moments", what: str) -> None:
        """Raise `UsageError` where a value lies beyond `FARTHEST` by what `fitted` has read."""
        mean, std = map(np.array, fitted.read())
        for ends in (self.low, self.high):
            far = np.isfinite(ends) & (np.abs(ends - mean) > FARTHEST * std)
            for channel in np.flatnonzero(far):
                raise UsageError(
                    f"{what} holds {ends[channel]} in channel {channel}, counted from 0, which is "
                    f"more than {FARTHEST:g} standard deviations from the mean "
                    f"{mean[channel]:.6g} of the training part; mend it or leave it out."
                )

    def names(self) -> tuple[str, ...]:
        """Channels by number, from 1."""
        return tuple(str(i + 1) for i in range(len(self.count)))


def _top(whole: Whole, rows: np.ndarray) -> int:
    found = [(int(v.min()), int(v.max())) for _, v in whole.x.chunks(rows)]
    low, high = min(v[0] for v in found), max(v[1] for v in found)
    if low < 0 or high >= _MOST_SYMBOLS:
        raise UsageError(
            f"{whole.where}x holds integers from {low} to {high}; give symbols from 0 to less than "
            f"{_MOST_SYMBOLS}, or floats for numbers."
        )
    return high


def _check(whole: Whole, rows: np.ndarray, values: np.ndarray, fill: bool) -> int:
    """How many values `[n, C]` are missing; `UsageError` where one is and may not be."""
    if values.dtype.kind not in "biuf":
        raise UsageError(f"{whole.where}x holds {values.dtype}; give numbers.")
    if values.dtype.kind != "f":
        return 0
    wrong = ~(np.abs(values) < min(_LARGEST, float(np.finfo(values.dtype).max)))
    if not wrong.any():
        return 0
    empty = np.isnan(values)
    if fill:
        wrong &= ~empty
    if wrong.any():
        index, channel = np.argwhere(wrong)[0]
        row, step = whole.x.place(rows, int(index))
        raise UsageError(
            f"{whole.where}x holds {values[index, channel]} in sequence {row}, step {step}, "
            f"channel {channel}, counted from 0; give finite numbers below {_LARGEST:g}, or read "
            "missing ones as means by --data.missing mean."
        )
    return int(empty.sum())
