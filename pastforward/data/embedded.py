"""L1. Real data that needs no download: scikit-learn's digits, Python's own documentation."""

import sys

import numpy as np

from pastforward.data import EMBEDDED
from pastforward.data.codec import PixelCodec, TextCodec
from pastforward.data.configs import DataConfig
from pastforward.data.kinds import parse_name
from pastforward.data.pixels import PixelSource
from pastforward.data.sampling import contiguous, shuffled
from pastforward.data.source import Source, require_length
from pastforward.data.text import TextSource
from pastforward.errors import UsageError
from pastforward.registry import NoConfig


def open_embedded(config: DataConfig, options: NoConfig) -> Source:
    """The data set of `EMBEDDED` that `config` names; `UsageError` for a length it can't have."""
    name, length, axes = parse_name(config)
    if axes:
        raise UsageError(
            f"'{config.source}' was given, but only tasks have axes after a comma; give '{name}'."
        )
    return require_length(EMBEDDED.load(name)(length), length)


def digits(length: int | None = None) -> PixelSource:
    """1797 handwritten digits, 8 x 8 with 17 levels: T = 64; 1297 train, 200 valid, 300 test."""
    # scikit-learn takes a second to import.
    from sklearn.datasets import load_digits

    images = np.asarray(load_digits(return_X_y=True)[0], dtype=np.uint8)
    origin = "scikit-learn's load_digits, levels 0..16 as they are"
    return PixelSource("digits", shuffled(images, 1297, 200), PixelCodec(8, 8, 17), origin)


def pydoc(length: int | None = None) -> TextSource:
    """The help topics of this Python in alphabetical order, as bytes; T = `length` or 128."""
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in sorted(topics)).encode("utf-8")
    splits = contiguous(np.frombuffer(text, dtype=np.uint8))
    origin = f"pydoc_data.topics of Python {sys.version_info.major}.{sys.version_info.minor}"
    return TextSource("pydoc", splits, TextCodec(), length, origin)
