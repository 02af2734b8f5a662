"""L4. Numbers below 1e-38 count as 0 while a network trains on a CPU.

Gradients that vanish over many steps become such numbers, and some processors compute with them ten
times as slowly (docs/log.md): what they add is nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """In this thread, and then again as it was; does nothing where the processor can't."""
    before = _flushes()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _flushes() -> bool:
    return not bool(torch.full((), 1e-39, dtype=torch.float32, device="cpu") * 0.5)
