"""L1. What was understood of labelled data, for people: kinds, classes, lengths, splits."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pastforward.data.codec import LabelCodec, SeriesCodec
from pastforward.data.inputs import symbol_count
from pastforward.data.labelled_source import Part
from pastforward.data.meaning import CLASSES, FLAGS, Meaning

SPLITS = "train", "valid", "test"


def told(
    parts: Sequence[Part], meaning: Meaning, codec: LabelCodec, ends: tuple[int, ...], missing: int
) -> dict[str, Any]:
    """A JSON object; counts of classes are those of outputs that count, by split."""
    lengths = np.concatenate([part.lengths for part in parts])
    found: dict[str, Any] = {
        "kind": "labelled",
        "inputs": _inputs(codec),
        "steps": {
            "min": int(lengths.min()),
            "median": float(np.median(lengths)),
            "max": int(lengths.max()),
        },
        "buckets": list(ends),
        "targets": f"{meaning.kind}, {'one a step' if meaning.every_step else 'at the end'}",
        "sequences": {s: len(p.rows) for s, p in zip(SPLITS, parts, strict=True)},
        "missing values": missing,
    }
    if codec.classes:
        counts = [_counts(part, meaning).tolist() for part in parts]
        found["classes"] = {
            name: dict(zip(SPLITS, of, strict=True))
            for name, *of in zip(codec.classes, *counts, strict=True)
        }
    else:
        found["numbers"] = {"mean": list(codec.mean), "std": list(codec.std)}
    return found


def _inputs(codec: LabelCodec) -> dict[str, Any]:
    if isinstance(codec.inputs, SeriesCodec):
        return {"channels": list(codec.inputs.columns)}
    return {"symbols": symbol_count(codec.inputs)}


def _counts(part: Part, meaning: Meaning) -> np.ndarray:
    """`[K]`, outputs of each class, or with each flag."""
    y = part.whole.counted(part.rows)
    if meaning.kind == CLASSES:
        return np.bincount(meaning.codes(y), minlength=meaning.width)
    assert meaning.kind == FLAGS
    return y.reshape(len(y), -1).sum(0).astype(int)
