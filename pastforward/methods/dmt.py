"""L3. DAgger Memory Training: the student runs on its own memories, the teacher says where to go.

Encoder and decoder are frozen, or gone and the labels stored. The student is regressed to the label
of the next step from the memory that it really has, so errors do not compound. Labels already carry
long-range credit.
`UnrollDMT` is the paper's: the whole rollout, with its gradient. `WindowDMT` cuts the sequence into
windows of k steps that start from memories of the student's own rollout (or from labels), runs all
windows in parallel and keeps the gradient inside each: k serial steps with gradient, not T. Labels
and own memories are found once for all visits of a batch: memories are up to visits - 1 steps old.
"""

from abc import ABC
from dataclasses import replace
from math import ceil
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn import functional as F

from pastforward.config import DMTConfig
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.objectives import emphasis, masked_mean, unexplained
from pastforward.oracle import Oracle, StoredLabels
from pastforward.outputs import kl, nll
from pastforward.rollout import rollout
from pastforward.student import Student
from pastforward.types import AnyBatch, Batch, Collected, Labelled


class _Labels(NamedTuple):
    empty: Tensor  # m_0 [B, 1, K, D]
    before: Tensor  # the label each step starts at [B, n, K, D]
    after: Tensor  # the label it should reach [B, n, K, D]


class DMT(RolloutMethod, ABC):
    """What both share: a student, an oracle that is not moved and the losses along a path."""

    def __init__(self, student: Student, oracle: Oracle, config: DMTConfig) -> None:
        super().__init__(student)
        self.oracle, self.config = oracle, config
        # Stored labels cost nothing, so new sequences are as cheap as the same once more.
        self.visits = 1 if isinstance(oracle, StoredLabels) else config.visits

    @final
    def _path_losses(self, own: Tensor, labels: _Labels, batch: AnyBatch) -> Losses:
        """`own` holds m_0 and then the memory that the student reached at each step of `batch`."""
        config, kind = self.config, self.student.signature.outputs
        target = torch.cat([labels.empty, labels.after], 1)
        weight = F.pad(emphasis(labels.before, labels.after), (1, 0), value=1.0)
        read = self.student.readout(own[:, 1:])
        terms = {
            "dynamics": (weight * unexplained(own, target)).mean(),
            "readout": masked_mean(nll(kind, read, batch.y), batch.mask),
        }
        if config.distil:
            with torch.no_grad():
                wanted = self.oracle.readout(labels.after)
            terms["distil"] = masked_mean(kl(kind, wanted, read), batch.mask)
        total = torch.stack([getattr(config, name) * term for name, term in terms.items()]).sum()
        return Losses(total, {name: term.detach() for name, term in terms.items()})


def following(config: DMTConfig) -> DMTConfig:
    """Several steps of SMT with frozen labels: windows start from labels and follow them in full.

    A student that one step of labels has taught gets lost within a few of its own, and a gradient
    through lost memories undoes what it has learned. Windows that grow stage by stage never let it
    get lost: each begins where the one before has learned to arrive.
    """
    return replace(config, own=0.0, dynamics=1.0)


@final
class UnrollDMT(DMT):
    """The whole rollout from m_0 against all labels."""

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return length

    @torch.no_grad()
    def collect(self, batch: AnyBatch) -> Labelled:
        """See `Method`: labels."""
        return Labelled(*batch[:3], self.oracle.labels_of(batch))

    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        with torch.no_grad():
            labels = self.oracle.labels_of(batch)
        student = self.student
        own = rollout(self._step, student.start(len(labels)), student.embed(batch.x))
        parts = _Labels(labels[:, :1], labels[:, :-1], labels[:, 1:])
        return self._path_losses(own, parts, batch)


@final
class WindowDMT(DMT):
    """All k-step windows of a sequence in parallel."""

    def serial_calls(self, length: int) -> int:
        """See `Method`; each visit's share of the gradient-free rollout is included."""
        window = min(self.config.window, length)
        return window + (ceil(length / self.visits) if self._runs_alone(length) else 0)

    @torch.no_grad()
    def collect(self, batch: AnyBatch) -> Collected:
        """See `Method`: labels, and where the student gets alone; labels again if it need not."""
        labels = self.oracle.labels_of(batch)
        if not self._runs_alone(batch.mask.shape[1]):
            return Collected(*batch[:3], labels, labels)
        e = self.student.embed(batch.x)
        return Collected(*batch[:3], labels, rollout(self._step, self.student.start(len(e)), e))

    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        collected = batch if isinstance(batch, Collected) else self.collect(batch)
        student, size, labels = self.student, batch.x.shape[0], collected.labels
        starts = self._starts(collected, generator)
        steps = self._steps(batch.mask.shape[1], generator).to(batch.x.device)
        windows = Batch(*(part[:, steps].flatten(0, 1) for part in batch[:3]))
        begin = self._begin(starts, steps[:, 0]).flatten(0, 1)
        own = rollout(self._step, begin, student.embed(windows.x))[:, 1:]
        own = own.unflatten(0, (size, -1)).flatten(1, 2)
        own = torch.cat([student.start(size, 1), own], 1)
        steps = steps.flatten()
        parts = _Labels(labels[:, :1], labels[:, steps], labels[:, steps + 1])
        return self._path_losses(own, parts, Batch(*(part[:, steps] for part in batch[:3])))

    def _starts(self, collected: Collected, generator: torch.Generator) -> Tensor:
        """Memories `[B, T+1, K, D]` that windows may start from."""
        labels, own = collected.labels, collected.own
        if own is labels:
            return labels
        chosen = torch.rand(labels.shape[:2], generator=generator, device=labels.device)
        return torch.where((chosen < self.config.own)[..., None, None], own, labels)

    def _runs_alone(self, length: int) -> bool:
        """Does a step look for memories of the student's own? A whole sequence starts at m_0."""
        return self.config.own > 0 and self.config.window < length

    def _steps(self, length: int, generator: torch.Generator) -> Tensor:
        """Positions of the inputs of each window `[W, k]`: every k steps, shifted at random.

        Shifts go both ways and a window pushed over an edge is moved back inside, so that the first
        and last positions are left out in at most half of the steps.
        """
        window = min(self.config.window, length)
        shift = torch.randint(0, window, (1,), generator=generator, device=generator.device)
        first = shift.cpu() - window // 2 + window * torch.arange(length // window)
        return first.clamp(0, length - window)[:, None] + torch.arange(window)

    def _begin(self, starts: Tensor, first: Tensor) -> Tensor:
        """Starting memories `[B, W, K, D]`; at t = 0 it is m_0 itself, which then learns."""
        own = self.config.own > 0
        empty = self.student.start(len(starts), len(first))
        at_zero = (first == 0)[:, None, None]
        return torch.where(at_zero, empty, starts[:, first]) if own else starts[:, first]
