"""L4. How gradients become those of all ranks: one process alone, DDP, or FSDP2.

A method calls the networks that it trains in many ways: a cell on all transitions at once, an
encoder at some times. So what PyTorch's engines wrap is a module that holds those networks and
whose forward is the method's loss. Losses are weighted by `Shares`, so gradients are summed over
ranks, where the engines by themselves take a mean.
"""

import warnings
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
from pastforward.training.distributed import rank, world

Value = TypeVar("Value")
Losses = Callable[[], tuple[Tensor, dict[str, Tensor]]]
"""The loss of a micro-batch, with gradient, and its terms."""


class Engine(ABC):
    """Abstract: forward and backward passes whose gradients are summed over ranks."""

    sharded = False
    """Does a rank hold a part of each weight only?"""

    @property
    def readers(self) -> int:
        """How many ranks read batches of their own."""
        return world()

    @property
    def reader(self) -> int:
        """Which of them this is."""
        return rank()

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

    def __init__(self, method: Method, accumulates: bool) -> None:
        """All ranks begin with rank 0's weights. `accumulates`: over several micro-batches."""
        networks = _Networks(method.modules())
        # Their buffers are tables that all ranks compute alike.
        ignored = [name for name, _ in networks.named_buffers()]
        networks._ddp_params_and_buffers_to_ignore = ignored  # pyright: ignore
        # A static graph can't be found out in a pass that sends nothing (torch 2.13).
        static = method.fixed_graph and not accumulates
        self._module = nn.parallel.DistributedDataParallel(
            networks, static_graph=static, find_unused_parameters=not static
        )
        self._module.register_comm_hook(None, _summed)
        # That all are used in this step says nothing about the next one.
        warnings.filterwarnings("ignore", "find_unused_parameters=True was specified")

    @override
    def backward(self, losses: Losses, last: bool) -> dict[str, Tensor]:
        with nullcontext() if last else self._module.no_sync():
            loss, terms = self._module(losses)
            loss.backward()
        return terms


def _summed(state: None, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
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


def engine_of(method: Method, accumulates: bool) -> Engine:
    """DDP where there are several ranks."""
    return Replicated(method, accumulates) if world() > 1 else Alone()


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
