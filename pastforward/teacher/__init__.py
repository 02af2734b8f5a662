"""L0. The teacher: encoder, decoder, and where target memories come from. Its dials; no torch."""

from dataclasses import dataclass
from typing import Any

from pastforward.errors import above_zero, at_least


@dataclass(frozen=True)
class TeacherConfig:
    """Encoder and decoder."""

    encoder: str = "linear"
    """A name in `ENCODERS`, or an encoder of your own as module:Name."""
    width: int = 64
    """Width of both Transformers."""
    depth: int = 1
    """Blocks of the encoder."""
    heads: int = 4
    """Attention heads of both."""
    decoder_depth: int = 1
    """Blocks of the decoder."""
    query_key_scale: float = 1.0
    """Factor on query and key weights at initialisation. Attention that starts sharp finds one
    symbol among hundreds sooner."""
    recompute: int | None = None
    """For long sequences: keep only the inputs for the backward pass and compute layers again, the
    MLP in chunks of so many positions. Less memory, more time."""
    window: int | None = None
    """W, positions that each attention of the encoder's Transformer sees, the last ones; all when
    None. A teacher then takes O(T) operations, and can be cut over ranks (--dist.time)."""
    encoder_config: Any = None
    """Dials of the encoder; its defaults when None."""

    def __post_init__(self) -> None:
        at_least(
            self, "teacher", 1, "width", "depth", "heads", "decoder_depth", "recompute", "window"
        )
        above_zero(self, "teacher", "query_key_scale")
