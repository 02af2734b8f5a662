"""L4. Compiling a method: kept only where it gives the gradients that eager code gives."""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from pastforward.methods.base import Method

_TOLERANCE, _TOLERANCE_BFLOAT16 = 1e-2, 0.2
"""Allowed norm of the gradients' difference over their norm."""


def compile_checked(
    method: Method, gradients: Callable[[], Sequence[Tensor]], bfloat16: bool,
    mode: str | None = None,
) -> None:  # fmt: skip
    """Compile `method`; where that fails or is wrong, warn and go back to eager code.

    `gradients()` runs one step on the same batch and noise each time. Compilation is lazy, the
    backward pass included, so this also keeps its time out of timed training. `mode` is that of
    `torch.compile`.
    """
    right = gradients()
    try:
        method.compile(lambda part: torch.compile(part, dynamic=False, mode=mode))
        found = gradients()
        off = get_total_norm([a - b for a, b in zip(found, right, strict=True)])
        error = float(off / get_total_norm(right).clamp(min=1e-12))
        # Generated code can be silently wrong: seen on CPUs with more than one thread (2.13.0).
        within = error <= (_TOLERANCE_BFLOAT16 if bfloat16 else _TOLERANCE)
        problem = None if within else f"gradients are off by {error:.1%}"
    except Exception as failure:  # any compiler can fail in any way; eager is always right
        problem = str(failure).strip().splitlines()[0]
    if problem is not None:
        method.compile(lambda part: part)
        warnings.warn(f"torch.compile failed ({problem}); training eagerly.", stacklevel=3)
