"""L1. Data: `open_source` takes a name or a path and finds out what it is.

Names: digits, pydoc, copy, copy:64, reversed_copy:32, retrieval:128, hf:NAME. Paths: a text file
or folder, IDX images or a folder of them, .npy, .npz, .csv. Data already in memory goes through
`text_source`, `image_source` or `SeriesSource`.
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
from pastforward.data.opening import NAMES, open_data, open_source
from pastforward.data.series import SeriesSource
from pastforward.data.source import Source
from pastforward.data.text_files import text_source

__all__ = [
    "NAMES",
    "Codec",
    "DataConfig",
    "PixelCodec",
    "SeriesCodec",
    "SeriesSource",
    "Source",
    "SymbolCodec",
    "TextCodec",
    "codec_from_json",
    "codec_to_json",
    "image_source",
    "open_data",
    "open_source",
    "text_source",
]
