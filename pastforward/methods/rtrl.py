"""L3. Real-time recurrent learning, exact (Williams & Zipser 1989): credit carried forward.

Let theta be all parameters before the readout: embedding, cell and m_0, P numbers in all. The
influence J_t = dm_t/dtheta `[B, K * D, P]` is carried along with the memory,

    J_t = (df/dm) J_{t-1} + df/dtheta,

and the gradient of the loss of y_t is (dl_t/dm_t) J_t, that of BPTT up to rounding. Memory use
does not grow with T, but a step costs B (K * D)^2 P multiplications: for small cells only.
"""

from collections.abc import Iterable
from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from typing_extensions import override

from pastforward.config import RunConfig
from pastforward.errors import UsageError
from pastforward.losses import output_weights, total_weight
from pastforward.memory import flat
from pastforward.methods.base import Losses, Method, Transform
from pastforward.outputs import output_loss
from pastforward.student import Student
from pastforward.types import AnyBatch

MAX_BYTES = 2**30
"""Bytes that the influence may take; a step allocates about three times as much."""

_Gradients = dict[nn.Parameter, Tensor]


class _State(NamedTuple):
    memory: Tensor  # m_t [B, K, D]
    influence: dict[str, Tensor]  # dm_t/dtheta [B, K * D, numel] of each parameter of theta


class _Step(nn.Module):
    """All that comes before the readout: m_{t-1} and x_t to m_t."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.embed, self.cell, self.empty = student.embed, student.cell, student.empty

    def forward(self, m: Tensor, x: Tensor) -> Tensor:
        return self.cell(m, self.embed(x))


@final
class RTRL(Method):
    """The gradient of the whole sequence by influences, in one optimiser step per batch."""

    def __init__(self, student: Student, sequences: int = 1) -> None:
        """Raises `UsageError` if the influence of so many sequences at a time is too large."""
        self.student = student
        self._require_room(sequences)

    @property
    def _step(self) -> _Step:
        """Of the student's parameters as they are now: ranks may exchange them between steps."""
        return _Step(self.student)

    @override
    def modules(self) -> Iterable[nn.Module]:
        return (self.student,)

    @override
    def compile(self, transform: Transform) -> None:
        pass  # matrix products take most of the time: nothing to gain

    @override
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> Losses:
        """Raises `UsageError` if the influence of the batch is too large."""
        self._require_room(len(batch.x))
        state = self._begin(len(batch.x))
        weights = output_weights(self.student.signature, batch.y, batch.mask)
        weights = weights.to(state.memory.dtype) / total_weight(weights)
        value = state.memory.new_zeros(())
        trained = _trainable(self._step) | _trainable(self.student.readout)
        gradients: _Gradients = {p: torch.zeros_like(p) for p in trained.values()}
        for t in range(batch.mask.shape[1]):
            state = self._advance(state, batch.x[:, t])
            value = value + self._read(state, batch.y[:, t], weights[:, t], gradients)
        # The value is exact; a term that is 0 has the gradient found, for autograd to pass on.
        carrier = torch.stack([(g * p).sum() for p, g in gradients.items()]).sum()
        return Losses(value + (carrier - carrier.detach()), {"readout": value})

    def _begin(self, count: int) -> _State:
        """m_0, which depends on the empty memory alone."""
        student = self.student
        influence = {
            name: p.new_zeros(count, student.memory.size, p.numel())
            for name, p in _trainable(self._step).items()
        }
        if "empty" in influence:
            jacobian = jacrev(lambda m: flat(student.cell.normalise(m)))(student.empty.detach())
            influence["empty"] = flat(jacobian).expand(count, -1, -1)
        return _State(student.start(count).detach(), influence)

    def _advance(self, state: _State, x: Tensor) -> _State:
        """One step of the memory and of its influence."""
        theta = {name: p.detach() for name, p in _trainable(self._step).items()}

        def step(theta: dict[str, Tensor], m: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            reached = functional_call(self._step, theta, (m, x))
            return flat(reached), reached

        jacobians = vmap(jacrev(step, argnums=(0, 1), has_aux=True), (None, 0, 0))
        with sdpa_kernel(SDPBackend.MATH):  # the only attention kernel with a batching rule
            (by_theta, by_memory), memory = jacobians(theta, state.memory, x)
        by_memory = flat(by_memory)
        influence = {
            name: torch.baddbmm(by_theta[name].flatten(2), by_memory, before)
            for name, before in state.influence.items()
        }
        return _State(memory, influence)

    def _read(self, state: _State, y: Tensor, weights: Tensor, gradients: _Gradients) -> Tensor:
        """What y_t adds to the loss; its gradient is added to `gradients`."""
        memory = state.memory.detach().requires_grad_()
        readout = list(_trainable(self.student.readout).values())
        losses = output_loss(self.student.signature.outputs, self.student.readout(memory), y)
        loss = (weights * losses.where(weights > 0, 0.0)).sum()
        by_memory, *by_readout = torch.autograd.grad(loss, [memory, *readout])
        for name, p in _trainable(self._step).items():
            found = torch.einsum("bs,bsp->p", flat(by_memory), state.influence[name])
            gradients[p] += found.view_as(p)
        for p, found in zip(readout, by_readout, strict=True):
            gradients[p] += found
        return loss.detach()

    def _require_room(self, sequences: int) -> None:
        rows, theta = self.student.memory.size, list(_trainable(self._step).values())
        columns = sum(p.numel() for p in theta)
        each = rows * columns * self.student.empty.element_size()
        if sequences * each > MAX_BYTES:
            fitting = MAX_BYTES // each
            remedy = (
                f"take at most {fitting} sequences at a time (--fit.batch, --fit.accumulate)."
                if fitting
                else "take a smaller memory (--student.slots, --student.width)."
            )
            raise UsageError(
                f"RTRL would carry an influence of {sequences} x {rows} x {columns} numbers "
                f"({sequences * each / 2**30:.1f} GB, {MAX_BYTES / 2**30:.0f} GB at most); {remedy}"
            )


def _trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def build_rtrl(network: Student, teacher: object, config: RunConfig) -> RTRL:
    """'rtrl' of `METHODS`."""
    return RTRL(network, config.fit.batch // config.fit.accumulate)
