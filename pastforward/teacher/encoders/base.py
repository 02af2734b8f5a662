"""L1. Encoders: what a recurrent network should remember after every prefix.

`CausalEncoder` labels all t = 0..T in one pass: a causal Transformer, and one of `pools.py` that
reads memories from its states. `WindowEncoder` is the paper's: a bidirectional Transformer over the
last Tc inputs and K registers, one memory per pass.
"""

from abc import ABC, abstractmethod

from jaxtyping import Float, Int
from torch import Tensor, nn


class Encoder(nn.Module, ABC):
    """E: x -> labels. Causal: changing x after t leaves m_t unchanged."""

    @abstractmethod
    def targets(self, x: Tensor) -> Float[Tensor, "batch steps slots width"]:
        """m_0..m_T of every sequence, `[B, T+1, K, D]`."""

    @abstractmethod
    def at(
        self, x: Tensor, times: Int[Tensor, "batch count"]
    ) -> Float[Tensor, "batch count slots width"]:
        """m_t for the times asked, each in 0..T."""

    @abstractmethod
    def empty(self, x: Tensor) -> Float[Tensor, "1 1 slots width"]:
        """m_0, which depends on no input; x tells device and kind."""
