"""L4. Many processes as one run: `torchrun` starts them; what they tell each other."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from pastforward.errors import UsageError

T = TypeVar("T")


def connect() -> torch.device:
    """Join the process group that torchrun announces, if any, and return this rank's device.

    It is the accelerator of the process's number on its machine, and torch's current one from here
    on. Raises `UsageError` where torchrun set too little, or started more processes than that.
    """
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if os.environ.get("WORLD_SIZE", "1") != "1" and not dist.is_initialized():
        missing = {"RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"} - os.environ.keys()
        if missing:
            raise UsageError(
                f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but {', '.join(sorted(missing))} not "
                "set; start many processes by torchrun, or unset WORLD_SIZE."
            )
        if accelerator is not None:
            _take_device(int(os.environ["LOCAL_RANK"]))
        # What processes agree on lies on the host: over gloo, no accelerator waits for it.
        cuda = accelerator is not None and accelerator.type == "cuda"
        _join("cpu:gloo,cuda:nccl" if cuda else "gloo")
    return _own_device()


def _join(backend: str) -> None:
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    if again == "0" or os.environ.get("LOCAL_WORLD_SIZE") != os.environ["WORLD_SIZE"]:
        dist.init_process_group(backend)
        return
    # torchrun's store keeps addresses of processes that it has restarted since (torch 2.13): who
    # reads one of them waits for 30 minutes. Machines count restarts each for itself.
    store, number, count = next(rendezvous("env://"))
    store = dist.PrefixStore(f"restart {again}", store)  # pyright: ignore
    dist.init_process_group(backend, store=store, rank=number, world_size=count)


def _take_device(number: int) -> None:
    devices = torch.accelerator.device_count()
    if number >= devices:
        raise UsageError(
            f"torchrun started {number + 1} or more processes here, and this machine has {devices} "
            f"accelerators; start one for each (--nproc-per-node {devices})."
        )
    torch.accelerator.set_device_index(number)


def _own_device() -> torch.device:
    """That of this rank: torch's current accelerator, or the CPU."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return torch.device("cpu")
    return torch.device(accelerator.type, torch.accelerator.current_device_index())


def rank() -> int:
    """This process's number, 0 when alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


class Part(NamedTuple):
    """One of several readers that share what is read."""

    readers: int
    reader: int


def part_of_rank() -> Part:
    """This rank as one of all."""
    return Part(world(), rank())


_GROUPS: dict[int, Any] = {}


def neighbours(count: int) -> Any:
    """The process group of this rank and those beside it, `count` in all, which divides all ranks.

    All ranks call it together.
    """
    if count not in _GROUPS:
        for first in range(0, world(), count):
            group = dist.new_group(list(range(first, first + count)))
            if first <= rank() < first + count:
                _GROUPS[count] = group
    return _GROUPS[count]


def sum_over_ranks(tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Each tensor's sum over ranks, in one message."""
    if world() == 1:
        return tensors
    message = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(message)
    parts = message.split([tensor.numel() for tensor in tensors])
    return [part.view_as(t).to(t.dtype) for part, t in zip(parts, tensors, strict=True)]


def agree(*values: float) -> list[float]:
    """Rank 0's values on every rank, so that all stop, evaluate and save at the same step."""
    if world() == 1:
        return list(values)
    message = torch.tensor(values, dtype=torch.float64)
    dist.broadcast(message, 0)
    return message.tolist()


def from_ranks(value: T) -> list[T]:
    """The values of all ranks, in their order, on every rank."""
    if world() == 1:
        return [value]
    found: list = [None] * world()
    dist.all_gather_object(found, value)
    return found


def is_loss_of_peer(error: RuntimeError) -> bool:
    """Does it say that another rank has ended?"""
    return world() > 1 and any(word in str(error) for word in ("by peer", "NCCL"))


@contextmanager
def loss_of_peer_named(resume_command: str) -> Iterator[None]:
    """`UsageError` in place of what a rank raises where another one has ended."""
    try:
        yield
    except RuntimeError as error:
        if not is_loss_of_peer(error):
            raise
        raise UsageError(
            "Another process of this run has ended; what it said tells why. Unless torchrun "
            f"restarts them all (--max-restarts), go on with: {resume_command}"
        ) from error


def on_first_rank(do: Callable[[], None]) -> None:
    """Rank 0 does it while the others wait; where it can't, all raise `UsageError`."""
    error = None
    try:
        if rank() == 0:
            do()
    except UsageError as failure:
        error = failure
    if agree(error is not None)[0]:
        raise error or UsageError("Rank 0 could not go on.")


def barrier() -> None:
    """Wait until all ranks are here."""
    agree(0.0)


def disconnect() -> None:
    """Leave the process group, if there is one."""
    _GROUPS.clear()
    if dist.is_initialized():
        dist.destroy_process_group()
