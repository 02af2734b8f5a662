"""L4. Muon for the matrices of linear maps, AdamW for the rest, and the rate over a stage."""

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from pastforward.config import FitConfig
from pastforward.errors import UsageError, nearest
from pastforward.training.muon import Muon


class Optimiser:
    """What the loop steps: the trainable parameters of modules, each moved by its optimiser."""

    def __init__(self, modules: Iterable[nn.Module], config: FitConfig) -> None:
        """Raises `UsageError` for an optimiser that does not exist."""
        known = ["muon", "adamw"]
        if config.optimiser not in known:
            raise UsageError(
                f"There is no optimiser '{config.optimiser}'; {nearest(config.optimiser, known)}."
            )
        modules = list(modules)
        unique = dict.fromkeys(p for m in modules for p in m.parameters() if p.requires_grad)
        self.parameters: Sequence[nn.Parameter] = list(unique)
        matrices = set(_linear(modules)) if config.optimiser == "muon" else set()
        matrices &= unique.keys()
        rest = [p for p in self.parameters if p not in matrices]
        self._parts: list[torch.optim.Optimizer] = [_adamw(rest, config.weight_decay)]
        if matrices:
            ordered = (p for p in self.parameters if p in matrices)
            self._parts.append(Muon(ordered, config.weight_decay))

    def forget(self) -> None:
        """Drop all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self, lr: float) -> None:
        """One update at a rate."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = lr
            part.step()

    def tensors(self) -> dict[str, Tensor]:
        """All moments, by optimiser, parameter number and name."""
        return {
            f"{n}.{i}.{name}": tensor
            for n, part in enumerate(self._parts)
            for i, entry in part.state_dict()["state"].items()
            for name, tensor in entry.items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        for n, part in enumerate(self._parts):
            state: dict[int, dict[str, Tensor]] = {}
            for key, tensor in tensors.items():
                number, i, name = key.split(".", 2)
                if int(number) == n:
                    state.setdefault(int(i), {})[name] = tensor
            part.load_state_dict(part.state_dict() | {"state": state})


def _linear(modules: Iterable[nn.Module]) -> Iterable[nn.Parameter]:
    """Weights of linear maps. Tables of embeddings, registers and the like are no maps."""
    parts = (part for module in modules for part in module.modules())
    return (cast(nn.Parameter, part.weight) for part in parts if isinstance(part, nn.Linear))


def _adamw(parameters: Sequence[nn.Parameter], weight_decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019); only matrices decay."""
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
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
