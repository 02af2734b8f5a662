"""L3. DAgger Memory Training (arXiv 2606.06479): the student corrected on its own memories.

Encoder and decoder are frozen, or absent and their targets stored. The student is regressed to the
target memory of the next step from the memory that it really has, so that errors do not compound
(DAgger: Ross, Gordon & Bagnell 2011, arXiv 1011.0686). The targets already carry long-range credit.

`UnrollDMT` is the paper's: the whole rollout with its gradient. `WindowDMT` cuts sequences into
windows of k steps, started from the student's own memories or from targets, and runs them in
parallel: k serial steps with gradient, not T. Targets and own memories are computed once for the
`replay_steps` optimiser steps on a batch, so own memories are up to `replay_steps` - 1 updates old.
"""

from abc import ABC
from dataclasses import replace
from math import ceil
from typing import final

import torch
from torch import Tensor
from typing_extensions import override

from pastforward.config import RunConfig
from pastforward.losses import mean_output_loss, mean_over_outputs, relevant
from pastforward.methods import DMTConfig
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.methods.transitions import Transitions, dynamics, losses_of, weighted_sum
from pastforward.outputs import divergence
from pastforward.student import Student
from pastforward.teacher.target_source import StoredTargets, TargetSource
from pastforward.types import AnyBatch, Batch, BatchWithRollout, BatchWithTargets


class DMT(RolloutMethod, ABC):
    """Abstract: a student, a frozen target source and the losses along a path."""

    def __init__(self, student: Student, target_source: TargetSource, config: DMTConfig) -> None:
        super().__init__(student)
        self.target_source, self.config = target_source, config
        # Stored targets cost nothing, so new sequences are as cheap as replayed ones.
        self.replay_steps = 1 if isinstance(target_source, StoredTargets) else config.replay_steps

    @final
    def _path_losses(self, own: Tensor, targets: Transitions, batch: AnyBatch) -> Losses:
        """`own` holds m_0 and then the memory that the student reached at each step of `batch`."""
        config, signature = self.config, self.student.signature
        read = self.student.readout(own[:, 1:])
        terms = {
            "dynamics": dynamics(own, targets),
            "readout": mean_output_loss(signature, read, batch.y, batch.mask),
        }
        if config.distill:
            with torch.no_grad():
                wanted = self.target_source.readout(targets.after)
            each = divergence(signature.outputs, wanted, read)
            terms["distill"] = mean_over_outputs(signature, each, batch.y, batch.mask)
        return losses_of(config, weighted_sum(config, terms), terms)


@final
class UnrollDMT(DMT):
    """The whole rollout from m_0 against all target memories."""

    @override
    @torch.no_grad()
    def collect(self, batch: AnyBatch) -> BatchWithTargets:
        return BatchWithTargets(*batch[:3], self.target_source.targets_of(batch))

    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        with torch.no_grad():
            targets = self.target_source.targets_of(batch)
        own = self.rollout(batch.x)
        parts = Transitions(targets[:, :1], targets[:, :-1], targets[:, 1:], relevant(batch.mask))
        return self._path_losses(own, parts, batch)


@final
class WindowDMT(DMT):
    """All windows of k steps of a sequence in parallel."""

    @override
    def serial_calls(self, length: int) -> int:
        """Each optimiser step's share of the rollout without gradient is included."""
        window = min(self.config.window, length)
        return window + (ceil(length / self.replay_steps) if self._needs_rollout(length) else 0)

    @override
    @torch.no_grad()
    def collect(self, batch: AnyBatch) -> BatchWithRollout:
        """Targets and the student's own memories; targets twice where no rollout is needed."""
        targets = self.target_source.targets_of(batch)
        own = self.rollout(batch.x) if self._needs_rollout(batch.mask.shape[1]) else targets
        return BatchWithRollout(*batch[:3], targets, own)

    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        collected = batch if isinstance(batch, BatchWithRollout) else self.collect(batch)
        size, targets, used = batch.x.shape[0], collected.targets, relevant(batch.mask)
        steps, inside = self._steps(used, generator)  # before numbers are drawn for every step
        starts = self._starts(collected, generator)
        x = batch.x[:, steps].flatten(0, 1)
        own = self.rollout(x, self._begin(starts, steps[:, 0]).flatten(0, 1))[:, 1:]
        own = own.unflatten(0, (size, -1)).flatten(1, 2)
        own = torch.cat([self.student.start(size, 1), own], 1)
        steps, inside = steps.flatten(), inside.flatten()
        seen = Batch(batch.x[:, steps], batch.y[:, steps], batch.mask[:, steps] & inside)
        parts = Transitions(
            targets[:, :1], targets[:, steps], targets[:, steps + 1], used[:, steps] & inside
        )
        return self._path_losses(own, parts, seen)

    def _starts(self, collected: BatchWithRollout, generator: torch.Generator) -> Tensor:
        """Memories `[B, T+1, K, D]` that windows may start from."""
        targets, own = collected.targets, collected.own
        if own is targets:
            return targets
        uniform = torch.rand(targets.shape[:2], generator=generator, device=targets.device)
        on_policy = uniform < self.config.on_policy_fraction
        return torch.where(on_policy[..., None, None], own, targets)

    def _needs_rollout(self, length: int) -> bool:
        """Do windows start from the student's memories? One of the whole sequence starts at m_0."""
        return self.config.on_policy_fraction > 0 and self.config.window < length

    def _steps(self, used: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Positions of the inputs of each window `[W, k]`: every k steps, shifted at random.

        Shifts go both ways, and a window beyond either end is moved back inside: so the first and
        last positions are trained in at least half of the steps. The end is that of the longest
        sequence without its padding, by `used` `[B, T]`; windows left over by that are False in
        the second result, of the same shape.
        """
        length, longest = used.shape[1], used.any(0).sum()
        window = min(self.config.window, length)
        shift = torch.randint(0, window, (1,), generator=generator, device=generator.device)
        number = torch.arange(length // window, device=used.device)
        first = shift.to(used.device) - window // 2 + window * number
        first = first.clamp(min=0).minimum((longest - window).clamp(min=0))
        steps = first[:, None] + torch.arange(window, device=used.device)
        inside = number < (longest // window).clamp(min=1)
        return steps, inside[:, None].expand_as(steps)

    def _begin(self, starts: Tensor, first: Tensor) -> Tensor:
        """Starting memories `[B, W, K, D]`; on-policy, that of t = 0 is the learned m_0 itself."""
        if self.config.on_policy_fraction == 0:
            return starts[:, first]
        empty = self.student.start(len(starts), len(first))
        return torch.where((first == 0)[:, None, None], empty, starts[:, first])


def build_window_dmt(network: Student, teacher: TargetSource, config: RunConfig) -> WindowDMT:
    """'dmt' of `METHODS`."""
    return WindowDMT(network, teacher, config.dmt)


def build_unroll_dmt(network: Student, teacher: TargetSource, config: RunConfig) -> UnrollDMT:
    """'dmt-unroll' of `METHODS`."""
    return UnrollDMT(network, teacher, config.dmt)


def build_teacher_forced(network: Student, teacher: TargetSource, config: RunConfig) -> WindowDMT:
    """'teacher-forced' of `METHODS`: windows start from targets; the dynamics loss is at weight 1.

    A student that has learned single steps drifts off within a few steps of its own, and gradients
    through memories that are far off undo what it learned. Growing windows keep it near.
    """
    return WindowDMT(network, teacher, replace(config.dmt, on_policy_fraction=0.0, dynamics=1.0))
