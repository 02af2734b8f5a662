"""L4. Memories of held-out sequences, and linear probes of what they know."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from pastforward.analysis.evaluate import frozen, on_device
from pastforward.data.source import Source
from pastforward.memory import flat
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.types import Batch


class Sample(NamedTuple):
    """Memories `[N, T, S]`, the integers to predict `[N, T]` and where they count `[N, T]`."""

    memories: Tensor
    targets: Tensor
    counted: Tensor


@runtime_checkable
class HasStates(Protocol):
    """Data whose true state is known."""

    def states(self, batch: Batch) -> dict[str, Tensor]:
        """True states after x_1..x_t by name, integers `[B, T]`."""
        ...


@dataclass(frozen=True)
class Memories:
    """m_1..m_T by network, `[N, T, K * D]` in float32 on the CPU, with their sequences."""

    batch: Batch
    by: dict[str, Tensor]
    states: dict[str, Tensor]
    """True states by name, `[N, T]`; empty where the data knows none."""

    def of_state(self, whose: str, state: str) -> Sample:
        """Predict the true state after x_1..x_t from m_t, at every t."""
        targets = self.states[state]
        return Sample(self.by[whose], targets, torch.ones_like(targets, dtype=torch.bool))

    def of_future(self, whose: str, ahead: int) -> Sample:
        """Predict y_{t+j-1} from m_t, j = `ahead`, where it counts; j = 1 is the readout's task."""
        shift = ahead - 1
        y, mask = self.batch.y.roll(-shift, 1), self.batch.mask.roll(-shift, 1)
        inside = torch.arange(y.shape[1]) < y.shape[1] - shift
        return Sample(self.by[whose], y, mask & inside)


def remember(
    networks: dict[str, Student | Teacher], source: Source, split: str, limit: int, size: int = 64
) -> Memories:
    """Memories of each network on the first `limit` sequences; a teacher's are its targets."""
    batches = list(source.held_out(split, size, limit))
    parts = [Batch(*(part.cpu() for part in batch)) for batch in batches]
    with frozen(*networks.values()):
        by = {name: _joined(list(_memories(net, batches))) for name, net in networks.items()}
    states = [source.states(part) for part in parts] if isinstance(source, HasStates) else [{}]
    return Memories(
        batch=Batch(*(_joined(column) for column in zip(*parts, strict=True))),
        by={name: memories.clone() for name, memories in by.items()},  # no inference tensors
        states={name: torch.cat([part[name] for part in states]) for name in states[0]},
    )


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """`[N, T, ...]` of batches `[B, T_i, ...]`, with zeros up to the longest T_i."""
    whole = parts[0].new_zeros(
        sum(map(len, parts)), max(part.shape[1] for part in parts), *parts[0].shape[2:]
    )
    for place, part in zip(whole.split([len(part) for part in parts]), parts, strict=True):
        place[:, : part.shape[1]] = part
    return whole


def _memories(network: Student | Teacher, batches: list[Batch]) -> Iterator[Tensor]:
    for batch in batches:
        x = on_device(batch, network).x
        memories = network.targets(x) if isinstance(network, Teacher) else network.rollout(x)
        yield flat(memories[:, 1:]).float().cpu()


_ROWS = 4096
"""Memories that a probe is fitted to at most."""


@dataclass(frozen=True)
class Probe:
    """Accuracies on the tested split; None at a t where nothing counts."""

    accuracy: float
    majority: float
    """Of always predicting the most frequent class of the fitted split."""
    by_time: list[float | None]
    """At t = 1..T."""
    majority_by_time: list[float | None]
    """Of always predicting the most frequent class at that t in the fitted split."""
    classes: int


def linear_probe(fit: Sample, test: Sample) -> Probe:
    """Fit on one sample and test on the other."""
    rows, targets = _rows(fit)
    wanted, counted = test.targets.numpy(), test.counted.numpy()
    predicted = _predict(rows, targets, test.memories.flatten(0, 1).numpy())
    right = predicted.reshape(wanted.shape) == wanted
    at_time = np.stack([_most_frequent(fit, t) for t in range(wanted.shape[1])])
    return Probe(
        accuracy=float(right[counted].mean()),
        majority=float((wanted == np.bincount(targets).argmax())[counted].mean()),
        by_time=_by_time(right, counted),
        majority_by_time=_by_time(wanted == at_time, counted),
        classes=len(np.unique(targets)),
    )


def _rows(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """At most `_ROWS` memories `[n, S]` that count, evenly spread, and their classes `[n]`."""
    rows = sample.memories[sample.counted].numpy()
    targets = sample.targets[sample.counted].numpy()
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).round().astype(int)
    return rows[chosen], targets[chosen]


def _predict(rows: np.ndarray, targets: np.ndarray, queries: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(targets)) == 1:
        return np.full(len(queries), targets[0])
    mean, deviation = rows.mean(0), rows.std(0) + 1e-6
    model = LogisticRegression(max_iter=300)
    with warnings.catch_warnings():
        # Stopping short of convergence is fine: the model is a linear probe all the same.
        warnings.simplefilter("ignore")
        model.fit((rows - mean) / deviation, targets)
    return np.asarray(model.predict((queries - mean) / deviation))


def _most_frequent(sample: Sample, t: int) -> int:
    """The most frequent class at a time; -1, which is no class, where nothing counts."""
    targets = sample.targets[:, t][sample.counted[:, t]].numpy()
    return int(np.bincount(targets).argmax()) if len(targets) else -1


def _by_time(right: np.ndarray, counted: np.ndarray) -> list[float | None]:
    pairs = zip(right.T, counted.T, strict=True)
    return [float(r[c].mean()) if c.any() else None for r, c in pairs]
