"""L1. A recurrent network of plain `torch.nn` modules. This file needs torch alone: copy it.

with open("config.json") as file:
    network = Recurrent(**json.load(file))
network.load_state_dict(safetensors.torch.load_file("model.safetensors"))
outputs, state = network(x)         # the state goes into the next call: network(x_2, state)
"""

import torch
from torch import Tensor, nn


class Recurrent(nn.Module):
    """Embedding or linear layer, `nn.RNN`, `nn.GRU` or `nn.LSTM`, readout, learned first state."""

    def __init__(
        self,
        kind: str,
        inputs: int,
        tokens: bool,
        embed: int,
        hidden: int,
        layers: int,
        readout: int,
        outputs: int,
    ) -> None:
        """`kind`: RNN, GRU or LSTM; `inputs`: symbols if `tokens`, else channels.

        `readout`: hidden units of the readout; 0 for a linear one.
        """
        super().__init__()
        self.embed = nn.Embedding(inputs, embed) if tokens else nn.Linear(inputs, embed)
        self.rnn = getattr(nn, kind)(embed, hidden, layers, batch_first=True)
        self.h0 = nn.Parameter(torch.zeros(layers, hidden))
        self.c0 = nn.Parameter(torch.zeros(layers, hidden)) if kind == "LSTM" else None
        if readout:
            hidden_layer = nn.Linear(hidden, readout), nn.SiLU()
            self.readout = nn.Sequential(*hidden_layer, nn.Linear(readout, outputs))
        else:
            self.readout = nn.Linear(hidden, outputs)

    def start(self, batch: int) -> Tensor | tuple[Tensor, Tensor]:
        """The first state, as the module of torch reads it: h, or h and c, `[L, B, H]`."""
        h = self.h0.unsqueeze(1).expand(-1, batch, -1).contiguous()
        if self.c0 is None:
            return h
        return h, self.c0.unsqueeze(1).expand(-1, batch, -1).contiguous()

    def forward(
        self, x: Tensor, state: Tensor | tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor | tuple[Tensor, Tensor]]:
        """Outputs `[B, T, P]` and the last state, from tokens `[B, T]` or vectors `[B, T, C]`."""
        h, state = self.rnn(self.embed(x), self.start(len(x)) if state is None else state)
        return self.readout(h), state
