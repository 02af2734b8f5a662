"""A host that runs ahead of an accelerator asks nothing of it; a bad step changes nothing."""

import math
from contextlib import nullcontext

import pytest
import torch
from small_runs import SMALL
from torch.utils._python_dispatch import TorchDispatchMode

import pastforward.training.loop as loop_module
from pastforward.config import Budget
from pastforward.data.opening import open_source
from pastforward.errors import NonFiniteLoss
from pastforward.methods import METHODS, DMTConfig, SMTConfig
from pastforward.methods.base import Losses, Method
from pastforward.methods.bptt import bptt
from pastforward.student import Student, build_student
from pastforward.teacher.teacher import build_teacher
from pastforward.training import FitConfig
from pastforward.training.feeding import Report
from pastforward.training.loop import Fit

SOURCE = open_source("copy:8")
EAGER = FitConfig(batch=8, warmup=1, compile="off")


def student() -> Student:
    torch.manual_seed(0)
    return build_student(SMALL.student, SOURCE.signature)


def behind(method: Method, config: FitConfig = EAGER, steps: int = 4) -> Fit:
    """As beside an accelerator: batches are read ahead, terms a step later."""
    fit = Fit(method, SOURCE, 1e-2, Budget(steps=steps), config)
    fit.reads_behind = fit._feed.ahead = True
    return fit


class Syncs(TorchDispatchMode):
    """Counts what a host would wait for: numbers that are read, and shapes that hang on them."""

    WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "_unique2", "is_nonzero")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().partition("::")[2].partition(".")[0]
        by_mask = name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1])
        if name in self.WAITS or by_mask:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["teacher", "smt", "smt-frozen", "dmt", "dmt-unroll", "bptt"])
@pytest.mark.parametrize("transitions", [None, 5])
def test_the_loop_never_waits(name, transitions, monkeypatch):
    if transitions and "smt" not in name:
        pytest.skip("this method samples no transitions")
    own = student()
    teacher = build_teacher(SMALL.teacher, SOURCE.signature, own.memory)
    smt, dmt = SMTConfig(transitions=transitions, noise=0.1), DMTConfig(window=4)
    config = FitConfig(batch=8, accumulate=2, warmup=1, compile="off")
    run = type(SMALL)(smt=smt, dmt=dmt)
    fit = behind(METHODS.load(name)(own, teacher, run), config)
    read = Report.read
    monkeypatch.setattr(loop_module, "flushed_denormals", nullcontext)  # it asks the CPU
    fit.step()
    # The terms come by a copy that was begun a step before.
    monkeypatch.setattr(Report, "read", lambda report: {"loss": 0.0})
    with Syncs() as syncs:
        fit.step()
        fit.step()
    assert not syncs.found
    monkeypatch.setattr(Report, "read", read)
    with Syncs() as syncs:
        assert torch.tensor([1.0]).item()
        assert bool(torch.ones(3)[torch.tensor([True, False, True])].sum() > 0)
    assert {"_local_scalar_dense", "index"} <= set(syncs.found)


def test_it_trains_as_one_that_waits():
    one, other = student(), student()
    first, second = Fit(bptt(one), SOURCE, 1e-2, Budget(steps=4), EAGER), behind(bptt(other))
    terms = [[fit.step() for _ in range(4)] for fit in (first, second)]
    for late, soon in zip(terms[1][1:], terms[0][:-1], strict=True):  # a step later
        assert late == pytest.approx(soon, rel=1e-5)
    second.settle()
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-7)


class Poisoned(Method):
    """Its loss is infinite or NaN at the second step."""

    def __init__(self, own: Student, value: float) -> None:
        self.inner, self.value, self.calls = bptt(own), value, 0

    def modules(self):
        return self.inner.modules()

    def compile(self, transform):
        pass

    def losses(self, batch, generator):
        self.calls += 1
        total, terms, _ = self.inner.losses(batch, generator)
        return Losses(total * self.value if self.calls == 2 else total, terms)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_a_bad_step_and_what_follows_change_nothing(value, optimiser):
    own = student()
    config = FitConfig(batch=8, warmup=1, compile="off", optimiser=optimiser)
    fit = behind(Poisoned(own, value), config)
    fit.step()
    before = [p.clone() for p in own.parameters()]
    fit.step()
    with pytest.raises(NonFiniteLoss, match="at step 1; the step was not taken"):
        fit.step()
    assert all(torch.equal(p, q) for p, q in zip(own.parameters(), before, strict=True))
    last = behind(Poisoned(student(), value), config)
    last.step()
    last.step()
    with pytest.raises(NonFiniteLoss):
        last.settle()


def test_batches_are_read_ahead_in_order_and_once():
    asked, inner = [], SOURCE.batch

    class Noted:
        signature = SOURCE.signature

        def batch(self, seed, index, size):
            asked.append(index)
            return inner(seed, index, size)

    fit = behind(bptt(student()))
    fit._feed.source = Noted()
    for _ in range(3):
        fit.step()
    assert fit.batches == 3
    fit._feed._next[1].result()
    assert asked == [0, 1, 2, 3]
    fit.go_on_from(fit.progress, 8 * 7)  # elsewhere in the data
    fit.step()
    assert asked[4] == 7
