"""Batches with few outputs in some sequences and many in others, and a method's gradients there."""

import copy

import torch

from pastforward.config import Budget
from pastforward.data.opening import open_source
from pastforward.methods.base import Method
from pastforward.training import FitConfig
from pastforward.training.loop import Fit
from pastforward.types import Batch, Signature

BATCH = 4
STACK = open_source("stack:32")


class Uneven:
    """One output in half of the sequences and 8 in the others: in parts of their own.

    Batches of an odd number have 8 in all. `joined` batches of the source below are one.
    """

    def __init__(self, thinned: bool, joined: int = 1) -> None:
        self.thinned, self.joined, self.signature = thinned, joined, STACK.signature

    def with_signature(self, signature: Signature) -> "Uneven":
        other = copy.copy(self)
        other.signature = signature
        return other

    def batch(self, seed: int, index: int, size: int) -> Batch:
        size //= self.joined
        parts = [self._one(seed, self.joined * index + n, size) for n in range(self.joined)]
        return Batch(*map(torch.cat, zip(*parts, strict=True)))

    def _one(self, seed: int, index: int, size: int) -> Batch:
        batch = STACK.batch(seed, index, size)
        if not self.thinned:
            return batch
        kept = torch.where(torch.arange(size) < size // 2, 1 if index % 2 == 0 else 8, 8)
        ends = 20 + torch.arange(size)  # of several lengths, too
        steps = torch.arange(batch.mask.shape[1])
        mask = (steps < ends[:, None]) & (steps >= (ends - kept)[:, None])
        return batch._replace(mask=mask)


TASKS = {"stack": Uneven(False), "uneven": Uneven(True)}


def gradients(method: Method, source, accumulate: int, size: int = BATCH) -> torch.Tensor:
    """Of a step, all in one tensor."""
    config = FitConfig(
        batch=size, accumulate=accumulate, compile="off", clip=float("inf"), warmup=1
    )
    fit = Fit(method, source, 1e-9, Budget(steps=1), config)
    fit.step()
    return torch.cat(
        [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in fit.parameters]
    )


def off(found: torch.Tensor, right: torch.Tensor) -> float:
    """Norm of the difference over the norm of what is right."""
    return float((found - right).norm() / right.norm())
