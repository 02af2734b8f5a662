"""L4. Compiling a method: kept only where it gives the gradients that eager code gives."""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pastforward.config import FitConfig
from pastforward.methods.base import Method

ROUNDING = {False: 1e-2, True: 0.2}
"""Difference of gradients over their norm that rounding may make, by whether it is to bfloat16."""


def wanted(config: FitConfig, device: torch.device) -> bool:
    """Is compilation asked for? On a CPU it gains little, so only those who ask get it."""
    if config.compile == "auto":
        return device.type != "cpu"
    return config.compile == "on"


def compile_checked(
    method: Method, gradients: Callable[[], Sequence[Tensor]], rounding: float
) -> None:
    """Compile `method`; where that fails or is wrong, warn and go back to eager code.

    `gradients()` runs one step of it on the same batch and noise each time. Compilers put off
    their work, backward too, until it is asked for: so this also keeps it out of timed training.
    """
    right = gradients()
    try:
        method.compile(lambda part: torch.compile(part, dynamic=False))
        error = _difference(gradients(), right)
        # Generated code can be wrong and run on: seen on CPUs with more than one thread.
        problem = None if error <= rounding else f"gradients are off by {error:.1%}"
    except Exception as failure:  # any compiler can fail in any way; eager is always right
        problem = str(failure).strip().splitlines()[0]
    if problem is not None:
        method.compile(lambda part: part)
        warnings.warn(f"torch.compile failed ({problem}); training eagerly.", stacklevel=3)


def _difference(given: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """Norm of the difference over the norm of what is right."""
    off, size = (
        torch.nn.utils.get_total_norm(parts)
        for parts in ([a - b for a, b in zip(given, right, strict=True)], right)
    )
    return float(off / size.clamp(min=1e-12))
