"""L4. AdamW and its learning rate over a stage."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pastforward.config import FitConfig
from pastforward.types import UsageError, nearest


def make_optimiser(parameters: Sequence[nn.Parameter], config: FitConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019); only matrices decay."""
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)


def rate(config: FitConfig, step: int, share: float) -> float:
    """Factor on the stage's learning rate at `step`, with `share` of its budget spent."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    if config.schedule == "constant":
        return warm
    if config.schedule == "cosine":
        return warm * (0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, share))))
    known = ["cosine", "constant"]
    raise UsageError(
        f"There is no schedule '{config.schedule}'; {nearest(config.schedule, known)}."
    )


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's moments by parameter number and name."""
    state = optimiser.state_dict()["state"]
    return {f"{i}.{name}": t for i, entry in state.items() for name, t in entry.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = tensor
    optimiser.load_state_dict(optimiser.state_dict() | {"state": state})
