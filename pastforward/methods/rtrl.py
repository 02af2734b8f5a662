"""L3. Real-time recurrent learning, exact (Williams & Zipser 1989): credit carried forward.

Let theta be all that comes before the readout: embedding, cell and m_0, P numbers in all. The
influence J_t = dm_t/dtheta `[B, K * D, P]` is carried along with the memory,

    J_t = (df/dm) J_{t-1} + df/dtheta,

and the gradient of the loss of y_t is (dl_t/dm_t) J_t: known as soon as y_t is, so nothing of the
past is kept. It is the gradient of BPTT to rounding. Memory does not grow with T, but a step costs
B (K * D)^2 P products, which only small cells can afford.
"""

from collections.abc import Iterable
from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from pastforward.errors import UsageError
from pastforward.memory import flat, rms_norm
from pastforward.methods.base import Losses, Method, Transform
from pastforward.outputs import nll
from pastforward.student import Student
from pastforward.types import AnyBatch

LARGEST = 2**30
"""Bytes that the influence may take; a step holds about three times as much."""


_Gradient = dict[nn.Parameter, Tensor]


class _Path(NamedTuple):
    memory: Tensor  # m_t [B, K, D]
    influence: dict[str, Tensor]  # dm_t/dtheta [B, K * D, numel] of each parameter of theta


class _Step(nn.Module):
    """All that comes before the readout: x_t and m_{t-1} to m_t."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.embed, self.cell, self.empty = student.embed, student.cell, student.empty

    def forward(self, m: Tensor, x: Tensor) -> Tensor:
        return self.cell(m, self.embed(x))


@final
class RTRL(Method):
    """The gradient of the whole sequence by influences, in one optimiser step a batch."""

    def __init__(self, student: Student, sequences: int = 1) -> None:
        """Raises `UsageError` if the influence of so many sequences at a time is too large."""
        self.student, self._step = student, _Step(student)
        self._require_room(sequences)

    def modules(self) -> Iterable[nn.Module]:
        """See `Method`."""
        return (self.student,)

    def serial_calls(self, length: int) -> int:
        """See `Method`."""
        return length

    def compile(self, transform: Transform) -> None:
        """Nothing is: products of matrices take most of the time."""

    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """See `Method`; raises `UsageError` if the influence of the batch is too large."""
        self._require_room(len(batch.x))
        path, count = self._begin(len(batch.x)), batch.mask.sum().clamp(min=1)
        value = path.memory.new_zeros(())
        gradient: _Gradient = {p: torch.zeros_like(p) for p in self._trained().values()}
        for t in range(batch.mask.shape[1]):
            path = self._advance(path, batch.x[:, t])
            value = value + self._read(path, batch.y[:, t], batch.mask[:, t], count, gradient)
        # Autograd sees the exact value and a sum whose gradient is the one found.
        carrier = torch.stack([(g * p).sum() for p, g in gradient.items()]).sum()
        return Losses(value + (carrier - carrier.detach()), {"readout": value})

    def _begin(self, count: int) -> _Path:
        """m_0, which only the empty memory moves."""
        student = self.student
        influence = {
            name: p.new_zeros(count, student.memory.size, p.numel())
            for name, p in _moving(self._step).items()
        }
        if "empty" in influence:
            moved = jacrev(lambda m: flat(rms_norm(m)))(student.empty.detach())
            influence["empty"] = flat(moved).expand(count, -1, -1)
        return _Path(student.start(count).detach(), influence)

    def _advance(self, path: _Path, x: Tensor) -> _Path:
        """One step of the memory and of its influence."""
        theta = {name: p.detach() for name, p in _moving(self._step).items()}

        def step(theta: dict[str, Tensor], m: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            reached = functional_call(self._step, theta, (m, x))
            return flat(reached), reached

        jacobian = vmap(jacrev(step, argnums=(0, 1), has_aux=True), (None, 0, 0))
        with sdpa_kernel(SDPBackend.MATH):  # the only attention that vmap takes as a whole
            (direct, across), memory = jacobian(theta, path.memory, x)
        across = flat(across)
        influence = {
            name: torch.baddbmm(direct[name].flatten(2), across, before)
            for name, before in path.influence.items()
        }
        return _Path(memory, influence)

    def _read(
        self, path: _Path, y: Tensor, mask: Tensor, count: Tensor, gradient: _Gradient
    ) -> Tensor:
        """What y_t adds to the loss; its gradient is added to `gradient`."""
        memory = path.memory.detach().requires_grad_()
        readout = list(_moving(self.student.readout).values())
        losses = nll(self.student.signature.outputs, self.student.readout(memory), y)
        loss = losses.where(mask, 0.0).sum() / count
        by_memory, *by_readout = torch.autograd.grad(loss, [memory, *readout])
        for name, p in _moving(self._step).items():
            found = torch.einsum("bs,bsp->p", flat(by_memory), path.influence[name])
            gradient[p] += found.view_as(p)
        for p, found in zip(readout, by_readout, strict=True):
            gradient[p] += found
        return loss.detach()

    def _trained(self) -> dict[str, nn.Parameter]:
        return _moving(self._step) | _moving(self.student.readout)

    def _require_room(self, sequences: int) -> None:
        rows, theta = self.student.memory.size, list(_moving(self._step).values())
        columns = sum(p.numel() for p in theta)
        each = rows * columns * self.student.empty.element_size()
        if sequences * each > LARGEST:
            raise UsageError(
                f"RTRL would carry an influence of {sequences} x {rows} x {columns} numbers "
                f"({sequences * each / 2**30:.1f} GB, {LARGEST / 2**30:.0f} GB at most); "
                + self._way_out(sequences, each)
            )

    @staticmethod
    def _way_out(sequences: int, each: int) -> str:
        fitting = LARGEST // each
        if fitting:
            return f"take at most {fitting} sequences at a time (--fit.batch, --fit.accumulate)."
        return "take a smaller memory (--student.slots, --student.width)."


def _moving(module: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in module.named_parameters() if p.requires_grad}
