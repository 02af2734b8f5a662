"""L1. Labelled sequences in memory: a class or numbers, at the end or at every step.

x and y stay the arrays that were given: what a batch needs of them is scaled and padded a batch at
a time. A shorter sequence is padded at its end, and nothing counts there.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, final

import numpy as np
import torch
from typing_extensions import override

from pastforward.data import LabelledConfig
from pastforward.data.codec import LabelCodec, SeriesCodec, SymbolCodec
from pastforward.data.sampling import epoch_examples, generator, portions
from pastforward.data.source import Source, held_out_index, symbol_references
from pastforward.types import Batch, Signature, Tokens, Vectors

Arrays = np.ndarray | Sequence[np.ndarray]
"""`[N, T]` or `[N, T, C]`, or N arrays `[T_i]` or `[T_i, C]` of several lengths."""


class Part(NamedTuple):
    """Sequences of a split: rows of arrays that splits may share."""

    x: Arrays
    y: Arrays
    """Codes of classes or numbers: `[N]`, `[N, C]` (at the end), or as x (at every step)."""
    lengths: np.ndarray
    """`[N]`, steps of each sequence."""
    rows: np.ndarray
    """`[n]`, which sequences belong to the split."""


@final
class LabelledSource(Source):
    """Sequences with targets; every epoch shows each training sequence once."""

    codec: LabelCodec

    def __init__(
        self, name: str, parts: tuple[Part, Part, Part], signature: Signature, codec: LabelCodec,
        every_step: bool,
    ) -> None:  # fmt: skip
        """`parts` are train, valid and test; `every_step` tells where targets stand."""
        super().__init__(name, signature, codec)
        self.parts, self.every_step = parts, every_step

    @override
    def batch(self, seed: int, index: int, size: int) -> Batch:
        train = self.parts[0]
        return self._cut(train, train.rows[epoch_examples(len(train.rows), seed, index, size)])

    @override
    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        part = self.parts[held_out_index(split)]
        return (self._cut(part, part.rows[p]) for p in portions(len(part.rows), size, limit))

    @override
    def references(self) -> dict[str, float]:
        kind = self.signature.outputs
        train, test = (self._counted(self.parts[i]) for i in (0, 2))
        if isinstance(kind, Tokens):
            counts = (np.bincount(y.astype(np.int64), minlength=kind.size) for y in (train, test))
            return symbol_references(*counts)
        mean, std = train.mean(0), train.std(0) + 1e-12
        loss = 0.5 * ((test - mean) / std) ** 2 + np.log(std) + 0.5 * math.log(2 * math.pi)
        return {"gaussian": float(loss.sum(-1).mean())}

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "origin": self.name,
            "kind": "labelled",
            "sequences": dict(
                zip(("train", "valid", "test"), (len(p.rows) for p in self.parts), strict=True)
            ),
        }

    def _cut(self, part: Part, rows: np.ndarray) -> Batch:
        """The sequences `rows`, as long as the longest of them."""
        lengths, length = part.lengths[rows], int(part.lengths[rows].max())
        x = self._padded(
            [self.codec.inputs_of(part.x[r][:n]) for r, n in zip(rows, lengths, strict=True)],
            length,
        )
        mask = np.arange(length) < lengths[:, None]
        if self.every_step:
            ys = [self.codec.scaled(part.y[r][:n]) for r, n in zip(rows, lengths, strict=True)]
            return Batch(x, self._padded(ys, length), torch.from_numpy(mask))
        last = np.arange(length) == lengths[:, None] - 1
        ends = np.stack([self.codec.scaled(np.asarray(part.y[r])) for r in rows])
        y = np.zeros((len(rows), length, *ends.shape[1:]), ends.dtype)
        y[last] = ends
        return Batch(x, torch.from_numpy(y), torch.from_numpy(last))

    @staticmethod
    def _padded(sequences: list[np.ndarray], length: int) -> torch.Tensor:
        """`[B, T]` or `[B, T, C]`, with zeros after the end of each."""
        first = sequences[0]
        whole = np.zeros((len(sequences), length, *first.shape[1:]), first.dtype)
        for row, one in zip(whole, sequences, strict=True):
            row[: len(one)] = one
        return torch.from_numpy(whole)

    def _counted(self, part: Part) -> np.ndarray:
        """All targets of a part, `[n]` or `[n, C]`."""
        ys = (np.asarray(part.y[r]) for r in part.rows)
        if self.every_step:
            return np.concatenate(
                [self.codec.scaled(y[:n]) for y, n in zip(ys, part.lengths[part.rows], strict=True)]
            )
        return np.stack([self.codec.scaled(y) for y in ys])


def labelled(
    x: Arrays, y: Arrays, *, lengths: Sequence[int] | None = None,
    valid: tuple[Arrays, Arrays] | None = None, test: tuple[Arrays, Arrays] | None = None,
    options: LabelledConfig | None = None, name: str = "arrays",
) -> LabelledSource:  # fmt: skip
    """Labelled sequences from arrays.

    x is ints `[N, T]` (symbols), floats `[N, T]` or `[N, T, C]` (vectors), or a list of arrays of
    several lengths. y is a class (ints, strings) or a number (floats) for each sequence, `[N]` or
    `[N, C]`, or for each step, `[N, T]`. `valid` and `test` are pairs (x, y); where missing, a
    tenth of the sequences each.
    """
    given = [pair for pair in ((x, y), valid, test) if pair is not None]
    y_all = np.concatenate([np.ravel(np.asarray(one)) for _, one in given])
    classes = () if y_all.dtype.kind == "f" else tuple(str(c) for c in np.unique(y_all))
    parts = _split(given, valid is not None, test is not None, lengths, classes)
    inputs = _input_codec(parts[0])
    every_step = np.ndim(y[0]) == 1 and len(y[0]) == len(x[0])
    codec = LabelCodec(inputs, classes, *_scale(parts[0], classes))
    outputs = (
        Tokens(len(classes))
        if classes
        else Vectors(max(1, np.size(y[0][0] if every_step else y[0])))
    )
    kind = Tokens(inputs.size) if isinstance(inputs, SymbolCodec) else Vectors(len(inputs.columns))
    longest = max(int(part.lengths.max()) for part in parts)
    return LabelledSource(name, parts, Signature(kind, outputs, longest), codec, every_step)


def _split(given, has_valid, has_test, lengths, classes) -> tuple[Part, Part, Part]:
    whole = []
    for i, (x, y) in enumerate(given):
        counts = np.array(lengths if lengths is not None and i == 0 else [len(row) for row in x])
        whole.append(Part(x, _codes(y, classes), counts, np.arange(len(x))))
    main, rest = whole[0], whole[1:]
    order = generator(0, 0, 0).permutation(len(main.rows))
    tenth = max(1, len(order) // 10)
    valid = rest.pop(0) if has_valid else None
    test = rest.pop(0) if has_test else None
    if valid is None:
        valid, order = main._replace(rows=order[:tenth]), order[tenth:]
    if test is None:
        test, order = main._replace(rows=order[:tenth]), order[tenth:]
    return main._replace(rows=np.sort(order)), valid, test


def _codes(y: Arrays, classes: tuple[str, ...]) -> Arrays:
    """Codes 0.. of classes; numbers as they are."""
    if not classes:
        return y
    index = {name: code for code, name in enumerate(classes)}
    if isinstance(y, np.ndarray):
        return np.vectorize(lambda one: index[str(one)], otypes=[np.int64])(y)
    return [
        np.array([index[str(one)] for one in np.atleast_1d(row)]).reshape(np.shape(row))
        for row in y
    ]


def _input_codec(train: Part) -> SymbolCodec | SeriesCodec:
    rows = [np.asarray(train.x[r][: train.lengths[r]]) for r in train.rows]
    if rows[0].dtype.kind in "iub" and rows[0].ndim == 1:
        return SymbolCodec(1 + int(max(row.max() for row in rows)))
    count = sum(len(row) for row in rows)
    rows = [row.reshape(len(row), -1) for row in rows]
    mean = np.sum([row.sum(0, dtype=np.float64) for row in rows], 0) / count
    variance = np.sum([((row - mean) ** 2).sum(0) for row in rows], 0) / count
    std = np.sqrt(variance)
    std = np.where(std > 0, std, 1.0)
    names = tuple(str(i + 1) for i in range(len(mean)))
    return SeriesCodec(names, tuple(mean.tolist()), tuple(std.tolist()))


def _scale(train: Part, classes: tuple[str, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if classes:
        return (), ()
    values = np.stack([np.asarray(train.y[r], dtype=np.float64).reshape(-1) for r in train.rows])
    mean, std = values.mean(0), values.std(0)
    return tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist())
