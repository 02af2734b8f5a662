"""L3. The random choices of an SMT step, and what a batch holds at the times chosen."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from pastforward.config import SMTConfig
from pastforward.memory import take
from pastforward.teacher.decoder import futures
from pastforward.types import AnyBatch, Batch, MemoryShape

_DIRECTIONS = 64
"""Enough to see every direction of a memory within a few steps."""


class SampledAnchors(NamedTuple):
    """The random choices of a step, drawn before the compiled part."""

    times: Tensor | None  # [B, n], t of the memory after each transition, in 1..T; None: all
    anchors: Tensor  # [B, A], transitions whose second memory decodes its future
    noise: Tensor | None  # [2, B, n, K, D], on the memories before and after
    directions: Tensor | None = None  # [S, K * D], along which labels are compared with a normal


def sample_anchors(
    config: SMTConfig, batch: AnyBatch, memory: MemoryShape, generator: torch.Generator
) -> SampledAnchors:
    """Times, anchors, noise and directions as `config` asks, from `generator` alone."""
    (count, length), device = batch.mask.shape, batch.x.device
    used = min(config.transitions or length, length)

    def integers(low: int, high: int, number: int) -> Tensor:
        size = (count, number)
        return torch.randint(low, high, size, generator=generator, device=device)

    # All sequences share their times: variances and distances compare them at the same step.
    times = None if config.transitions is None else integers(1, length + 1, used)[:1]
    times = None if times is None else times.expand(count, -1)
    worth = _worth(config, batch, times)
    anchors = torch.multinomial(worth, min(config.anchors, used), True, generator=generator)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device)

    noise = directions = None
    if config.noise:
        noise = config.noise * normal(2, count, used, memory.slots, memory.width)
    if config.gaussian:
        directions = normal(_DIRECTIONS, memory.size)
    return SampledAnchors(times, anchors, noise, directions)


def _worth(config: SMTConfig, batch: AnyBatch, times: Tensor | None) -> Tensor:
    """Which transitions `[B, n]` may be anchors: 1 where any of the next F outputs counts.

    A future without an output teaches nothing. All may, of a sequence that has none to offer.
    """
    length = batch.mask.shape[1]
    far = min(config.future or length, length)
    before = F.pad(batch.mask.cumsum(1), (1, 0))
    ends = (torch.arange(length, device=before.device) + far).clamp(max=length)
    some = before[:, ends] > before[:, :length]
    some = some if times is None else some.gather(1, times - 1)
    return (some | ~some.any(1, keepdim=True)).float()


def at_times(batch: AnyBatch, sampled: SampledAnchors) -> AnyBatch:
    """x, y and mask of the transitions' second steps, `[B, n]`."""
    if sampled.times is None:
        return batch
    return Batch(*(take(part, sampled.times - 1) for part in batch[:3]))


def anchor_futures(config: SMTConfig, batch: AnyBatch, sampled: SampledAnchors) -> Batch:
    """What the decoder reads and predicts from the memories at the anchors."""
    times = (
        sampled.anchors + 1 if sampled.times is None else sampled.times.gather(1, sampled.anchors)
    )
    return futures(batch, times, config.future or batch.mask.shape[1])
