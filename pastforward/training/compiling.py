"""L4. Compiling a method: kept only where it gives the gradients that eager code gives."""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pastforward.methods.base import Method
from pastforward.training import FitConfig

TOLERANCE = {False: 1e-2, True: 0.2}
"""Allowed norm of the gradients' difference over their norm, by whether bfloat16 is used."""


def wanted(config: FitConfig, device: torch.device) -> bool:
    """Is compilation asked for? 'auto' leaves it out on a CPU, where it gains little."""
    if config.compile == "auto":
        return device.type != "cpu"
    return config.compile == "on"


def compile_checked(
    method: Method, gradients: Callable[[], Sequence[Tensor]], tolerance: float
) -> None:
    """Compile `method`; where that fails or is wrong, warn and go back to eager code.

    `gradients()` runs one step on the same batch and noise each time. Compilation is lazy, the
    backward pass included, so this also keeps its time out of timed training.
    """
    right = gradients()
    try:
        method.compile(lambda part: torch.compile(part, dynamic=False))
        error = _difference(gradients(), right)
        # Generated code can be silently wrong: seen on CPUs with more than one thread (2.13.0).
        problem = None if error <= tolerance else f"gradients are off by {error:.1%}"
    except Exception as failure:  # any compiler can fail in any way; eager is always right
        problem = str(failure).strip().splitlines()[0]
    if problem is not None:
        method.compile(lambda part: part)
        warnings.warn(f"torch.compile failed ({problem}); training eagerly.", stacklevel=3)


def _difference(given: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """Norm of the difference over the norm of `right`."""
    off, size = (
        torch.nn.utils.get_total_norm(parts)
        for parts in ([a - b for a, b in zip(given, right, strict=True)], right)
    )
    return float(off / size.clamp(min=1e-12))
