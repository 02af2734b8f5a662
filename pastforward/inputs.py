"""L1. Input embedding: a table for tokens, a linear map for real vectors."""

from torch import nn

from pastforward.types import Kind, Tokens


def embedding(kind: Kind, width: int) -> nn.Module:
    """A module from x_t, tokens `[...]` or vectors `[..., C]`, to e_t `[..., width]`."""
    if isinstance(kind, Tokens):
        return nn.Embedding(kind.size, width)
    return nn.Linear(kind.width, width)
