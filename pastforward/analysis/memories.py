"""L4. Memories of several networks on the same held-out data, and what may be asked of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from pastforward.analysis.evaluate import frozen
from pastforward.analysis.probe import Sample
from pastforward.data.source import Source
from pastforward.memory import flat
from pastforward.rollout import rollout
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.types import Batch


@runtime_checkable
class HasStates(Protocol):
    """Data that knows what a perfect memory would hold."""

    def states(self, batch: Batch) -> dict[str, Tensor]:
        """True states after x_1..x_t by name, integers `[B, T]`."""
        ...


@dataclass(frozen=True)
class Memories:
    """m_1..m_T by whose they are, `[N, T, K * D]` in float32, with their sequences."""

    batch: Batch
    by: dict[str, Tensor]
    states: dict[str, Tensor]
    """True states by name, `[N, T]`; none where the data knows none."""

    def of_state(self, whose: str, state: str) -> Sample:
        """The true state after x_1..x_t asked of m_t, at every t."""
        targets = self.states[state]
        return Sample(self.by[whose], targets, torch.ones_like(targets, dtype=torch.bool))

    def of_future(self, whose: str, ahead: int) -> Sample:
        """y_{t+j-1} asked of m_t, j = `ahead`, where it counts; at j = 1 as the readout does."""
        gone = ahead - 1
        y, mask = self.batch.y.roll(-gone, 1), self.batch.mask.roll(-gone, 1)
        inside = torch.arange(y.shape[1]) < y.shape[1] - gone
        return Sample(self.by[whose], y, mask & inside)


def remember(
    networks: dict[str, Student | Teacher],
    source: Source,
    split: str,
    limit: int,
    size: int = 64,
) -> Memories:
    """What each network remembers of the first `limit` sequences: a teacher's are its labels."""
    batches = list(source.held_out(split, size, limit))
    parts = [Batch(*(part.cpu() for part in batch)) for batch in batches]
    with frozen(*networks.values()):
        by = {
            name: torch.cat(list(_memories(network, batches))) for name, network in networks.items()
        }
    states = [source.states(part) for part in parts] if isinstance(source, HasStates) else [{}]
    return Memories(
        batch=Batch(*(torch.cat(column) for column in zip(*parts, strict=True))),
        by={name: memories.clone() for name, memories in by.items()},
        states={name: torch.cat([part[name] for part in states]) for name in states[0]},
    )


def _memories(network: Student | Teacher, batches: list[Batch]) -> Iterator[Tensor]:
    device = next(network.parameters()).device
    for batch in batches:
        x = batch.x.to(device)
        own = network.targets(x) if isinstance(network, Teacher) else _alone(network, x)
        yield flat(own[:, 1:]).float().cpu()


def _alone(student: Student, x: Tensor) -> Tensor:
    return rollout(student.cell, student.start(len(x)), student.embed(x))
