"""L6. One thread steps all sequences that wait, those that take as many steps together.

The event loop only hands over: requests never wait for each other's clients, and a batch of B
sequences costs little more than one.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor

from pastforward.errors import UsageError
from pastforward.inference.sampling import Sampling, draw, noise
from pastforward.inference.stream import Eager, fed_back
from pastforward.student import Student
from pastforward.types import Tokens, not_finite

CHUNK = 32
"""Steps that a sequence reads before others have their turn."""


@dataclass(frozen=True)
class Read:
    """x `[B, N]` or `[B, N, C]` read after m `[B, K, D]`; N up to `CHUNK`."""

    m: Tensor
    x: Tensor


@dataclass(frozen=True)
class Write:
    """One output drawn at each memory of m `[B, K, D]`, and read."""

    m: Tensor
    generator: torch.Generator
    sampling: Sampling
    feed: Callable[[Tensor], Tensor] = fed_back
    """From outputs to the next inputs."""


Job = Read | Write


class Stepped(NamedTuple):
    """The memories after a job, and what it found: parameters `[B, N, P]`, or outputs drawn."""

    m: Tensor
    found: Tensor
    seconds: float
    """A step took, all that were stepped with it included."""


@final
class Batcher:
    """Of one event loop."""

    def __init__(self, student: Student) -> None:
        self._engine, self._thread = Eager(student), ThreadPoolExecutor(1, "steps")
        self._kind = student.signature.outputs
        self._waiting: list[tuple[Job, asyncio.Future[Stepped]]] = []
        self._running: asyncio.Task[None] | None = None
        self.largest = 0
        """Sequences in the largest batch so far."""

    async def do(self, job: Job) -> Stepped:
        """The job's result, once its turn has come."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Stepped] = loop.create_future()
        self._waiting.append((job, result))
        if self._running is None or self._running.done():
            self._running = loop.create_task(self._run())
        stepped = await result
        if isinstance(job, Write):
            self._require_drawn(stepped.found)
        return stepped

    async def read(self, m: Tensor, x: Tensor) -> Stepped:
        """Read x `[B, T]` or `[B, T, C]`, `CHUNK` steps at a time."""
        parts, seconds = [], []
        for chunk in x.split(CHUNK, 1):
            m, found, took = await self.do(Read(m, chunk))
            parts.append(found)
            seconds.append(took)
        return Stepped(m, torch.cat(parts, 1), sum(seconds) / len(seconds))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            size = _size(self._waiting[0][0])
            group = [one for one in self._waiting if _size(one[0]) == size]
            self._waiting = [one for one in self._waiting if _size(one[0]) != size]
            group = [one for one in group if not one[1].done()]  # clients may have gone
            if not group:
                continue
            try:
                jobs = [job for job, _ in group]
                found = await loop.run_in_executor(self._thread, self._step, jobs)
            except Exception as error:  # all that wait for it must hear of it
                for _, result in group:
                    if not result.done():
                        result.set_exception(error)
                continue
            for (_, result), one in zip(group, found, strict=True):
                if not result.done():
                    result.set_result(one)

    @torch.inference_mode()
    def _step(self, jobs: list[Job]) -> list[Stepped]:
        began, student = time.perf_counter(), self._engine.student
        m, rows = torch.cat([job.m for job in jobs]), [len(job.m) for job in jobs]
        self.largest = max(self.largest, len(m))
        if isinstance(jobs[0], Read):
            m, found = self._engine.read(m, torch.cat([j.x for j in jobs if isinstance(j, Read)]))
        else:
            parameters = student.readout(m).split(rows)
            pairs = [(j, p) for j, p in zip(jobs, parameters, strict=True) if isinstance(j, Write)]
            drawn = [self._draw(*pair) for pair in pairs]
            x = torch.cat([job.feed(y) for (job, _), y in zip(pairs, drawn, strict=True)])
            m, found = student.step(m, x), torch.cat(drawn)
        seconds = (time.perf_counter() - began) / max(1, _size(jobs[0]))
        parts = zip(m.split(rows), found.split(rows), strict=True)
        return [Stepped(*part, seconds) for part in parts]

    def _draw(self, job: Write, parameters: Tensor) -> Tensor:
        kind, temperature = self._kind, torch.tensor(job.sampling.temperature)
        u = noise(kind, (len(job.m),), job.generator, job.m)
        return draw(kind, parameters, u, temperature, job.sampling)

    def _require_drawn(self, y: Tensor) -> None:
        """Said to the one whose memory it was: others were stepped with it."""
        if (y < 0).any() if isinstance(self._kind, Tokens) else not_finite(y):
            raise UsageError(
                "The network's outputs became NaN or infinite, so nothing can be drawn; begin anew."
            )


def _size(job: Job) -> int:
    """Steps of a job, by which it is grouped; 0 of those that draw."""
    return job.x.shape[1] if isinstance(job, Read) else 0
