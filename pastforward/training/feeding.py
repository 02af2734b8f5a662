"""L4. Batches of a stage on its device: beside an accelerator read ahead, and never waited for."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, final

import torch
from torch import Tensor

from pastforward.methods.transitions import tell_most_counted
from pastforward.training import FitConfig
from pastforward.types import AnyBatch, Signature, checked_batch


class Batches(Protocol):
    """What the loop needs of data."""

    signature: Signature

    def batch(self, seed: int, index: int, size: int) -> AnyBatch:
        """Batch `index`: a pure function of its arguments."""
        ...


Parts = list[AnyBatch]
"""The micro-batches of a batch."""
_Read = list[tuple[AnyBatch, int]]
"""Those on the host, and how many outputs of a sequence count at most."""


@final
class Feed:
    """Cuts batches into micro-batches and moves them; `ahead`, the next one is read meanwhile."""

    def __init__(
        self, source: Batches, seed: int, config: FitConfig, device: torch.device,
        dtype: torch.dtype,
    ) -> None:  # fmt: skip
        self.source, self.seed, self.config, self.device = source, seed, config, device
        self.ahead = device.type != "cpu"
        self._like = torch.empty(0, dtype=dtype)
        self._reader = ThreadPoolExecutor(1, "batches")  # its thread starts with the first batch
        self._next: tuple[int, Future[_Read]] | None = None

    def parts(self, index: int, following: int) -> Parts:
        """Of batch `index`; `following` is likely to be asked for next."""
        if not self.ahead:
            return self._moved(self._read(index))
        ready, self._next = self._next, None
        if ready is not None and ready[0] == index:
            parts = ready[1].result()
        else:
            parts = self._reader.submit(self._read, index).result()
        self._next = following, self._reader.submit(self._read, following)
        return self._moved(parts)

    def _read(self, index: int) -> _Read:
        batch = self.source.batch(self.seed, index, self.config.batch)
        length = self.config.steps(batch.mask.shape[1])
        # Targets have one step more than the sequence: m_0.
        steps = [length + (name == "targets") for name in batch._fields]
        read = [part[:, :count] for part, count in zip(batch, steps, strict=True)]
        kept = checked_batch(self.source.signature, batch._make(read), self._like)
        cut = [part.chunk(self.config.accumulate) for part in kept]
        if self.device.type == "cuda":  # from such memory alone a copy is not waited for
            cut = [[piece.contiguous().pin_memory() for piece in part] for part in cut]
        parts = [batch._make(parts) for parts in zip(*cut, strict=True)]
        # Counted here: for a device one would have to wait.
        return [(part, int(part.mask.sum(1).max()) if self.ahead else 0) for part in parts]

    def _moved(self, parts: _Read) -> Parts:
        moved = []
        for part, most in parts:
            batch = part._make(tensor.to(self.device, non_blocking=True) for tensor in part)
            if self.ahead:
                tell_most_counted(batch.mask, most)
            moved.append(batch)
        return moved


@final
class Report:
    """The terms of a step, on their way from an accelerator to the host."""

    def __init__(self, terms: dict[str, Tensor], step: int) -> None:
        values = torch.stack(list(terms.values()))
        self.step, self._names = step, list(terms)
        self.finite = values.isfinite().all()
        self._event = None
        if values.device.type == "cuda":
            self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        else:
            self._values = values

    def read(self) -> dict[str, float]:
        """The terms as numbers, once they are there."""
        if self._event is not None:
            self._event.synchronize()
        return dict(zip(self._names, self._values.tolist(), strict=True))
