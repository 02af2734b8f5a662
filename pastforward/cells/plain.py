"""L1. A recurrent network of plain `torch.nn` modules. This file needs torch alone: copy it.

network = Recurrent(**json.load(open("config.json")))
network.load_state_dict(safetensors.torch.load_file("model.safetensors"))
outputs, state = network(x)         # the state goes into the next call: network(x_2, state)
"""

import torch
from torch import Tensor, nn

State = Tensor | tuple[Tensor, Tensor]
"""h `[L, B, H]`, or of an LSTM (h, c), as the modules of torch have it."""


class Recurrent(nn.Module):
    """`nn.Embedding` of tokens; `nn.RNN`, `nn.GRU` or `nn.LSTM`; readout; learned first state."""

    def __init__(
        self, kind: str, inputs: int, embed: int, hidden: int, layers: int, readout: int,
        outputs: int,
    ) -> None:  # fmt: skip
        """`kind`: RNN, GRU or LSTM. `inputs`: symbols, or channels of vectors where `embed` is 0.

        `readout`: hidden units of the readout; 0 for one linear layer.
        """
        super().__init__()
        self.embed = nn.Embedding(inputs, embed) if embed else nn.Identity()
        self.rnn = getattr(nn, kind)(embed or inputs, hidden, layers, batch_first=True)
        self.h0 = nn.Parameter(torch.zeros(layers, hidden))
        self.c0 = nn.Parameter(torch.zeros(layers, hidden)) if kind == "LSTM" else None
        self.readout = nn.Linear(hidden, outputs)
        if readout:
            up, down = nn.Linear(hidden, readout), nn.Linear(readout, outputs)
            self.readout = nn.Sequential(up, nn.SiLU(), down)

    def start(self, batch: int) -> State:
        """The first state."""
        h = self.h0.unsqueeze(1).repeat(1, batch, 1)
        return h if self.c0 is None else (h, self.c0.unsqueeze(1).repeat(1, batch, 1))

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Outputs `[B, T, P]` and the last state, from tokens `[B, T]` or vectors `[B, T, C]`."""
        h, last = self.rnn(self.embed(x), self.start(len(x)) if state is None else state)
        return self.readout(h), last
