"""L3. Forecasts: paths drawn step by step, each output fed back with what is known of the next row.

A student reads the last rows of a series once, then streams: the time and memory of a step do not
grow with the history.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
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
    seen: Bool[np.ndarray, "origins rows"]
    """Whether a row was measured."""


def rows_read(codec: ForecastCodec, length: int) -> int:
    """Rows of history that are read: as many steps as in training, and what they look back to."""
    return codec.first + length


@torch.inference_mode()
def marginals(
    student: Student, codec: ForecastCodec, history: History, horizon: int
) -> tuple[Tensor, np.ndarray]:
    """Output parameters `[B, horizon, P]`, and standardised references `[B, horizon, C]` or 0.

    Each is of a row given the history alone: rows ahead are not seen.
    """
    rows = history.z.shape[1]
    z = np.pad(history.z, [(0, 0), (0, horizon - 1), (0, 0)])
    z = codec.unseen(z, np.full(len(z), rows - 1))
    seen = np.pad(history.seen, [(0, 0), (0, horizon - 1)])
    m = student.start(len(z)).clone()
    parameters = student(_read(codec.inputs(z, history.ahead, seen), m), m)[0]
    references = codec.references(z, horizon) if codec.lag else np.zeros((len(z), horizon, 1))
    return parameters[:, -horizon:], references


@torch.inference_mode()
def sample_rows(
    student: Student, codec: ForecastCodec, history: History, horizon: int, count: int,
    generator: torch.Generator,
) -> Float[np.ndarray, "origins paths horizon channels"]:  # fmt: skip
    """`count` values of each of the `horizon` rows after each origin, standardised.

    Rows are drawn each by itself: the values of one path have nothing to do with each other.
    """
    parameters, references = marginals(student, codec, history, horizon)
    kind = student.signature.outputs
    parameters = parameters.unsqueeze(1).expand(-1, count, -1, -1)
    u = noise(kind, tuple(parameters.shape[:3]), generator, parameters)
    y = draw(kind, parameters, u, torch.tensor(1.0, device=parameters.device), PLAIN)
    scale = np.array(codec.error) if codec.lag else 1.0
    return _finite(y.cpu().numpy().astype(np.float64) * scale + references[:, None])


@torch.inference_mode()
def stream_paths(
    student: Student, codec: ForecastCodec, history: History, horizon: int, count: int,
    generator: torch.Generator,
) -> Float[np.ndarray, "origins paths horizon channels"]:  # fmt: skip
    """`count` paths of the `horizon` rows after each origin, standardised, drawn row by row.

    Each row that is drawn is read as the next input.
    """
    z, ahead = (np.repeat(part, count, 0) for part in history[:2])
    back, kind = codec.first + 1, student.signature.outputs
    m = student.start(len(history.z)).clone()
    m = student(_read(codec.inputs(*history), m), m)[1].repeat_interleave(count, 0)
    temperature, start = torch.tensor(1.0, device=m.device), z.shape[1]
    own = np.ones((len(z), back), bool)
    for step in range(horizon):
        u = noise(kind, (len(z),), generator, m)
        y = draw(kind, student.readout(m), u, temperature, PLAIN).cpu().numpy()
        z = np.concatenate([z, codec.following(y[:, None].astype(np.float64), z)], 1)
        if step + 1 < horizon:
            known = ahead[:, z.shape[1] - back : z.shape[1] + 1]
            m = student.step(m, _read(codec.inputs(z[:, -back:], known, own), m)[:, 0])
    return _finite(z[:, start:].reshape(len(history.z), count, horizon, -1))


def samples(
    way: str, student: Student, codec: ForecastCodec, history: History, horizon: int, count: int,
    generator: torch.Generator,
) -> Float[np.ndarray, "origins paths horizon channels"]:  # fmt: skip
    """`sample_rows` by 'rows', `stream_paths` by 'paths', or half of them each by 'both'."""
    given = student, codec, history, horizon
    if way == "rows":
        return sample_rows(*given, count, generator)
    if way == "paths":
        return stream_paths(*given, count, generator)
    rows = sample_rows(*given, count - count // 2, generator)
    return np.concatenate([rows, stream_paths(*given, count // 2, generator)], 1)


def coupled(rows: np.ndarray, paths: np.ndarray) -> np.ndarray:
    """The values of `rows` in the order of `paths`, both `[..., paths, horizon, C]`.

    Each row keeps its distribution, and rows come together as in the paths (ensemble copula
    coupling, Schefzik, Thorarinsdottir & Gneiting 2013).
    """
    ranks = paths.argsort(-3).argsort(-3)
    return np.take_along_axis(np.sort(rows, -3), ranks, -3)


def _finite(z: np.ndarray) -> np.ndarray:
    if not np.isfinite(z).all():
        raise UsageError(
            "The network's outputs became NaN or infinite, so nothing can be forecast; train it "
            "again, with a lower learning rate."
        )
    return z


def _read(x: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(x.astype(np.float32)).to(like)
