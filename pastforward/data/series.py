"""L1. Series of numbers over time: each row predicted from those before it.

Rows of each series are split 80/10/10 in their order. A training window lies anywhere in the
training rows; a held-out one reads up to half its steps from earlier rows, which don't count.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, final

import numpy as np
import torch
from typing_extensions import override

from pastforward.data.encoded import Encoded, encode, row_ends
from pastforward.data.forecast_codec import ForecastCodec, require_columns
from pastforward.data.inputs import FARTHEST
from pastforward.data.label_references import references
from pastforward.data.panel import Panel, one_series
from pastforward.data.sampling import TRAIN, generator, portions
from pastforward.data.scaling import plain_codec, require_numbers
from pastforward.data.source import Source, Splits, held_out_index
from pastforward.errors import UsageError
from pastforward.types import Batch, Kind, Signature, Vectors

_SHORTEST = 4
_SOME = 50_000
"""Training outputs by which references are fitted, where windows differ in what they see."""
_AHEAD = 0.5
"""Of the training windows, those whose rows are not seen from some step on."""
MOST = 144
"""T where none is given: no more steps than these, and few enough for the training rows."""


class _Window(NamedTuple):
    series: int
    end: int
    """The output after its last one, of those of the series."""
    counted: int
    """Outputs that count, its last ones."""
    origin: int
    """Step after which no row is seen; T where all are."""


@final
class SeriesSource(Source):
    """Series: x_t tells of row t, y_t of the next one (`ForecastCodec`).

    x is float32 `[B, T, I]` and y `[B, T, C]`. Of an array without further ado both are rows,
    standardised.
    """

    codec: ForecastCodec

    def __init__(
        self, name: str, rows: np.ndarray | Panel, columns: tuple[str, ...] = (),
        length: int | None = None, how: str | Mapping[str, str] = "",
        codec: ForecastCodec | None = None,
        outputs: Kind | None = None,
    ) -> None:  # fmt: skip
        """`rows` `[N, C]` without missing values, or a panel; `how` tells how they were read,
        in a line or several with names.

        `codec` is that of series that a network was trained on, and scales these alike; by their
        own training rows, and without a reference, when None. `outputs` is the kind of y_t,
        Gaussians when None. Raises `UsageError` when rows are too few or not all finite, where the
        codec has other columns, or a column to find the scale of is constant.
        """
        panel = rows if isinstance(rows, Panel) else _as_panel(name, rows, columns)
        codec = plain_codec(name, panel) if codec is None else codec
        require_columns(codec, panel.names.columns, f"The series '{name}'")
        self.panel, self._how = panel, {"table": how} if isinstance(how, str) else how
        self.encoded = [encode(codec, one) for one in panel.series]
        extra = self.encoded[0].ahead.shape[1]
        self.parts = [_bounds(one, codec.first) for one in self.encoded]
        length = _fit_length(name, self.parts, codec, length)
        kind = outputs or Vectors(len(codec.columns))
        super().__init__(name, Signature(Vectors(codec.width(extra)), kind, length), codec)
        _require_near(name, self.encoded, codec)
        _require_measured(name, self.encoded, self.parts)

    @override
    def batch(self, seed: int, index: int, size: int) -> Batch:
        ends = np.cumsum(self._starts)
        random, steps = generator(seed, TRAIN, index), self.signature.length
        drawn = random.integers(0, ends[-1], size)
        series = np.searchsorted(ends, drawn, side="right")
        starts = drawn - (ends - self._starts)[series]
        origins = np.full(size, steps)
        if self.codec.marked:
            ahead = random.random(size) < _AHEAD
            origins = np.where(ahead, random.integers(steps // 4, steps, size), steps)
        both = zip(series, starts + steps, origins, strict=True)
        return self._cut([_Window(s, end, steps, origin) for s, end, origin in both])

    @override
    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        windows = self._windows[held_out_index(split)]
        return (self._cut(windows[p]) for p in portions(len(windows), size, limit))

    @override
    def content(self) -> Iterator[np.ndarray]:
        for one in self.panel.series:
            yield one.values
            yield one.known

    @override
    def references(self) -> dict[str, float]:
        # Of outputs: a reference that they are relative to is known to all predictors.
        return references(self.signature.outputs, self.targets(0), self.targets(2))

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "origin": f"{self.name}, standardised by its training rows",
            "kind": "series",
            "columns": list(self.codec.columns),
            **self._how,
            "rows": {k: sum(p[k] for p in self._row_counts) for k in Splits._fields},
            "sequences": dict(
                zip(Splits._fields, [None, *map(len, self._windows[1:])], strict=True)
            ),
            "missing values": self.panel.missing,
        }

    def targets(self, split: int) -> np.ndarray:
        """Outputs `[n, C]` of a split that count; of training ones some."""
        if self.codec.marked:
            size = max(1, _SOME // self.signature.length)
            train = iter([self.batch(0, 0, size)])
            batches = self.held_out(Splits._fields[split], size, 10**9) if split else train
            return np.concatenate([batch.y[batch.mask].numpy() for batch in batches])
        found = []
        for one, ends in zip(self.encoded, self.parts, strict=True):
            start, end = (k + one.first + 1 for k in ([0, *ends][split], ends[split]))
            if end > start:
                y = self.codec.outputs(one.z[start:end], one.z[: end - 1])
                found.append(y[one.seen[start:end]])
        return np.concatenate(found)

    @property
    def _row_counts(self) -> list[dict[str, int]]:
        ends = [[0, *(row_ends(len(one.z))), len(one.z)] for one in self.encoded]
        return [dict(zip(Splits._fields, np.diff(e).tolist(), strict=True)) for e in ends]

    @cached_property
    def _starts(self) -> np.ndarray:
        """Training windows of each series."""
        length = self.signature.length
        return np.array([max(0, ends[0] - length + 1) for ends in self.parts])

    @cached_property
    def _windows(self) -> list[list[_Window]]:
        """Windows of each split; none of the training split."""
        found: list[list[_Window]] = [[], [], []]
        length = self.signature.length
        for series, ends in enumerate(self.parts):
            for split in (1, 2):
                own = length - length // 2 if ends[0] >= length else length
                for start in range(ends[split - 1], ends[split], own):
                    end = min(start + own, ends[split])
                    one = self.encoded[series]
                    counts = one.seen[one.first + 1 :][start:end]
                    if end >= length and counts.any():
                        origins = (length, length - own) if self.codec.marked else (length,)
                        found[split] += [_Window(series, end, end - start, o) for o in origins]
        return found

    def _cut(self, windows: list[_Window]) -> Batch:
        length, back, codec = self.signature.length, self.codec.first, self.codec
        rows = [(self.encoded[w.series], slice(w.end - length, w.end + back + 1)) for w in windows]
        z = np.stack([one.z[at] for one, at in rows])
        known = np.stack([one.ahead[at] for one, at in rows])
        seen = np.stack([one.seen[at] for one, at in rows])
        origins = np.array([w.origin for w in windows]) + back
        own = np.array([w.counted for w in windows])[:, None]
        counts = seen[:, back + 1 :] & (np.arange(length) >= length - own)
        truth, z = z[:, back + 1 :], codec.unseen(z, origins)[:, :-1]
        seen = seen[:, :-1] & (np.arange(length + back) <= origins[:, None])
        x, y = codec.inputs(z, known, seen), codec.outputs(truth, z)
        return Batch(*(torch.from_numpy(a) for a in (np.float32(x), np.float32(y), counts)))


def _bounds(one: Encoded, first: int) -> tuple[int, int, int]:
    """Outputs at which train, valid and test of a series end."""
    count = len(one.z)
    train, valid = (max(0, end - first - 1) for end in row_ends(count))
    return train, valid, one.steps


def _as_panel(name: str, rows: np.ndarray, columns: tuple[str, ...]) -> Panel:
    require_numbers(name, rows, columns)
    return one_series(rows.astype(np.float64), columns)


def _fit_length(
    name: str, parts: list[tuple[int, int, int]], codec: ForecastCodec, length: int | None
) -> int:
    """T: `length`, or at most 144 so that training rows hold many windows.

    Raises `UsageError` where no series has rows enough for one, or to hold out.
    """
    longest = max(ends[0] for ends in parts)
    held = min(max(ends[split] - ends[split - 1] for ends in parts) for split in (1, 2))
    wanted = max(_SHORTEST, min(MOST, longest // 3)) if length is None else length
    if wanted < 1:
        raise UsageError(f"Length {wanted} was given for The series '{name}'; give at least 1.")
    if longest < wanted or held < 1:
        rows = max(ends[2] for ends in parts) + codec.first + 1
        back = f", looking back {codec.first} rows" if codec.first else ""
        advice = f"a length of at most {longest} or " if longest >= _SHORTEST and held else ""
        raise UsageError(
            f"The series '{name}' is {rows} rows long, too short for windows of {wanted} steps in "
            f"its first 80%{back}, and 10% each to hold out; give {advice}more rows."
        )
    return wanted


def _require_measured(name: str, encoded: list[Encoded], parts: list[tuple[int, int, int]]) -> None:
    """Refuse a split whose outputs are all missing: it has no loss."""
    for split, what in enumerate(Splits._fields):
        for one, ends in zip(encoded, parts, strict=True):
            start, end = (k + one.first + 1 for k in ([0, *ends][split], ends[split]))
            if one.seen[start:end].any():
                break
        else:
            raise UsageError(
                f"The series '{name}' has no measured row among those of its {what} part; give "
                "more rows, or fill in the missing ones."
            )


def _require_near(name: str, encoded: list[Encoded], codec: ForecastCodec) -> None:
    """Refuse rows that have no finite loss."""
    for one in encoded:
        far = np.argwhere(np.abs(one.z) > FARTHEST)
        if len(far):
            row, column = far[0]
            raise UsageError(
                f"The series '{name}' holds {one.measured.values[row, column]} in row {row}, "
                f"column '{codec.columns[column]}', counted from 0, more than {FARTHEST:g} "
                "standard deviations from the training rows; mend it or leave it out."
            )
