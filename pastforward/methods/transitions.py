"""L3. What SMT and DMT share: transitions between target memories, and losses along them."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from pastforward.losses import transition_weights, variance_unexplained
from pastforward.methods.configs import DMTConfig, SMTConfig


class Transitions(NamedTuple):
    """Target memories before and after each of n steps, and that of the empty memory."""

    empty: Tensor  # m_0 [1 or B, 1, K, D]
    before: Tensor  # m_t [B, n, K, D]
    after: Tensor  # m_{t+1} [B, n, K, D]


def dynamics(own: Tensor, targets: Transitions) -> Tensor:
    """Weighted fraction of variance unexplained; `own` `[B, n + 1, K, D]` is m_0 and n memories."""
    empty = targets.empty.expand(len(own), -1, -1, -1)
    target = torch.cat([empty, targets.after], 1)
    weights = F.pad(transition_weights(targets.before, targets.after), (1, 0), value=1.0)
    return (weights * variance_unexplained(own, target)).mean()


def weighted_sum(config: SMTConfig | DMTConfig, terms: Mapping[str, Tensor]) -> Tensor:
    """Each term times the dial of the same name."""
    return torch.stack([getattr(config, name) * term for name, term in terms.items()]).sum()
