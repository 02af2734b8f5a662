"""L4. Muon for the matrices of linear maps, AdamW for the rest, and the rate over a stage."""

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from pastforward.training.configs import FitConfig
from pastforward.training.muon import Muon


class Optimiser:
    """The trainable parameters of modules, each updated by Muon or AdamW."""

    def __init__(self, modules: Iterable[nn.Module], config: FitConfig) -> None:
        """`config.optimiser` says which one moves the weights of linear maps."""
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

    def zero_grad(self) -> None:
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
        """Load what `tensors` gave."""
        for n, part in enumerate(self._parts):
            state: dict[int, dict[str, Tensor]] = {}
            for key, tensor in tensors.items():
                number, i, name = key.split(".", 2)
                if int(number) == n:
                    state.setdefault(int(i), {})[name] = tensor
            part.load_state_dict(part.state_dict() | {"state": state})


def _linear(modules: Iterable[nn.Module]) -> Iterable[nn.Parameter]:
    """Weights of linear maps. Embeddings and registers use AdamW."""
    parts = (part for module in modules for part in module.modules())
    return (cast(nn.Parameter, part.weight) for part in parts if isinstance(part, nn.Linear))


def _adamw(parameters: Sequence[nn.Parameter], weight_decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019); only matrices decay."""
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)


def schedule(config: FitConfig, step: int, share: float) -> float:
    """Factor on the stage's learning rate at `step`, with `share` of its budget spent."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    if config.schedule == "constant":
        return warm
    return warm * (0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, share))))
