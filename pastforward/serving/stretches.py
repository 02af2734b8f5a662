"""L6. Stretches of held-out series that the page goes on from, and the rows that are drawn."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from pastforward.analysis.forecasts.backtest import history_of
from pastforward.data.forecast_codec import ForecastCodec
from pastforward.data.series import SeriesSource, row_ends
from pastforward.inference.forecast import History

AHEAD = 80
"""Rows that can be drawn, where as many are known ahead."""


@dataclass(frozen=True)
class Stretch:
    """One series up to a held-out row."""

    codec: ForecastCodec
    history: History
    """Of one origin."""
    mean: np.ndarray
    std: np.ndarray

    def inputs(self) -> Tensor:
        """x `[1, T, I]` of its rows."""
        return _as_input(self.codec.inputs(*self.history))

    def rows(self) -> list[Any]:
        """In the units of the data."""
        return (self.history.z[0] * self.std + self.mean).round(6).tolist()

    @property
    def ahead(self) -> int:
        """Rows that can be drawn."""
        return self.history.ahead.shape[1] - self.history.z.shape[1]


@final
class Rows:
    """Rows that follow a stretch on several paths, drawn one after the other."""

    def __init__(self, stretch: Stretch, paths: int) -> None:
        self._of, self._back = stretch, stretch.codec.first + 1
        self._z = stretch.history.z.repeat(paths, 0)
        self._ahead = stretch.history.ahead.repeat(paths, 0)

    def feed(self, y: Tensor) -> Tensor:
        """The next input `[paths, I]`, from outputs y `[paths, C]` that were drawn."""
        codec, rows = self._of.codec, y.double().numpy()[:, None]
        self._z = np.concatenate([self._z, codec.following(rows, self._z)], 1)
        end = self._z.shape[1]
        known = self._ahead[:, end - self._back : end + 1]
        if known.shape[1] <= self._back:  # after the last row nothing more is asked
            known = np.pad(known, [(0, 0), (0, 1), (0, 0)], "edge")
        seen = np.ones((len(self._z), self._back), bool)
        return _as_input(codec.inputs(self._z[:, -self._back :], known, seen))[:, 0]

    def last(self) -> list[Any]:
        """The row drawn last, of each path, in the units of the data."""
        return (self._z[:, -1] * self._of.std + self._of.mean).tolist()


def stretches(source: SeriesSource, count: int) -> Iterator[Stretch]:
    """Some that end among the test rows, of all series alike."""
    codec, length = source.codec, source.signature.length
    for one in source.encoded[:count]:
        rows, least = len(one.z), codec.first + 2
        ahead = min(AHEAD, rows - row_ends(rows)[1]) if codec.known else AHEAD
        first, last = max(least, row_ends(rows)[1]), rows - (ahead if codec.known else 0)
        if last < first:
            continue
        mean, std = codec.scale(one.measured.name, one.measured.values)
        for origin in np.linspace(first, last, max(1, count // len(source.encoded)), dtype=int):
            history = history_of(codec, length, one, np.array([origin]), ahead)
            yield Stretch(codec, history, mean, std)


def _as_input(x: np.ndarray) -> Tensor:
    return torch.from_numpy(x.astype(np.float32))
