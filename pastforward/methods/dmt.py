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
from pastforward.losses import masked_mean, transition_weights, variance_unexplained
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.outputs import kl, nll
from pastforward.rollout import rollout
from pastforward.student import Student
from pastforward.teacher.target_source import StoredTargets, TargetSource
from pastforward.types import AnyBatch, Batch, BatchWithRollout, BatchWithTargets


class _Targets(NamedTuple):
    empty: Tensor  # m_0 [B, 1, K, D]
    before: Tensor  # the label each step starts at [B, n, K, D]
    after: Tensor  # the label it should reach [B, n, K, D]


class DMT(RolloutMethod, ABC):
    """What both share: a student, an oracle that is not moved and the losses along a path."""

    def __init__(self, student: Student, target_source: TargetSource, config: DMTConfig) -> None:
        super().__init__(student)
        self.target_source, self.config = target_source, config
        # Stored labels cost nothing, so new sequences are as cheap as the same once more.
        self.replay_steps = 1 if isinstance(target_source, StoredTargets) else config.replay_steps

    @final
    def _path_losses(self, own: Tensor, targets: _Targets, batch: AnyBatch) -> Losses:
        """`own` holds m_0 and then the memory that the student reached at each step of `batch`."""
        config, kind = self.config, self.student.signature.outputs
        target = torch.cat([targets.empty, targets.after], 1)
        weight = F.pad(transition_weights(targets.before, targets.after), (1, 0), value=1.0)
        read = self.student.readout(own[:, 1:])
        terms = {
            "dynamics": (weight * variance_unexplained(own, target)).mean(),
            "readout": masked_mean(nll(kind, read, batch.y), batch.mask),
        }
        if config.distill:
            with torch.no_grad():
                wanted = self.target_source.readout(targets.after)
            terms["distill"] = masked_mean(kl(kind, wanted, read), batch.mask)
        total = torch.stack([getattr(config, name) * term for name, term in terms.items()]).sum()
        return Losses(total, {name: term.detach() for name, term in terms.items()})


def teacher_forced(config: DMTConfig) -> DMTConfig:
    """Several steps of SMT with frozen labels: windows start from labels and follow them in full.

    A student that one step of labels has taught gets lost within a few of its own, and a gradient
    through lost memories undoes what it has learned. Windows that grow stage by stage never let it
    get lost: each begins where the one before has learned to arrive.
    """
    return replace(config, on_policy_fraction=0.0, dynamics=1.0)


@final
class UnrollDMT(DMT):
    """The whole rollout from m_0 against all labels."""

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return length

    @torch.no_grad()
    def collect(self, batch: AnyBatch) -> BatchWithTargets:
        """See `Method`: labels."""
        return BatchWithTargets(*batch[:3], self.target_source.targets_of(batch))

    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        with torch.no_grad():
            targets = self.target_source.targets_of(batch)
        student = self.student
        own = rollout(self._step, student.start(len(targets)), student.embed(batch.x))
        parts = _Targets(targets[:, :1], targets[:, :-1], targets[:, 1:])
        return self._path_losses(own, parts, batch)


@final
class WindowDMT(DMT):
    """All k-step windows of a sequence in parallel."""

    def serial_calls(self, length: int) -> int:
        """See `Method`; each visit's share of the gradient-free rollout is included."""
        window = min(self.config.window, length)
        return window + (ceil(length / self.replay_steps) if self._runs_alone(length) else 0)

    @torch.no_grad()
    def collect(self, batch: AnyBatch) -> BatchWithRollout:
        """See `Method`: labels, and where the student gets alone; labels again if it need not."""
        targets = self.target_source.targets_of(batch)
        if not self._runs_alone(batch.mask.shape[1]):
            return BatchWithRollout(*batch[:3], targets, targets)
        e = self.student.embed(batch.x)
        return BatchWithRollout(
            *batch[:3], targets, rollout(self._step, self.student.start(len(e)), e)
        )

    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """See `Method`."""
        collected = batch if isinstance(batch, BatchWithRollout) else self.collect(batch)
        student, size, targets = self.student, batch.x.shape[0], collected.targets
        starts = self._starts(collected, generator)
        steps = self._steps(batch.mask.shape[1], generator).to(batch.x.device)
        windows = Batch(*(part[:, steps].flatten(0, 1) for part in batch[:3]))
        begin = self._begin(starts, steps[:, 0]).flatten(0, 1)
        own = rollout(self._step, begin, student.embed(windows.x))[:, 1:]
        own = own.unflatten(0, (size, -1)).flatten(1, 2)
        own = torch.cat([student.start(size, 1), own], 1)
        steps = steps.flatten()
        parts = _Targets(targets[:, :1], targets[:, steps], targets[:, steps + 1])
        return self._path_losses(own, parts, Batch(*(part[:, steps] for part in batch[:3])))

    def _starts(self, collected: BatchWithRollout, generator: torch.Generator) -> Tensor:
        """Memories `[B, T+1, K, D]` that windows may start from."""
        targets, own = collected.targets, collected.own
        if own is targets:
            return targets
        chosen = torch.rand(targets.shape[:2], generator=generator, device=targets.device)
        return torch.where((chosen < self.config.on_policy_fraction)[..., None, None], own, targets)

    def _runs_alone(self, length: int) -> bool:
        """Does a step look for memories of the student's own? A whole sequence starts at m_0."""
        return self.config.on_policy_fraction > 0 and self.config.window < length

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
        own = self.config.on_policy_fraction > 0
        empty = self.student.start(len(starts), len(first))
        at_zero = (first == 0)[:, None, None]
        return torch.where(at_zero, empty, starts[:, first]) if own else starts[:, first]
