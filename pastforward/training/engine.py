"""L4. How gradients become those of all ranks: one process alone, DDP, or FSDP2.

A method calls the networks that it trains in many ways: a cell on all transitions at once, an
encoder at some times. So what PyTorch's engines wrap is a module that holds those networks and
whose forward is the method's loss. Losses are weighted by `Shares`, so gradients are summed over
ranks, where the engines by themselves take a mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import TypeVar, final

import torch
import torch.distributed as dist
from torch import Tensor, nn
from typing_extensions import override

from pastforward.errors import UsageError
from pastforward.methods.base import Method
from pastforward.training.distributed import world

Value = TypeVar("Value")
Losses = Callable[[], tuple[Tensor, dict[str, Tensor]]]
"""The loss of a micro-batch, with gradient, and its terms."""


class Engine(ABC):
    """Abstract: forward and backward passes whose gradients are summed over ranks."""

    sharded = False
    """Does a rank hold a part of each weight only?"""

    @abstractmethod
    def backward(self, losses: Losses, last: bool) -> dict[str, Tensor]:
        """Add the gradients of `losses` and return its terms.

        After the `last` micro-batch of a step gradients are those of all ranks; before it nothing
        is sent.
        """

    def call(self, function: Callable[[], Value]) -> Value:
        """What `function` gives where it finds whole weights, without gradient."""
        return function()


@final
class Alone(Engine):
    """One process, or one that must not wait for others."""

    @override
    def backward(self, losses: Losses, last: bool) -> dict[str, Tensor]:
        loss, terms = losses()
        loss.backward()
        return terms


ALONE = Alone()


class _Networks(nn.Module):
    """Several networks, and any function of them as the forward pass."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    @override
    def forward(self, function: Callable[[], Value]) -> Value:
        return function()


@final
class Replicated(Engine):
    """DDP: every rank has all weights; gradients are summed in buckets during the backward pass."""

    def __init__(self, method: Method) -> None:
        """All ranks begin with rank 0's weights."""
        networks = _Networks(method.modules())
        # Their buffers are tables that all ranks compute alike.
        ignored = [name for name, _ in networks.named_buffers()]
        networks._ddp_params_and_buffers_to_ignore = ignored  # pyright: ignore
        static = method.fixed_graph
        self._module = nn.parallel.DistributedDataParallel(
            networks, static_graph=static, find_unused_parameters=not static
        )
        self._module.register_comm_hook(None, _summed)
        self._known, self._aside = not static, dict[nn.Parameter, Tensor]()

    @override
    def backward(self, losses: Losses, last: bool) -> dict[str, Tensor]:
        # A static graph can't be found out in a pass that sends nothing (torch 2.13), so all
        # micro-batches of the first step are sent.
        with self._module.no_sync() if self._known and not last else nullcontext():
            loss, terms = self._module(losses)
            loss.backward()
        if not self._known:
            self._set_aside(last)
            self._known = last
        return terms

    def _set_aside(self, last: bool) -> None:
        """Keep gradients that were summed already out of the next sum; at the end put them back."""
        for parameter in self._module.parameters():
            grads = [g for g in (self._aside.pop(parameter, None), parameter.grad) if g is not None]
            parameter.grad = None
            if grads and last:
                parameter.grad = torch.stack(grads).sum(0)
            elif grads:
                self._aside[parameter] = torch.stack(grads).sum(0)


def _summed(
    state: None,
    bucket: dist.GradBucket,  # pyright: ignore (as DDP asks for it)
) -> torch.futures.Future[Tensor]:
    work = dist.all_reduce(bucket.buffer(), async_op=True)
    assert work is not None
    return work.get_future().then(lambda done: done.value()[0])


@final
class Sharded(Engine):
    """FSDP2: weights, gradients and moments are cut by their first axis, a part on every rank.

    They are whole during a forward or backward pass: `parts` one at a time, the rest together.
    """

    sharded = True

    def __init__(self, networks: Sequence[nn.Module], parts: Iterable[nn.Module]) -> None:
        """`parts`, modules of `networks`, must be called as such."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        device = next(p.device for network in networks for p in network.parameters())
        mesh = init_device_mesh(device.type, (world(),))
        self._root = _Networks(networks)
        self._cut = [*parts, self._root]
        for module in self._cut:
            cut = fully_shard(module, mesh=mesh, reshard_after_forward=True)
            cut.set_gradient_divide_factor(1.0)
            cut.set_force_sum_reduction_for_comms(True)  # gloo knows no scaled sum

    def require(self, method: Method) -> None:
        """Raise `UsageError` where a method trains networks that were not cut."""
        known = {id(parameter) for parameter in self._root.parameters()}
        if any(id(parameter) not in known for parameter in method.parameters()):
            raise UsageError(
                f"{type(method).__name__} trains networks besides student and teacher, which "
                "--dist.mode fsdp can't cut; use --dist.mode ddp."
            )

    @override
    def backward(self, losses: Losses, last: bool) -> dict[str, Tensor]:
        self._root.set_requires_gradient_sync(last)  # pyright: ignore
        loss, terms = self._root(losses)
        loss.backward()
        return terms

    @override
    def call(self, function: Callable[[], Value]) -> Value:
        """Ranks may call the networks inside as often as they like: all weights are there."""

        def with_whole_weights() -> Value:
            self._keep(whole=True)
            try:
                return function()
            finally:
                self._keep(whole=False)

        with torch.no_grad():
            return self._root(with_whole_weights)

    def _keep(self, whole: bool) -> None:
        for module in self._cut:
            module.set_reshard_after_forward(not whole, recurse=False)  # pyright: ignore
            module.unshard() if whole else module.reshard()  # pyright: ignore


def engine_of(method: Method) -> Engine:
    """DDP where there are several ranks."""
    return Replicated(method) if world() > 1 else ALONE


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor that may be cut over ranks; every rank must ask for it."""
    if world() == 1:  # importing it takes a second
        return tensor
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def cut_like(tensor: Tensor, like: Tensor) -> Tensor:
    """This rank's part of a tensor that all ranks have, cut as `like` is."""
    if world() == 1:
        return tensor
    from torch.distributed.tensor import DTensor, Replicate

    if not isinstance(like, DTensor):
        return tensor
    everywhere = [Replicate()] * like.device_mesh.ndim
    held = DTensor.from_local(tensor, like.device_mesh, everywhere, run_check=False)
    return held.redistribute(placements=like.placements)
