"""L4. Principal components: the directions in which memories differ most."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Components:
    """A mean `[S]`, orthonormal axes `[n, S]` and the share of the variance along each, `[n]`."""

    mean: Tensor
    axes: Tensor
    shares: Tensor

    def project(self, rows: Tensor) -> Tensor:
        """Coordinates `[..., n]` of rows `[..., S]`."""
        return (rows - self.mean) @ self.axes.T


def principal_components(rows: Tensor, count: int = 2) -> Components:
    """The first `count` of N rows of S numbers, `[N, S]`.

    An axis has its largest entry above 0, so that the same rows give the same picture.
    """
    mean = rows.mean(0)
    _, values, axes = torch.linalg.svd(rows - mean, full_matrices=False)
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    variances = values.square()
    shares = variances / variances.sum().clamp(min=torch.finfo(rows.dtype).tiny)
    return Components(mean, (axes * largest.sign())[:count], shares[:count])
