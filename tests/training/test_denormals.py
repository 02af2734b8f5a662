"""Gradients that vanish: as 0 while a network trains, and as they are for everyone else."""

import pytest
import torch
from tiny import batch, signature, student

from pastforward.config import Budget
from pastforward.methods.base import Losses, RolloutMethod
from pastforward.training.denormals import flushed_denormals
from pastforward.training.fit import fit

TINY = torch.finfo(torch.float32).tiny


def half_of_the_least() -> float:
    return float(torch.tensor(TINY) * 0.5)


@pytest.mark.parametrize("before", [False, True])
def test_what_was_set_before_is_set_again(before):
    if not torch.set_flush_denormal(before):
        pytest.skip("this processor doesn't flush denormal numbers")
    try:
        with pytest.raises(KeyError), flushed_denormals():
            raise KeyError
        assert (half_of_the_least() == 0.0) == before
        with flushed_denormals():
            assert half_of_the_least() == 0.0
        assert (half_of_the_least() == 0.0) == before
    finally:
        torch.set_flush_denormal(False)


class Vanishing(RolloutMethod):
    """A loss whose gradient is below the least number of full precision."""

    def losses(self, batch, generator) -> Losses:
        loss = (self.student.empty * TINY * 0.5).sum()
        return Losses(loss, {"seen": self.student.empty.new_tensor(half_of_the_least())})


class Data:
    def __init__(self) -> None:
        self.signature = signature()

    def batch(self, seed, index, size):
        return batch(self.signature)


def test_a_step_flushes_them():
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor doesn't flush denormal numbers")
    own, seen = student(signature(), "gru", 1).float(), []
    method = Vanishing(own)
    one = fit(method, Data(), 1e-3, Budget(steps=1))
    seen.append(one.step()["seen"])
    assert seen == [0.0]
    assert half_of_the_least() > 0.0
