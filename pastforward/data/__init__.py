"""L1. Data: `open_source` takes a name or a path and finds out what it is.

Names: digits, pydoc, hf:NAME and tasks, as copy, copy:64 or key_values:128,pairs=8,symbols=16, of
the families copy, reversed_copy, retrieval, key_values, stack, modular, parity, s5, recency and
primacy. Paths: a text file or folder, IDX images or a folder of them, .npy, .npz, .csv. Data that
is in memory goes through `text_source`, `image_source` or `SeriesSource`.
"""

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
from pastforward.data.images import image_source
from pastforward.data.opening import NAMES, family, open_data, open_source
from pastforward.data.series import SeriesSource
from pastforward.data.source import Source
from pastforward.data.tasks import TASKS, Task, TaskSource, axes
from pastforward.data.text_files import text_source

__all__ = [
    "NAMES",
    "TASKS",
    "Codec",
    "DataConfig",
    "PixelCodec",
    "SeriesCodec",
    "SeriesSource",
    "Source",
    "SymbolCodec",
    "Task",
    "TaskSource",
    "TextCodec",
    "axes",
    "codec_from_json",
    "codec_to_json",
    "family",
    "image_source",
    "open_data",
    "open_source",
    "text_source",
]
