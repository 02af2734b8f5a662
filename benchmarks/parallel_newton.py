"""A nonlinear GRU trained in parallel over time, by Newton's method, from `pararnn-torch`.

Danieli et al. 2025 (arXiv 2510.21450): all states at once, as the solution of the equations
h_t = f(h_{t-1}, x_t), in a few iterations, each a linear recurrence. Its gates have diagonal
recurrent weights, so that the Jacobians are diagonal; gradients are those of BPTT. On a CPU the
package (with triton, which it imports) takes its eager path.

    pip install pararnn-torch
    pastforward compare s5:40,elements=2 --networks benchmarks.parallel_newton:ParallelNewton \
      --methods parallel
    python -m benchmarks.speed newton --threads 1
"""

from importlib import import_module
from typing import final

from torch import Tensor, nn
from typing_extensions import override

from pastforward.baselines import BaselineConfig
from pastforward.baselines.base import Baseline
from pastforward.errors import UsageError
from pastforward.types import Signature

_ITERATIONS = 3
"""Of Newton's method, as in the paper."""
_EXPAND = 2
"""Units for each number of the width."""


@final
class ParallelNewton(Baseline):
    """Layers of such a GRU and a linear map, pre-norm and residual."""

    def __init__(self, signature: Signature, config: BaselineConfig) -> None:
        """Raises `UsageError` where the package is not installed."""
        super().__init__(signature, config)
        try:
            library = import_module("pararnn")
        except ImportError as error:
            raise UsageError(
                f"The network by parallel Newton needs a package that can't be imported ({error}); "
                "get it with: pip install pararnn-torch."
            ) from error
        newton = library.NewtonConfig(max_iters=_ITERATIONS)
        self.norms = nn.ModuleList([nn.LayerNorm(self.width) for _ in range(config.depth)])
        self.layers = nn.ModuleList([
            library.ParaRNN(library.ParaGRU(self.width, _EXPAND * self.width), config=newton)
            for _ in range(config.depth)
        ])  # fmt: skip
        maps = [nn.Linear(_EXPAND * self.width, self.width) for _ in range(config.depth)]
        self.out = nn.ModuleList(maps)

    @override
    def features(self, e: Tensor) -> Tensor:
        for norm, layer, out in zip(self.norms, self.layers, self.out, strict=True):
            e = e + out(layer(norm(e)))
        return e
