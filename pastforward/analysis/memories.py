"""L4. Memories of several networks on the same held-out data, and samples for probes of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from pastforward.analysis.evaluate import frozen, on_device
from pastforward.analysis.probe import Sample
from pastforward.data.source import Source
from pastforward.memory import flat
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.types import Batch


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
    networks: dict[str, Student | Teacher],
    source: Source,
    split: str,
    limit: int,
    size: int = 64,
) -> Memories:
    """Memories of each network on the first `limit` sequences; a teacher's are its targets."""
    batches = list(source.held_out(split, size, limit))
    parts = [Batch(*(part.cpu() for part in batch)) for batch in batches]
    with frozen(*networks.values()):
        by = {
            name: torch.cat(list(_memories(network, batches))) for name, network in networks.items()
        }
    states = [source.states(part) for part in parts] if isinstance(source, HasStates) else [{}]
    return Memories(
        batch=Batch(*(torch.cat(column) for column in zip(*parts, strict=True))),
        by={name: memories.clone() for name, memories in by.items()},  # no inference tensors
        states={name: torch.cat([part[name] for part in states]) for name in states[0]},
    )


def _memories(network: Student | Teacher, batches: list[Batch]) -> Iterator[Tensor]:
    for batch in batches:
        x = on_device(batch, network).x
        memories = network.targets(x) if isinstance(network, Teacher) else network.rollout(x)
        yield flat(memories[:, 1:]).float().cpu()
