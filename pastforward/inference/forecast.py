"""L3. Forecasts: paths drawn step by step, each output fed back with what is known of the next row.

A student reads the last rows of a series once, then streams: the time and memory of a step do not
grow with the history.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pastforward.data.forecast_codec import ForecastCodec
from pastforward.errors import UsageError
from pastforward.inference.sampling import PLAIN, draw, noise
from pastforward.student import Student


class History(NamedTuple):
    """What is known at B origins, standardised."""

    z: Float[np.ndarray, "origins rows channels"]
    """Rows up to the origin."""
    ahead: Float[np.ndarray, "origins next e"]
    """What is known ahead: of those rows and of all that are forecast."""


def rows_read(codec: ForecastCodec, length: int) -> int:
    """Rows of history that forecasts read: as many steps as in training, and what they look back to.
    """
    return codec.first + length


@torch.inference_mode()
def sample_paths(
    student: Student, codec: ForecastCodec, history: History, horizon: int, count: int,
    generator: torch.Generator,
) -> Float[np.ndarray, "origins paths horizon channels"]:  # fmt: skip
    """`count` paths of the `horizon` rows after each origin, standardised.

    Raises `UsageError` where outputs are no longer finite.
    """
    z, ahead = (np.repeat(part, count, 0) for part in history)
    back, kind = codec.first + 1, student.signature.outputs
    m = _remember(student, codec, history).repeat_interleave(count, 0)
    temperature = torch.tensor(PLAIN.temperature, device=m.device)
    start = z.shape[1]
    for step in range(horizon):
        u = noise(kind, (len(z),), generator, m)
        y = draw(kind, student.readout(m), u, temperature, PLAIN).cpu().numpy()
        z = np.concatenate([z, codec.following(y.astype(np.float64), z)[:, None]], 1)
        if step + 1 < horizon:
            seen = ahead[:, z.shape[1] - back : z.shape[1] + 1]
            m = student.step(m, _read(codec.inputs(z[:, -back:], seen), m)[:, 0])
    if not np.isfinite(z).all():
        raise UsageError(
            "The network's outputs became NaN or infinite, so nothing can be forecast; train it "
            "again, with a lower learning rate."
        )
    return z[:, start:].reshape(len(history.z), count, horizon, -1)


def _remember(student: Student, codec: ForecastCodec, history: History) -> Tensor:
    """The memory `[B, K, D]` at each origin."""
    m = student.start(len(history.z)).clone()
    x = _read(codec.inputs(history.z, history.ahead), m)
    return student(x, m)[1]


def _read(x: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(x.astype(np.float32)).to(like)
