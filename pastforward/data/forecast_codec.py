"""L1. Series of numbers as a network reads and writes them, and back to the units of the file.

    z_t = (v_t - mean) / std               by the training rows of each series
    d_t = z_t - z_{t-lag}                  the change; none at lag 0, where r = 0
    r_{t+1} = z_{t+1-lag} + decay * d_t    the reference that outputs are relative to
    y_t = (z_{t+1} - r_{t+1}) / error      what the network predicts at step t

x_t holds what is known after row t: d_t, how far z_t is from the mean of the longest season,
z_{t+1-s} of each season s (and twice the shortest) relative to z_t, and the calendar, covariates
and static columns of row t+1. Where row t was not seen, a mark says so and z_t is filled in: by a
rule where it is missing in the data, and by its reference where it lies ahead. So a network that
reads such rows predicts many rows ahead, step by step, without values that it drew itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from pastforward.errors import UsageError


@dataclass(frozen=True)
class ForecastCodec:
    """How series are read: columns, scales, the reference, and what is known ahead."""

    columns: tuple[str, ...]
    """C columns that are predicted."""
    series: tuple[str, ...]
    """Names of the series trained on; one of an empty name where rows have none."""
    mean: tuple[tuple[float, ...], ...]
    """`[series, C]`."""
    std: tuple[tuple[float, ...], ...]
    lag: int = 0
    """Outputs are relative to the value so many rows before: the last one at 1, a season; 0: none.
    """
    change: tuple[float, ...] = ()
    """`[C]`, standard deviation of d_t; none at lag 0."""
    decay: tuple[float, ...] = ()
    """`[C]`, of d_t from row to row."""
    error: tuple[float, ...] = ()
    """`[C]`, standard deviation of z_t - r_t."""
    seasons: tuple[int, ...] = ()
    """Rows after which a pattern comes again, rising."""
    calendar: tuple[str, ...] = ()
    """Names in `CALENDAR`, whose features of the next row are read."""
    known: tuple[str, ...] = ()
    """Covariates that are known ahead, with their scale."""
    known_mean: tuple[float, ...] = ()
    known_std: tuple[float, ...] = ()
    static: tuple[str, ...] = ()
    """Columns that tell series apart; numbers, or the words of `static_words`."""
    static_words: tuple[tuple[str, ...], ...] = ()
    """Words of each static column; none where it holds numbers."""
    frequency: str = ""
    """Step between rows as pandas writes it, as in 'h' or 'MS'; empty without dates."""
    time: str = ""
    """Column of dates; empty where there was none."""
    by: str = ""
    """Column that names the series; empty where there was none."""
    missing: str = "last"
    """By which rule missing values are filled in."""
    marked: bool = False
    """Does x_t say whether row t was seen?"""

    @property
    def first(self) -> int:
        """The first row t that has an x_t: all that it looks back to is there."""
        return max(self.lag, *(season - 1 for season in self.reread), 0)

    @property
    def reread(self) -> tuple[int, ...]:
        """Rows back at which the next one is looked up: each season, and the shortest one twice.

        Two of them tell how much the same row of a season changed.
        """
        return tuple(sorted({*self.seasons, *(2 * season for season in self.seasons[:1])}))

    @property
    def back(self) -> int:
        """Rows before a row that its reference needs."""
        return self.lag + 1 if self.lag else 0

    def scale(self, name: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation `[C]` of a series: those trained on, or its own where new.

        `values` `[N, C]` may hold NaN.
        """
        if name in self.series or len(self.series) == 1:
            place = self.series.index(name) if name in self.series else 0
            return np.array(self.mean[place]), np.array(self.std[place])
        std = np.nanstd(values, 0)
        return np.nanmean(values, 0), np.where(std > 0, std, 1.0)

    def inputs(
        self, z: Float[np.ndarray, "*lead rows channels"], ahead: Float[np.ndarray, "*lead next e"],
        seen: Bool[np.ndarray, "*lead rows"],
    ) -> Float[np.ndarray, "*lead steps inputs"]:  # fmt: skip
        """x_t of the rows t = first..N-1 of z `[..., N, C]`.

        `ahead` `[..., N + 1 or more, E]` holds features of each row that are known before it.
        """
        count, start = z.shape[-2], self.first
        now = z[..., start:, :]
        parts = [now]
        if self.lag:
            before = z[..., start - self.lag : count - self.lag, :]
            parts = [(now - before) / np.array(self.change)]
            if self.seasons:
                parts.append(now - _trailing_mean(z, self.seasons[-1])[..., -now.shape[-2] :, :])
        for season in self.reread:
            same = z[..., start + 1 - season : count + 1 - season, :]
            parts.append(same - now if self.lag else same)
        parts.append(ahead[..., start + 1 : count + 1, :])
        if self.marked:
            parts.append(1.0 - seen[..., start:, None])
        return np.concatenate(parts, -1)

    def unseen(
        self, z: Float[np.ndarray, "*lead rows channels"], origin: Int[np.ndarray, "*lead"]
    ) -> Float[np.ndarray, "*lead rows channels"]:
        """z with all rows after `origin` filled in by their references."""
        after = np.arange(z.shape[-2]) > origin[..., None]
        if not self.lag:
            return np.where(after[..., None], 0.0, z)
        found = z.copy()
        for row in range(max(self.back, int(origin.min()) + 1), z.shape[-2]):
            filled = self.references(found[..., row - self.back : row, :], 1)[..., 0, :]
            found[..., row, :] = np.where(after[..., row, None], filled, z[..., row, :])
        return found

    def outputs(
        self, after: Float[np.ndarray, "*lead steps channels"],
        z: Float[np.ndarray, "*lead rows channels"],
    ) -> Float[np.ndarray, "*lead steps channels"]:  # fmt: skip
        """y_t, of the rows `after`, that follow the last n rows of z; z may be filled in."""
        if not self.lag:
            return after
        return (after - self.references(z, after.shape[-2])) / np.array(self.error)

    def following(
        self, y: Float[np.ndarray, "*lead steps channels"],
        z: Float[np.ndarray, "*lead rows channels"],
    ) -> Float[np.ndarray, "*lead steps channels"]:  # fmt: skip
        """The rows that follow the last n ones of z, by outputs y that were predicted of them."""
        return y * np.array(self.error) + self.references(z, y.shape[-2]) if self.lag else y

    def references(self, z: np.ndarray, count: int) -> np.ndarray:
        """What the rows that follow the last `count` ones of z are relative to."""
        end, lag = z.shape[-2], self.lag
        base = z[..., end + 1 - lag - count : end + 1 - lag, :]
        change = z[..., end - count :, :] - z[..., end - lag - count : end - lag, :]
        return base + np.array(self.decay) * change

    def width(self, extra: int) -> int:
        """Channels of x_t, with `extra` features that are known ahead."""
        own = 1 + len(self.reread) + (self.lag > 0 and len(self.seasons) > 0)
        return own * len(self.columns) + extra + self.marked


def _trailing_mean(z: np.ndarray, count: int) -> np.ndarray:
    """Means of `count` rows `[..., N - count + 1, C]`, each at the last of them."""
    sums = np.cumsum(z, -2)
    sums = np.concatenate([np.zeros_like(sums[..., :1, :]), sums], -2)
    return (sums[..., count:, :] - sums[..., :-count, :]) / count


RULES = "last", "season", "mean"
"""How missing values are filled in: by rows before them alone, as a stream could."""


def filled(values: Float[np.ndarray, "rows channels"], rule: str, season: int, mean: np.ndarray):
    """Values `[N, C]` without NaN: the last value before, that of a season before, or the mean.

    Where there is none before, the mean `[C]`.
    """
    wrong = np.isnan(values)
    if not wrong.any():
        return values
    found = values.copy()
    if rule == "mean":
        return np.where(wrong, mean, values)
    back = season if rule == "season" and season else 1
    for row in np.flatnonzero(wrong.any(1)):
        source = found[row - back] if row >= back else mean
        found[row] = np.where(wrong[row], source, values[row])
    return found


def require_columns(codec: ForecastCodec, columns: Sequence[str], what: str) -> None:
    """Raise `UsageError` where data has other columns than those trained on."""
    if tuple(columns) != codec.columns:
        raise UsageError(
            f"{what} has the columns {', '.join(columns)}, not those of the codec given, "
            f"{', '.join(codec.columns)}; give the same ones."
        )
