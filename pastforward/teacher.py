"""L2. The teacher: encoder and decoder. It labels, then it is thrown away."""

from jaxtyping import Float
from torch import Tensor, nn

from pastforward.decoder import Decoder
from pastforward.encoder import Encoder
from pastforward.types import MemoryShape, Signature


class Teacher(nn.Module):
    """E and D, trained so that m_t predicts y_t..y_{t+F-1}."""

    def __init__(
        self, signature: Signature, memory: MemoryShape, encoder: Encoder, decoder: Decoder
    ) -> None:
        super().__init__()
        self.signature, self.memory = signature, memory
        self.encoder, self.decoder = encoder, decoder

    def labels(self, x: Tensor) -> Float[Tensor, "batch steps slots width"]:
        """m_0..m_T, `[B, T+1, K, D]`."""
        return self.encoder.labels(x)

    def predict(self, x: Tensor) -> Float[Tensor, "batch length parameters"]:
        """Parameters of y_1..y_T read from the labels."""
        return self.decoder.readout(self.labels(x)[:, 1:])
