"""L4. Many processes as one run: `torchrun` starts them, gradients are averaged."""

import os
from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import nn

from pastforward.errors import UsageError


def connect() -> torch.device:
    """Join the process group that torchrun announces, if any, and return this rank's device."""
    accelerator = torch.accelerator.current_accelerator()
    if os.environ.get("WORLD_SIZE", "1") != "1" and not dist.is_initialized():
        missing = {"RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"} - os.environ.keys()
        if missing:
            raise UsageError(
                f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but {', '.join(sorted(missing))} not "
                "set; start many processes by torchrun, or unset WORLD_SIZE."
            )
        dist.init_process_group("nccl" if accelerator and accelerator.type == "cuda" else "gloo")
    if accelerator is None:
        return torch.device("cpu")
    return torch.device(accelerator.type, int(os.environ["LOCAL_RANK"]) if world() > 1 else 0)


def rank() -> int:
    """This process's number, 0 when alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def broadcast(parameters: Sequence[nn.Parameter]) -> None:
    """Give every rank rank 0's weights."""
    if world() > 1:
        for parameter in parameters:
            dist.broadcast(parameter.data, 0)


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Mean of the gradients over ranks, in one message."""
    if world() == 1:
        return
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    message = torch.cat([grad.flatten() for grad in grads])
    dist.all_reduce(message)
    parts = message.div_(world()).split([p.numel() for p in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter)


def agree(value: float) -> float:
    """Rank 0's value on every rank, so that all stop and evaluate at the same step."""
    if world() == 1:
        return value
    message = torch.tensor([value], dtype=torch.float64)
    if dist.get_backend() == "nccl":
        message = message.float().cuda()
    dist.broadcast(message, 0)
    return message.item()


def barrier() -> None:
    """Wait until all ranks are here."""
    agree(0.0)


def disconnect() -> None:
    """Leave the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()
