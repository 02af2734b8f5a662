"""L2. Predictive-state consistency: the student's error in what a memory is for.

A squared error counts all directions of a memory alike. This counts those that move the future:
KL between the futures that the decoder reads from the label and from the student's memory. One
step of the cell, so the gradient path stays O(1).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pastforward.outputs import kl
from pastforward.types import Kind


def consistency(
    decoder: nn.Module,
    kind: Kind,
    label: Float[Tensor, "batch anchors slots width"],
    reached: Float[Tensor, "batch anchors slots width"],
    x: Tensor,
) -> Float[Tensor, "batch anchors future"]:
    """KL(p(y | label) || p(y | reached)) per output, in nats.

    x `[B, A, F-1]` are the true next inputs. Gradient flows to `reached` alone: neither the label
    nor the decoder may move to please the student.
    """
    with torch.no_grad():
        target = decoder(label, x)
    frozen = {name: parameter.detach() for name, parameter in decoder.named_parameters()}
    return kl(kind, target, torch.func.functional_call(decoder, frozen, (reached, x)))
