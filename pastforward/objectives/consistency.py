"""L2. Predictive-state consistency: the student's error in what a memory is for.

A squared error counts all directions of a memory alike. This counts those that move the future:
KL between the futures that the decoder reads from the label and from the student's memory. One
step of the cell, so the gradient path stays O(1).
"""

from jaxtyping import Float
from torch import Tensor

from pastforward.outputs import kl
from pastforward.types import Kind


def consistency(
    kind: Kind,
    from_label: Float[Tensor, "... parameters"],
    from_student: Float[Tensor, "... parameters"],
) -> Float[Tensor, "..."]:
    """KL(p(y | label) || p(y | student's memory)) per output, in nats; the label gets no gradient."""
    return kl(kind, from_label.detach(), from_student)
