"""L1. One series as a network reads it: standardised, without gaps, with what is known ahead."""

from dataclasses import dataclass

import numpy as np

from pastforward.data.forecast_codec import ForecastCodec, filled
from pastforward.data.panel import Measured
from pastforward.data.scaling import ahead


@dataclass(frozen=True)
class Encoded:
    """One series as the network reads it."""

    measured: Measured
    z: np.ndarray
    """`[N, C]`, standardised, without gaps."""
    ahead: np.ndarray
    """`[N + A, E]`, what is known of each row before it."""
    seen: np.ndarray
    """`[N]`, whether all columns of a row were measured."""
    first: int
    """Rows that the first x_t looks back to."""

    @property
    def steps(self) -> int:
        """Outputs that the series has: of the rows first + 1..N-1."""
        return max(0, len(self.z) - self.first - 1)


def encode(codec: ForecastCodec, one: Measured) -> Encoded:
    """A series by a codec; raises `UsageError` for words or covariates that it doesn't know."""
    mean, std = codec.scale(one.name, one.values)
    values = filled(one.values, codec.missing, codec.seasons[0] if codec.seasons else 0, mean)
    z, known = (values - mean) / std, ahead(codec, one)
    seen = np.isfinite(one.values).all(axis=1)
    return Encoded(one, z, known, np.asarray(seen), codec.first)


def row_ends(count: int) -> tuple[int, int]:
    """Rows at which training and validation rows of a series end."""
    return count - 2 * (count // 10), count - count // 10
