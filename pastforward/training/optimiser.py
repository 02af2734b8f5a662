"""L4. Muon (Jordan et al. 2024) for weights of linear maps, AdamW for the rest, and the schedule.

Muon makes all singular values of an update alike, so a rare gradient direction changes a matrix as
much as a frequent one."""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from inspect import unwrap

import torch
from torch import Tensor, nn

from pastforward.training import FitConfig
from pastforward.training.engine import cut_like, whole

_NEWTON_SCHULZ = 3.4445, -4.7750, 2.0315
"""Coefficients of Jordan's quintic: five iterations bring singular values >= 0.01 to 0.7..1.2."""
_ITERATIONS = 5
_LARGE = 256
"""Rows from which products in bfloat16 save time, the conversion included."""
_SCALE = 0.8
"""Root-mean-square of an update at a learning rate of 1. Liu et al. 2025 (arXiv 2502.16982) use
0.2, the size of AdamW's; 0.8 was best on copies, digits and retrieval (docs/log.md)."""


class _Eager:
    """First base of an optimiser that is never compiled.

    Methods of torch's optimisers are wrapped for `torch.compile`, and the first call of a wrapper
    imports all of it: about 2 s and 150 MB. The methods themselves are the same.
    """

    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = unwrap(torch.optim.Optimizer.load_state_dict)


class AdamW(_Eager, torch.optim.AdamW):
    """`torch.optim.AdamW`, without an import of the compiler."""

    step = torch.no_grad()(unwrap(torch.optim.AdamW.step))


class Muon(_Eager, torch.optim.Optimizer):
    """Orthogonalised momentum, for all matrices of a shape at once.

    `torch.optim.Muon` goes matrix by matrix and in bfloat16, which on a CPU without units for it
    takes twice the time of a whole training step (torch 2.13.0).
    """

    found_inf: Tensor | None = None
    """1.0 where an update must not be made."""

    def __init__(
        self, matrices: Iterable[nn.Parameter], weight_decay: float, momentum: float = 0.95
    ) -> None:
        """One parameter group per shape, where m x n and n x m count as the same."""
        shapes: dict[tuple[int, ...], list[nn.Parameter]] = {}
        for matrix in matrices:
            shapes.setdefault(tuple(sorted(matrix.shape)), []).append(matrix)
        groups = [{"params": group} for group in shapes.values()]
        super().__init__(groups, {"lr": 0.0, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore
        """One update of all matrices that have a gradient."""
        for group in self.param_groups:
            matrices = [p for p in group["params"] if p.grad is not None]
            if not matrices:
                continue
            lr, decay = group["lr"], group["weight_decay"]
            # Of matrices that are cut over ranks, every rank makes the whole update.
            ahead = [_wide(whole(self._ahead(p, group["momentum"]))) for p in matrices]
            ahead = torch.stack(ahead)
            updates = orthogonal(ahead).mul_(lr * _SCALE * math.sqrt(ahead.shape[-1]))
            for matrix, update in zip(matrices, updates, strict=True):
                change = cut_like(update if _is_wide(matrix) else update.mT, matrix)
                if self.found_inf is not None:
                    change = torch.where(self.found_inf > 0, 0.0, change + lr * decay * matrix)
                else:
                    matrix.mul_(1.0 - lr * decay)
                matrix.sub_(change)

    def _ahead(self, matrix: nn.Parameter, momentum: float) -> Tensor:
        """Nesterov momentum: the gradient with the updated momentum mixed in."""
        assert matrix.grad is not None
        state = self.state[matrix]
        if not state:
            state["momentum"] = torch.zeros_like(matrix)
        state["momentum"].lerp_(matrix.grad, 1.0 - momentum)
        return matrix.grad.lerp(state["momentum"], momentum)


def orthogonal(matrices: Tensor) -> Tensor:
    """Same singular vectors, singular values near 1; `[N, m, n]`, m <= n (Newton-Schulz)."""
    a, b, c = _NEWTON_SCHULZ
    x = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    x = x.to(_dtype_of_products(matrices))
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.to(matrices.dtype)


def _dtype_of_products(matrices: Tensor) -> torch.dtype:
    """bfloat16 for large matrices in float32 where processors multiply it faster."""
    large = matrices.dtype == torch.float32 and matrices.shape[1] >= _LARGE
    return torch.bfloat16 if large and _multiplies_bfloat16(matrices.device) else matrices.dtype


@cache
def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_amx_tile_supported()


def _is_wide(matrix: Tensor) -> bool:
    return matrix.shape[0] <= matrix.shape[1]


def _wide(matrix: Tensor) -> Tensor:
    return matrix if _is_wide(matrix) else matrix.mT


class Optimiser:
    """The trainable parameters of modules, each updated by Muon or AdamW."""

    def __init__(self, modules: Iterable[nn.Module], config: FitConfig) -> None:
        """`config.optimiser` says which one moves the weights of linear maps."""
        modules = list(modules)
        unique = dict.fromkeys(p for m in modules for p in m.parameters() if p.requires_grad)
        self.parameters: Sequence[nn.Parameter] = list(unique)
        linear = set(_linear(modules)) if config.optimiser == "muon" else set()
        matrices = [p for p in self.parameters if p in linear]
        rest = [p for p in self.parameters if p not in linear]
        self._parts: list[torch.optim.Optimizer] = [_adamw(rest, config.weight_decay)]
        if matrices:
            self._parts.append(Muon(matrices, config.weight_decay))

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self, lr: float, skip: Tensor | None = None) -> None:
        """One update at a rate; none where `skip`, on the parameters' device, is 1.0."""
        for part in self._parts:
            part.found_inf = skip  # as AMP's scaler has it  # pyright: ignore
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

    def like(self, key: str) -> Tensor | None:
        """What the tensor of this key in `tensors` is shaped and cut like: its parameter."""
        n, i, name = key.split(".", 2)
        groups = self._parts[int(n)].param_groups
        parameters = [parameter for group in groups for parameter in group["params"]]
        return None if name == "step" else parameters[int(i)]

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Load what `tensors` gave."""
        states: list[dict[int, dict[str, Tensor]]] = [{} for _ in self._parts]
        for key, tensor in tensors.items():
            n, i, name = key.split(".", 2)
            states[int(n)].setdefault(int(i), {})[name] = tensor
        for part, state in zip(self._parts, states, strict=True):
            part.load_state_dict(part.state_dict() | {"state": state})


def _linear(modules: Iterable[nn.Module]) -> Iterable[nn.Parameter]:
    """Weights of linear maps. Embeddings and registers use AdamW."""
    parts = (part for module in modules for part in module.modules())
    linear = (part for part in parts if isinstance(part, nn.Linear | nn.RNNBase))
    return (p for part in linear for p in part.parameters(recurse=False) if p.dim() == 2)


def _adamw(parameters: Sequence[nn.Parameter], weight_decay: float) -> AdamW:
    """AdamW (Loshchilov & Hutter 2019); only matrices decay."""
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return AdamW(groups, betas=(0.9, 0.99), fused=True)


def schedule(config: FitConfig, step: int, share: float) -> float:
    """Factor on the stage's learning rate at `step`, with `share` of its budget spent."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    if config.schedule == "constant":
        return warm
    return warm * (0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, share))))
