"""A run that begins with a network of torch.nn."""

import pytest
import torch
from torch import nn

import pastforward as pf


class Mine(nn.Module):
    def __init__(self, symbols: int, hidden: int = 16) -> None:
        super().__init__()
        self.embed = nn.Embedding(symbols, 6)
        self.rnn = nn.LSTM(6, hidden, batch_first=True)
        self.head = nn.Linear(hidden, symbols)

    def forward(self, x):
        return self.head(self.rnn(self.embed(x))[0])


def mine(source: pf.Source) -> Mine:
    torch.manual_seed(0)
    assert isinstance(source.signature.inputs, pf.Tokens)
    return Mine(source.signature.inputs.size)


def options(module: nn.Module, **changes) -> pf.TrainOptions:
    return pf.TrainOptions(start=module, changes=changes)


def test_a_network_of_torch_is_pretrained_and_leaves_as_it_came(here):
    source = pf.open_source("copy:4")
    module = mine(source)
    steps, given = pf.Budget(steps=1), options(module)
    run = pf.train("copy:4", budget=steps, name="own", options=given)
    assert run.config.student.cell == "torch-lstm"
    assert run.config.student.slots == 8  # the recipe's, as it divides h and c
    begun = module.rnn.weight_hh_l0
    found = run.student.to_torch()
    change = (found.rnn.weight_hh_l0 - begun).abs().max()
    assert 0 < change < 0.1, "one step from the weights given"
    module.rnn.load_state_dict(found.rnn.state_dict())
    module.head.load_state_dict(found.readout.state_dict())


def test_what_does_not_fit_is_refused_before_anything_is_written(here):
    source = pf.open_source("copy:4")
    for given, said in (
        (options(Mine(3)), "reads 3 tokens"),
        (options(mine(source), **{"student.embed": 7}), "doesn't fit"),
        (options(nn.Linear(2, 2)), "0 modules of nn.RNN"),
    ):
        with pytest.raises(pf.UsageError, match=said):
            pf.train("copy:4", budget=pf.Budget(steps=1), name="own", options=given)
    with pytest.raises(pf.UsageError, match="given with a cell"):
        pf.train("copy:4", cell="gru", options=options(mine(source)))
    assert not (here / "runs").exists()
