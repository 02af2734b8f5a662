"""Losses are means over all outputs of a step: however many parts and ranks it is cut into."""

from dataclasses import replace

import pytest
import torch
from small_runs import SMALL
from uneven import TASKS, gradients, off

from pastforward.baselines import BaselineConfig
from pastforward.config import Budget, Stage
from pastforward.methods import METHODS, DMTConfig, SMTConfig, TBPTTConfig
from pastforward.methods.base import Losses, Method, counts
from pastforward.training import FitConfig
from pastforward.training.loop import Fit
from pastforward.training.networks import build_networks
from pastforward.types import Batch, Signature, Tokens

EXACT = replace(
    SMALL,
    smt=SMTConfig(decoding=0.0, dynamics=0.0, uniformity=0.0),
    dmt=DMTConfig(dynamics=0.0, distill=0.5, replay_steps=1),
    tbptt=TBPTTConfig(window=5),
    baseline=None,
)
"""With losses of outputs alone, read at every step."""
BASELINE = replace(EXACT, baseline=BaselineConfig("s4d", depth=1, hidden=8))


def gradients_of(name: str, source, accumulate: int) -> torch.Tensor:
    facts = METHODS[name]
    config = BASELINE if facts.network == "baseline" else EXACT
    config = replace(config, stages=(Stage(name, 1.0, 1e-2),))
    if name == "tbptt-stream":  # its one step here reads all outputs
        config = replace(config, tbptt=TBPTTConfig(source.signature.length))
    network, teacher = build_networks(config, source.signature)
    for module in (network, teacher):
        if module is not None:
            module.double()
    return gradients(METHODS.load(name)(network, teacher, config), source, accumulate)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "name", [name for name in METHODS if name not in ("dmt", "teacher-forced")]
)
def test_gradients_of_parts_are_those_of_the_whole_batch(name, task):
    whole = gradients_of(name, TASKS[task], 1)
    assert whole.norm() > 1e-3
    for accumulate in (2, 4):
        assert off(gradients_of(name, TASKS[task], accumulate), whole) < 1e-6


@pytest.mark.parametrize("name", ["bptt", "distill", "dmt-unroll"])
def test_classes_weigh_the_same_in_every_part(name):
    source = TASKS["uneven"]
    weights = tuple(torch.linspace(0.2, 1.8, source.signature.outputs.size).tolist())
    weighted = source.with_signature(replace(source.signature, class_weights=weights))
    whole = gradients_of(name, weighted, 1)
    assert off(gradients_of(name, source, 1), whole) > 1e-3
    assert off(gradients_of(name, weighted, 4), whole) < 1e-6


class Linear(Method):
    """A loss over outputs and one over steps, each with a gradient of its own."""

    def __init__(self) -> None:
        self.network = torch.nn.Linear(2, 1, bias=False)

    def modules(self):
        return (self.network,)

    def compile(self, transform):
        pass

    def losses(self, batch, generator):
        outputs, steps = self.network.weight[0]
        y = (batch.y * batch.mask).sum() / batch.mask.sum()
        x = batch.x.float().mean()
        terms = {"of_outputs": y.detach(), "of_steps": x}
        return Losses(y * outputs + 3.0 * x * steps, terms, {"of_steps": 3.0 * x * steps})


class Two:
    """A sequence with one output of its two steps, and one with three of three."""

    signature = Signature(Tokens(9), Tokens(9), 3)

    def batch(self, seed, index, size):
        x, y = torch.tensor([[1, 3, 0], [4, 5, 7]]), torch.tensor([[8, 0, 0], [1, 2, 3]])
        return Batch(x, y, torch.tensor([[True, False, False], [True, True, True]]))


def test_terms_over_steps_are_shared_by_steps():
    """And what is logged is what is descended: 1 and 3 outputs; m_0..m_1 and m_0..m_3."""
    method = Linear()
    config = FitConfig(batch=2, accumulate=2, compile="off", clip=float("inf"))
    terms = Fit(method, Two(), 1e-9, Budget(steps=1), config).step()
    y, x = (8 + 1 + 2 + 3) / 4, (2 * (4 / 3) + 4 * (16 / 3)) / 6
    torch.testing.assert_close(method.network.weight.grad[0], torch.tensor([y, 3 * x]))
    assert (terms["of_outputs"], terms["of_steps"]) == pytest.approx((y, x))


def test_what_counts_by_hand():
    batch = Two().batch(0, 0, 2)
    assert counts(Two.signature, batch).tolist() == [4.0, 2.0 + 4.0]
    nothing = batch._replace(mask=torch.zeros_like(batch.mask))
    assert counts(Two.signature, nothing).tolist() == [0.0, 0.0]
