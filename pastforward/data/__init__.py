"""L1. Data: `open_source` takes a name or a path and finds out what it is.

Names: digits, pydoc, copy, copy:64, retrieval, retrieval:128.
"""

from collections.abc import Callable

from pastforward.config import DataConfig
from pastforward.data.codec import (
    Codec,
    PixelCodec,
    SeriesCodec,
    SymbolCodec,
    TextCodec,
    codec_from_json,
    codec_to_json,
)
from pastforward.data.embedded import digits, pydoc
from pastforward.data.source import Source, Splits
from pastforward.data.tasks import TASKS, TaskSource
from pastforward.types import UsageError, nearest


def open_source(name_or_path: str, length: int | None = None) -> Source:
    """A source by name or path, with T = `length` or one chosen from the data.

    Raises UsageError when there is no such data, or it cannot be read.
    """
    return open_data(DataConfig(source=name_or_path, length=length))


def open_data(config: DataConfig) -> Source:
    """The source that `config` describes; UsageError when there is none."""
    name, _, suffix = config.source.partition(":")
    if name in NAMES:
        return NAMES[name](_length(config, suffix))
    raise UsageError(f"There is no data '{config.source}'; {nearest(name, NAMES)}.")


def _length(config: DataConfig, suffix: str) -> int | None:
    if not suffix:
        return config.length
    if not suffix.isdecimal() or config.length not in (None, int(suffix)):
        raise UsageError(
            f"Data '{config.source}' was given with length {config.length}; give one length, a "
            "number, as in 'copy:32'."
        )
    return int(suffix)


def _digits(length: int | None) -> Source:
    source = digits()
    if length not in (None, 64):
        raise UsageError(f"Length {length} was given for 'digits'; its images have 64 pixels.")
    return source


def _task(name: str) -> Callable[[int | None], Source]:
    build, usual = TASKS[name]
    return lambda length: TaskSource(build(usual if length is None else length))


NAMES: dict[str, Callable[[int | None], Source]] = {
    "digits": _digits,
    "pydoc": pydoc,
    **{name: _task(name) for name in TASKS},
}

__all__ = [
    "NAMES",
    "Codec",
    "DataConfig",
    "PixelCodec",
    "SeriesCodec",
    "Source",
    "Splits",
    "SymbolCodec",
    "TextCodec",
    "codec_from_json",
    "codec_to_json",
    "open_data",
    "open_source",
]
