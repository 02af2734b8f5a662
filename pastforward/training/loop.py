"""L4. One loop for all methods: gradients, ranks, clipping, schedule, budget."""

import math
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from pastforward.config import Budget
from pastforward.errors import NonFiniteLoss, UsageError
from pastforward.methods.base import WHOLE, Method, Shares, counts
from pastforward.pieces import Piece, cut
from pastforward.training import FitConfig
from pastforward.training.compiling import compile_checked
from pastforward.training.denormals import flushed_denormals
from pastforward.training.distributed import agree, neighbours, rank, sum_over_ranks, world
from pastforward.training.engine import Engine, engine_of, whole
from pastforward.training.feeding import Batches, Feed, Parts, Report
from pastforward.training.optimiser import Optimiser, schedule
from pastforward.types import AnyBatch


@dataclass
class Progress:
    """What a stage has spent so far."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    calls: int = 0
    """Serial cell calls."""

    def share(self, budget: Budget) -> float:
        """Spent part of the budget; 1 and above is the end."""
        if budget.steps is not None:
            return self.step / budget.steps
        if budget.tokens is not None:
            return self.tokens / budget.tokens
        return self.seconds / (budget.seconds or 1.0)

    def add(self, other: "Progress") -> None:
        """Add what another stage has spent."""
        for name, spent in vars(other).items():
            setattr(self, name, getattr(self, name) + spent)


@dataclass
class Fit:
    """One stage: a method on data for a budget. Holds all that a resumed stage needs."""

    method: Method
    source: Batches
    lr: float
    budget: Budget
    config: FitConfig = field(default_factory=FitConfig)
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    given: Engine | None = None
    """What sums gradients over ranks; DDP when None."""
    time: int = 1
    """Ranks that share each sequence, where the method can cut them."""

    def __post_init__(self) -> None:
        self.engine = self.given or engine_of(self.method)
        self.time = self.time if self.method.cuts_time else 1
        self.readers, self.reader = world() // self.time, rank() // self.time
        self.optimiser = Optimiser(self.method.modules(), self.config)
        self.parameters = self.optimiser.parameters
        dtype = self.parameters[0].dtype
        self._feed = Feed(self.source, self.seed, self.config, self.device, dtype)
        # An accelerator that is behind the host is told of a bad step, and not waited for.
        self.reads_behind = self.device.type == "cuda" and not self.engine.sharded
        self._sent: Report | None = None
        self._bad = torch.zeros((), device=self.device)
        self.generator = torch.Generator(self.device)
        self.progress = Progress()
        self.batches = 0  # read so far by all ranks, whose number may change when a run is resumed
        self._share: float | None = None
        self._replayed: list[tuple[AnyBatch, Shares]] = []

    def share(self) -> float:
        """Spent part of the budget, the same on all ranks."""
        if self._share is None:
            share = self.progress.share(self.budget)
            self._share = share if self.budget.seconds is None else agree(share)[0]
        return self._share

    def go_on_from(self, progress: Progress, sequences: int) -> None:
        """Continue after what was spent, with the data that follows so many sequences."""
        self.progress, self._share = progress, None
        self.batches = sequences // self.config.batch

    @property
    def sequences(self) -> int:
        """Read so far by all ranks."""
        return self.batches * self.config.batch

    @property
    def mid_replay(self) -> bool:
        """Is the last batch to be replayed? What was collected for it is in no checkpoint."""
        over = self.share() >= 1.0
        return not over and self.progress.step % self.method.replay_steps != 0

    def prepare(self) -> None:
        """Compile where that is asked for, and where it is right."""
        # On a CPU compiled code gains little.
        auto = self.config.compile == "auto" and self.device.type != "cpu"
        auto = auto and not self.engine.sharded  # its hooks break graphs into pieces
        if self.time > 1:  # a graph holds no messages
            return
        if auto or self.config.compile in ("on", "graphs"):
            mode = "reduce-overhead" if self.config.compile == "graphs" else None
            compile_checked(self.method, self._first_gradients, self._bfloat16, mode)

    def step(self) -> dict[str, float]:
        """One optimiser step; returns the terms. Raises `NonFiniteLoss` in place of a bad step.

        On CUDA the host runs a step ahead: terms are those of the step before, and what comes
        after a bad one until that is known changes nothing.
        """
        with flushed_denormals():
            return self._timed_step()

    def _timed_step(self) -> dict[str, float]:
        begin = time.perf_counter()
        share = self.share()
        self.optimiser.zero_grad()
        self._reseed()
        parts = self._collected_parts()
        terms = [self._backward(*part, part is parts[-1]) for part in parts]
        means = torch.stack([torch.stack(list(term.values())) for term in terms]).sum(0)
        (means,) = sum_over_ranks([means])
        norm = whole(nn.utils.clip_grad_norm_(self.parameters, self.config.clip))
        named = dict(zip(terms[0], means, strict=True)) | {"gradient": norm}
        lr = self.lr * schedule(self.config, self.progress.step, share)
        values = self._update(lr, Report(named, self.progress.step))
        self.progress.step += 1
        length = parts[0][0].mask.shape[1]  # batches of shorter sequences have fewer steps
        self.progress.calls += self.method.serial_calls(length)
        read = self.method.positions(length)
        self.progress.tokens += self.readers * self.config.batch * read
        self.progress.seconds += time.perf_counter() - begin
        self._share = None
        return values

    def settle(self) -> None:
        """Wait for the last step; raises `NonFiniteLoss` where it was a bad one."""
        sent, self._sent = self._sent, None
        if sent is not None:
            _finite(sent)

    def _update(self, lr: float, report: Report) -> dict[str, float]:
        if not self.reads_behind:
            values = _finite(report)
            self.optimiser.step(lr)
            return values
        self._bad = torch.maximum(self._bad, (~report.finite).float())
        self.optimiser.step(lr, self._bad)
        before, self._sent = self._sent or report, report
        return _finite(before)

    def _reseed(self) -> None:
        """Noise is a function of (seed, step, rank), as batches are: resuming need not store it."""
        step = 1_000_003 * self.seed + self.progress.step
        self.generator.manual_seed((4096 * step + self.reader) % 2**63)

    def _collected_parts(self) -> list[tuple[AnyBatch, Shares]]:
        """Micro-batches with what the method collected at their first step, and their shares."""
        if self.progress.step % self.method.replay_steps == 0 or not self._replayed:
            parts = self._parts(self.batches)
            self.batches += self.readers
            with self._precision():
                collected = [self._collected(part) for part in parts]
            self._replayed = list(zip(collected, self._shares(parts), strict=True))
        return self._replayed

    def _collected(self, part: AnyBatch) -> AnyBatch:
        if type(self.method).collect is Method.collect:
            return part
        return self.engine.call(lambda: self.method.collect(part))

    def _shares(self, parts: list[AnyBatch]) -> list[Shares]:
        if len(parts) == world() == 1:
            return [WHOLE]
        own = torch.stack([counts(self.source.signature, part) for part in parts])
        (total,) = sum_over_ranks([own.sum(0)])
        total = (total / self.time).clamp(min=torch.finfo(own.dtype).tiny)
        return [Shares(*row) for row in own / total]

    def _parts(self, index: int) -> Parts:
        """The micro-batches of this rank's batch, on the device; rank 0 reads batch `index`."""
        own = index + self.reader
        return self._feed.parts(own, own + self.readers)

    def _backward(self, part: AnyBatch, shares: Shares, last: bool) -> dict[str, Tensor]:
        self.method.piece = self._piece(part.mask.shape[1])

        def losses() -> tuple[Tensor, dict[str, Tensor]]:
            return self.method.weighted_losses(part, self.generator, shares)

        with self._precision():
            return self.engine.backward(losses, last)

    def _piece(self, length: int) -> Piece | None:
        if self.time == 1:
            return None
        if length < self.time:
            raise UsageError(
                f"A batch has sequences of {length} steps, too few for --dist.time {self.time}; "
                "leave them out, or cut over fewer ranks."
            )
        return Piece(rank() % self.time, cut(length, self.time), neighbours(self.time))

    def _first_gradients(self) -> list[Tensor]:
        """Of the first micro-batch of the first batch, leaving nothing behind."""
        self.optimiser.zero_grad()  # the stage before left its last
        self._reseed()
        self._backward(self._parts(0)[0], WHOLE, last=True)
        found = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        self.optimiser.zero_grad()
        return found

    @property
    def _bfloat16(self) -> bool:
        auto = self.config.precision == "auto" and self.device.type == "cuda"
        return auto or self.config.precision == "bfloat16"

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16)


def _finite(report: Report) -> dict[str, float]:
    """The terms as numbers, in one transfer."""
    values = report.read()
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    if bad:
        named = next((name for name in bad if name not in ("loss", "gradient")), bad[0])
        raise NonFiniteLoss(
            f"'{named}' is {values[named]} at step {report.step}; the step was not taken. "
            "Lower the learning rate or look at the data of this batch."
        )
    return values
