"""L2. Variance and covariance: every number of a memory tells sequences apart and repeats no other.

After Bardes, Ponce & LeCun 2022 (VICReg), whose sums are means here, so that one weight serves
memories of all sizes.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pastforward.memory import flat

_EPSILON = 1e-4
"""Added to variances: the slope of a deviation is infinite at 0."""


def covariance(m: Float[Tensor, "steps count slots width"]) -> Float[Tensor, ""]:
    """What deviations lack of 1, plus the mean square of covariances between two numbers.

    Both are over the sequences of a step and averaged over steps, so a clock does nothing. 0 when
    all numbers are uncorrelated and of variance 1 or more; about 1 when all memories of a step are
    the same, 0 where there is but one. N independent sequences leave 1/N of the second part.
    """
    count, size = m.shape[1], m.shape[2] * m.shape[3]
    if count < 2:
        return m.new_zeros(())
    rows = flat(m)
    rows = rows - rows.mean(1, keepdim=True)
    shared = rows.transpose(1, 2) @ rows / count
    variance = shared.diagonal(dim1=1, dim2=2)
    repeated = shared.square().sum((1, 2)) - variance.square().sum(1)
    lacking = F.relu(1.0 - (variance + _EPSILON).sqrt()).mean(1)
    return (lacking + repeated / max(1, size * (size - 1))).mean()
