"""L3. The cells once more, of torch alone: the text of one goes into a folder of Hugging Face.

A step is m_t `[B, K, D]` from m_{t-1} and an embedded input e_t `[B, E]`. Names of weights are
those of `pastforward.cells`.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Cell(nn.Module):
    """After a step every slot of the memory is scaled to root-mean-square 1."""

    visible: slice = slice(None)
    """Of the K * D numbers of a memory, those that the readout reads."""

    def __init__(self, slots: int, width: int) -> None:
        super().__init__()
        self.slots, self.width, self.size = slots, width, slots * width

    def forward(self, m: Tensor, e: Tensor) -> Tensor:
        """The memory after one more input."""
        return self.normalise(self.transition(m, e))

    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """The memory before it is scaled."""
        raise NotImplementedError

    def normalise(self, m: Tensor) -> Tensor:
        """What follows a transition and the empty memory."""
        return m * torch.rsqrt(m.square().mean(-1, keepdim=True) + 1e-6)


class Elman(Cell):
    """m' = tanh(s (W m + U e + b))."""

    def __init__(self, slots: int, width: int, inputs: int, scale: float) -> None:
        super().__init__(slots, width)
        self.scale = scale
        self.recurrent = nn.Linear(self.size, self.size)
        self.input = nn.Linear(inputs, self.size, bias=False)

    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """One tanh layer."""
        new = torch.tanh(self.scale * (self.recurrent(m.flatten(1)) + self.input(e)))
        return new.view(m.shape)


class GRU(Cell):
    """m' = z s m + (1 - z) tanh(s (n + r h)), gates z and r from m and e."""

    def __init__(self, slots: int, width: int, inputs: int, scale: float) -> None:
        super().__init__(slots, width)
        self.scale = scale
        self.recurrent = nn.Linear(self.size, 3 * self.size)
        self.input = nn.Linear(inputs, 3 * self.size)

    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """Gates, then the mean of old and new."""
        hz, hr, hn = self.recurrent(m.flatten(1)).chunk(3, -1)
        ez, er, en = self.input(e).chunk(3, -1)
        new = torch.tanh(self.scale * (en + torch.sigmoid(hr + er) * hn))
        return torch.lerp(new, self.scale * m.flatten(1), torch.sigmoid(hz + ez)).view(m.shape)


class LSTM(Cell):
    """Slot 0 is h, slot 1 is c."""

    def __init__(self, slots: int, width: int, inputs: int, scale: float) -> None:
        super().__init__(slots, width)
        self.scale = scale
        self.recurrent = nn.Linear(width, 4 * width)
        self.input = nn.Linear(inputs, 4 * width, bias=False)

    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """Gates i, f, o and candidate g; the forget gate has 1 added to its bias."""
        h, c = m.unbind(1)
        i, f, o, g = (self.recurrent(h) + self.input(e)).chunk(4, -1)
        kept = torch.sigmoid(f + 1.0) * self.scale * c
        c = kept + torch.sigmoid(i) * torch.tanh(self.scale * g)
        return torch.stack([torch.sigmoid(o) * torch.tanh(c), c], 1)


class ResidualMLP(Cell):
    """m' = m + W2 silu(W1 m + U e + b)."""

    def __init__(self, slots: int, width: int, inputs: int, expand: int) -> None:
        super().__init__(slots, width)
        self.recurrent = nn.Linear(self.size, expand * self.size)
        self.input = nn.Linear(inputs, expand * self.size, bias=False)
        self.down = nn.Linear(expand * self.size, self.size)

    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """One hidden layer, residual."""
        hidden = F.silu(self.recurrent(m.flatten(1)) + self.input(e))
        return m + self.down(hidden).view(m.shape)


class Attention(nn.Module):
    """Full attention over all tokens, without biases."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        """Tokens `[B, N, width]` to as many."""
        q, k, v = self.qkv(h).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        read = F.scaled_dot_product_attention(q, k, v)
        return self.out(read.transpose(1, 2).flatten(-2))


class Block(nn.Module):
    """Pre-norm attention and MLP, both residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attention = Attention(width, heads)
        up, down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.mlp = nn.ModuleDict({"up": up, "down": down})

    def forward(self, h: Tensor) -> Tensor:
        """Tokens `[B, N, width]` to as many."""
        h = h + self.attention(self.norms[0](h))
        return h + self.mlp["down"](F.silu(self.mlp["up"](self.norms[1](h))))


class TransformerCell(Cell):
    """A Transformer over the K slots and one token for the input."""

    def __init__(self, slots: int, width: int, inputs: int, depth: int, heads: int) -> None:
        super().__init__(slots, width)
        self.slot_embedding = nn.Parameter(torch.zeros(slots, width))
        self.input = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(depth)])

    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """The slots after the last block."""
        h = torch.cat([m + self.slot_embedding, self.input(e).unsqueeze(1)], 1)
        for block in self.blocks:
            h = block(h)
        return h[:, :-1] - self.slot_embedding


class TorchCell(Cell):
    """`nn.RNN`, `nn.GRU` or `nn.LSTM`: m holds h (and c) of each layer, divided by `scale`."""

    kind, states = nn.RNN, 1

    def __init__(self, slots: int, width: int, inputs: int, layers: int, scale: float) -> None:
        super().__init__(slots, width)
        self.layers, self.scale = layers, scale
        hidden = self.size // (self.states * layers)
        self.visible = slice((layers - 1) * hidden, layers * hidden)
        self.net = self.kind(inputs, hidden, layers, batch_first=True)

    def transition(self, m: Tensor, e: Tensor) -> Tensor:
        """One step of all layers."""
        state = self.scale * m.reshape(len(m), self.states, self.layers, -1)
        given = tuple(one.transpose(0, 1).contiguous() for one in state.unbind(1))
        after = self.net(e.unsqueeze(1), given if self.states > 1 else given[0])[1]
        after = torch.stack(after if self.states > 1 else (after,), 1)
        return after.permute(2, 1, 0, 3).reshape(m.shape) / self.scale

    def normalise(self, m: Tensor) -> Tensor:
        """These bound their memory themselves."""
        return m


class TorchRNN(TorchCell):
    """With tanh."""


class TorchGRU(TorchCell):
    """Reset gate after the product."""

    kind = nn.GRU


class TorchLSTM(TorchCell):
    """h of each layer, then c of each."""

    kind, states = nn.LSTM, 2


CELLS: dict[str, Any] = {
    one.__name__: one
    for one in (Elman, GRU, LSTM, ResidualMLP, TransformerCell, TorchRNN, TorchGRU, TorchLSTM)
}
"""By the names of their classes in `pastforward.cells`."""
