"""L3. One-step transitions (m_t, x_{t+1}) -> m_{t+1}: which ones a step samples, and their loss."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.weak import WeakTensorKeyDictionary

from pastforward.losses import (
    masked_mean,
    relevant,
    transition_weights,
    variance_unexplained,
)
from pastforward.memory import take
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.methods.base import Losses
from pastforward.pieces import Piece, Total
from pastforward.pieces import own as whole
from pastforward.teacher.decoder import futures, input_futures
from pastforward.teacher.target_source import TargetSource
from pastforward.types import AnyBatch, Batch, MemoryShape


class Transitions(NamedTuple):
    """Target memories before and after each of n steps, and that of the empty memory."""

    empty: Tensor  # m_0 [1 or B, 1, K, D]
    before: Tensor  # m_t [B, n, K, D]
    after: Tensor  # m_{t+1} [B, n, K, D]
    used: Tensor  # [B, n], False where m_{t+1} lies in the padding
    begins: Tensor | None = None  # [B, 1], does m_0 count? None: where any transition does


def dynamics(own: Tensor, targets: Transitions, total: Total = whole) -> Tensor:
    """Weighted fraction of variance unexplained, over the transitions used.

    `own` `[B, n + 1, K, D]` is m_0 and n memories.
    """
    empty = targets.empty.expand(len(own), -1, -1, -1)
    target = torch.cat([empty, targets.after], 1)
    weights = transition_weights(targets.before, targets.after, targets.used, total)
    begins = targets.used.any(1, keepdim=True) if targets.begins is None else targets.begins
    used = torch.cat([begins, targets.used], 1)
    errors = variance_unexplained(own, target, used, total)
    return masked_mean(F.pad(weights, (1, 0), value=1.0) * errors, used, total)


def weighted_sum(config: SMTConfig | DMTConfig, terms: Mapping[str, Tensor]) -> Tensor:
    """Each term times the dial of the same name."""
    return torch.stack([getattr(config, name) * term for name, term in terms.items()]).sum()


_OVER_STEPS = "dynamics", "uniformity", "input_decoding"
"""Terms that are means over steps, whatever outputs count there."""


def losses_of(config: SMTConfig | DMTConfig, total: Tensor, terms: Mapping[str, Tensor]) -> Losses:
    """What a method returns: `total` is the `weighted_sum` of `terms`, all with gradient."""
    over_steps = {
        name: getattr(config, name) * terms[name] for name in _OVER_STEPS if name in terms
    }
    return Losses(total, {name: term.detach() for name, term in terms.items()}, over_steps)


class SampledAnchors(NamedTuple):
    """The random choices of a step, made before the compiled part."""

    times: Tensor | None  # [B, n], t of the memory after each transition, in 1..T; None: all
    anchors: Tensor  # [B, A], transitions whose second memory decodes its future
    noise: Tensor | None  # [2, B, n, K, D], on the memories before and after
    counted: Tensor | None = None  # [B, c], transitions whose outputs may count; None: all
    piece: Piece | None = None  # the transitions there are; anchors are counted from its first
    owned: Tensor | None = None  # [B, A], False for anchors of other pieces; None: all are here

    @property
    def total(self) -> Total:
        """Sums over all pieces."""
        return whole if self.piece is None else self.piece.total


def sample_anchors(
    config: SMTConfig, batch: AnyBatch, memory: MemoryShape, generator: torch.Generator,
    piece: Piece | None = None,
) -> SampledAnchors:  # fmt: skip
    """Times, anchors and noise as `config` asks, from `generator` alone.

    Of a piece the same anchors as of the whole, but noise of its own.
    """
    if piece is not None:
        return _of_piece(config, batch, memory, generator, piece)
    (count, length), device = batch.mask.shape, batch.x.device
    used = min(config.transitions or length, length)
    times = noise = None
    if config.transitions is not None:
        # All sequences share their times, since variance and uniformity compare memories of the
        # same step. No step is drawn that is padding in all of them.
        longest = relevant(batch.mask).any(0).sum().clamp(min=1)
        share = torch.rand(used, generator=generator, device=device)
        times = (1 + (share * longest).long()).expand(count, -1)
    weights = _anchor_weights(config, batch, times)
    anchors = torch.multinomial(weights, min(config.anchors, used), True, generator=generator)
    if config.noise:
        size = (2, count, used, memory.slots, memory.width)
        noise = config.noise * torch.randn(size, generator=generator, device=device)
    sampled = SampledAnchors(times, anchors, noise)
    mask = at_times(batch, sampled).mask
    if batch.mask in _MOST:
        _MOST[mask] = _MOST[batch.mask]  # of some of its steps it is no more
    return sampled._replace(counted=_counted(mask))


_MOST = WeakTensorKeyDictionary()
"""By mask, how many outputs count in a sequence at most, where the host knows it."""


def tell_most_counted(mask: Tensor, most: int) -> None:
    """Make known how many outputs count at most in a sequence of a mask on an accelerator.

    What is asked of the mask itself, the host has to wait for.
    """
    _MOST[mask] = most


def _counted(mask: Tensor) -> Tensor | None:
    """Indices `[B, c]` of all that count in `mask` `[B, n]`, where those are few.

    A readout of all memories costs as much as a layer of the encoder. c is a power of 2, so that
    compiled steps see few shapes; what fills it up doesn't count.
    """
    known = _MOST.get(mask)
    most = int(mask.sum(1).max()) if known is None else min(known, mask.shape[1])
    count = 1 << max(0, most - 1).bit_length()
    if 2 * count > mask.shape[1]:
        return None
    return mask.byte().argsort(dim=1, descending=True, stable=True)[:, :count]


def _of_piece(
    config: SMTConfig, batch: AnyBatch, memory: MemoryShape, generator: torch.Generator,
    piece: Piece,
) -> SampledAnchors:  # fmt: skip
    length = batch.mask.shape[1]
    weights = _anchor_weights(config, batch, None)
    anchors = torch.multinomial(weights, min(config.anchors, length), True, generator=generator)
    owned = (anchors >= piece.begin) & (anchors < piece.end)
    here = (anchors - piece.begin).clamp(0, piece.end - piece.begin - 1)
    noise = None
    if config.noise:
        size = (2, len(anchors), piece.end - piece.begin, memory.slots, memory.width)
        generator.manual_seed(generator.initial_seed() + piece.number)
        noise = config.noise * torch.randn(size, generator=generator, device=anchors.device)
    return SampledAnchors(None, here, noise, piece=piece, owned=owned)


def _anchor_weights(config: SMTConfig, batch: AnyBatch, times: Tensor | None) -> Tensor:
    """1 for transitions `[B, n]` of which one of the next F outputs counts; all 1 if none does.

    Where inputs are decoded, all that an input follows count, too.
    """
    length = batch.mask.shape[1]
    future = min(config.future or length, length)
    counted = F.pad(batch.mask.cumsum(1), (1, 0))
    ends = (torch.arange(length, device=counted.device) + future).clamp(max=length)
    useful = counted[:, ends] > counted[:, :length]
    if config.input_decoding:
        useful = useful | F.pad(relevant(batch.mask)[:, 1:], (0, 1))
    useful = useful if times is None else useful.gather(1, times - 1)
    return (useful | ~useful.any(1, keepdim=True)).float()


def at_times(batch: AnyBatch, sampled: SampledAnchors) -> AnyBatch:
    """x, y and mask of the transitions' second steps, `[B, n]`."""
    if sampled.piece is not None:
        return Batch(*map(sampled.piece.of, batch[:3]))
    if sampled.times is None:
        return batch
    return Batch(*(take(part, sampled.times - 1) for part in batch[:3]))


def at_counted(memories: Tensor, seen: AnyBatch, sampled: SampledAnchors) -> tuple[Tensor, ...]:
    """Memories `[B, n, K, D]`, y and mask of transitions, of those whose outputs may count."""
    parts = memories, seen.y, seen.mask
    if sampled.counted is None:
        return parts
    return tuple(take(part, sampled.counted) for part in parts)


def sampled_transitions(
    source: TargetSource, batch: AnyBatch, sampled: SampledAnchors
) -> Transitions:
    """The target memories before and after each sampled transition."""
    used = relevant(batch.mask)
    if sampled.piece is not None:
        piece, any_used = sampled.piece, used.any(1, keepdim=True)
        targets = source.targets_of_piece(batch, piece)
        empty, after = targets.split([1, targets.shape[1] - 1], 1)
        # m_0 lies in the first piece; elsewhere what stands in its place counts for nothing.
        begins = any_used if not piece.number else torch.zeros_like(any_used)
        return Transitions(empty[:1], targets[:, :-1], after, piece.of(used), begins)
    if sampled.times is None:
        targets = source.targets_of(batch)
        # split(): its backward is one cat instead of zero-padded adds.
        empty, after = targets.split([1, targets.shape[1] - 1], 1)
        return Transitions(empty[:1], targets[:, :-1], after, used)
    times = torch.cat([sampled.times - 1, sampled.times], 1)
    before, after = source.targets_at_times(batch, times).chunk(2, 1)
    used = take(used, sampled.times - 1)
    return Transitions(source.empty_target_of(batch), before, after, used)


def read_alone(config: SMTConfig, sampled: SampledAnchors) -> SampledAnchors:
    """The same for a teacher that trains alone: only memories from which an output is read.

    Where few outputs count and nothing is decoded, those are few of all.
    """
    counted = sampled.counted
    if sampled.times is not None or counted is None or config.decoding or config.input_decoding:
        return sampled
    index = torch.arange(counted.shape[1], device=counted.device).expand_as(counted)
    noise = None if sampled.noise is None else sampled.noise[:, :, : counted.shape[1]]
    return SampledAnchors(1 + counted, index, noise, index)


def memories_after(
    source: TargetSource, batch: AnyBatch, sampled: SampledAnchors
) -> tuple[Tensor, Tensor]:
    """`after` and `used` of `sampled_transitions`, without the memories before."""
    used = relevant(batch.mask)
    if sampled.piece is not None:
        targets = source.targets_of_piece(batch, sampled.piece)
        return targets[:, 1:], sampled.piece.of(used)
    if sampled.times is None:
        return source.targets_of(batch)[:, 1:], used
    return source.targets_at_times(batch, sampled.times), take(used, sampled.times - 1)


def anchor_futures(config: SMTConfig, batch: AnyBatch, sampled: SampledAnchors) -> Batch:
    """What the decoder reads and predicts from the memories at the anchors."""
    found = futures(batch, _anchor_times(sampled), config.future or batch.mask.shape[1])
    return found._replace(mask=_owned(sampled, found.mask))


def anchor_inputs(
    config: SMTConfig, batch: AnyBatch, sampled: SampledAnchors
) -> tuple[Tensor, Tensor]:
    """The inputs that it predicts `[B, A, F]` (or `[B, A, F, C]`), and which of them count."""
    length = config.future or batch.mask.shape[1]
    x, counts = input_futures(batch, _anchor_times(sampled), length)
    return x, _owned(sampled, counts)


def _owned(sampled: SampledAnchors, mask: Tensor) -> Tensor:
    """What of the futures `[B, A, F]` belongs to anchors of this piece."""
    return mask if sampled.owned is None else mask & sampled.owned.unsqueeze(-1)


def _anchor_times(sampled: SampledAnchors) -> Tensor:
    anchors = sampled.anchors
    if sampled.piece is not None:
        return anchors + sampled.piece.begin + 1
    return anchors + 1 if sampled.times is None else sampled.times.gather(1, anchors)
