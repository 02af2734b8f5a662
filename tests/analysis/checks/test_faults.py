"""Every planted fault is found; the faultless pair has none."""

import math

import planted
import pytest
import torch
from planted import (
    Delay,
    Exact,
    Future,
    Oldest,
    OneHot,
    Register,
    examined,
    student,
    teacher,
    wrong,
)
from torch import nn

import pastforward as pf
from pastforward.analysis.checks.context import CheckContext, CheckResult, History, above
from pastforward.analysis.checks.table import CHECKS, diagnose
from pastforward.cells import StudentConfig
from pastforward.config import RunConfig
from pastforward.methods import SMTConfig
from pastforward.report.checks_page import verdict
from pastforward.teacher import TeacherConfig


def flipped(logits):
    """Predicts another symbol."""
    return logits.roll(1, -1)


def flat(logits):
    return 0.0 * logits


def test_the_faultless_pair_has_no_fault():
    found = examined()
    assert wrong(found) == set()
    skipped = {name for name, result in found.items() if result.level == "skipped"}
    assert skipped == {"run finished", "training converged"}
    assert found["student beats reference"].figures["loss"] == pytest.approx(0.0536, abs=1e-3)
    assert not any(result.cause or result.advice for result in found.values())


def test_without_a_teacher_its_checks_are_skipped():
    found = {f.check: f for f in diagnose(student(), None, Delay())}
    assert wrong(found) == set()
    skipped = [name for name, f in found.items() if "no teacher" in f.measured]
    assert len(skipped) == 11
    assert {"targets: no future", "one step", "readouts agree", "student near teacher"} <= {
        *skipped
    }


def test_every_fault_has_a_cause_and_advice():
    found = examined(student(readout=Oldest(flat)), source=Delay(known=True))
    bad = [f for f in found.values() if f.level in ("warning", "failed")]
    assert len(bad) >= 3
    for result in bad:
        assert result.cause
        assert result.advice
        assert any(character.isdigit() for character in result.measured)


@pytest.mark.parametrize(("size", "level"), [(1e-6, "ok"), (1e-2, "failed"), (0.5, "failed")])
def test_student_that_sees_the_next_input(size, level):
    # y_t is read from x_{t-2}, so m_t holds x_{t+1} long before an output shows it.
    peeking = OneHot(lambda e: e + size * e.roll(-1, -2))
    found = examined(student(embed=peeking))
    assert found["student: no future"].level == level
    assert found["targets: no future"].level == "ok"


@pytest.mark.parametrize(("size", "level"), [(1e-6, "ok"), (1e-2, "failed"), (0.5, "failed")])
def test_encoder_without_a_causal_mask(size, level):
    sees_all = Exact(lambda targets: targets + size * targets.mean(1, keepdim=True))
    found = examined(taught=teacher(encoder=sees_all))
    assert found["targets: no future"].level == level
    assert found["student: no future"].level == "ok"


def test_real_encoder_whose_mask_is_taken_away():
    what = planted.SIGNATURE
    torch.manual_seed(0)
    config = TeacherConfig("state", width=8, depth=1, heads=2, decoder_depth=1)
    taught = pf.build_teacher(config, what, planted.SHAPE)
    names = ("targets: no future", "decoder: no future")
    assert [examined(taught=taught)[name].level for name in names] == ["ok", "ok"]
    taught.encoder.transformer.blocks[0].attention.causal = False  # type: ignore[union-attr]
    assert [examined(taught=taught)[name].level for name in names] == ["failed", "ok"]
    taught.encoder.transformer.blocks[0].attention.causal = True  # type: ignore[union-attr]
    taught.decoder.transformer.blocks[0].attention.causal = False  # type: ignore[union-attr]
    assert [examined(taught=taught)[name].level for name in names] == ["ok", "failed"]


@pytest.mark.parametrize(("ahead", "level"), [(0, "ok"), (2, "ok"), (3, "failed")])
def test_decoder_that_reads_its_own_outputs(ahead, level):
    """y_{t+j} = x_{t+j-2}: two inputs too early is the last that is known, three the future."""
    found = examined(taught=teacher(decoder=Future(ahead)))
    assert found["decoder: no future"].level == level


@pytest.mark.parametrize(("delay", "level"), [(0, "failed"), (1, "warning"), (2, "ok"), (3, "ok")])
def test_outputs_that_are_the_inputs(delay, level):
    assert examined(source=Delay(delay))["outputs not in inputs"].level == level


def test_outputs_that_are_vectors_and_where_little_changes():
    x = torch.randn(3, 6, 2)
    mask = torch.ones(3, 6, dtype=torch.bool)

    def level(x, y):
        source = Delay()
        source.held_out = lambda split, size, limit: iter([pf.Batch(x, y, mask)])
        return CHECKS["outputs not in inputs"](CheckContext(student(), None, source)).level

    assert level(x, x) == "failed"
    assert level(x, x.roll(-1, 1)) == "ok"
    # An image that is mostly background repeats a value nearly always, and is no leak.
    x = torch.zeros(3, 6, dtype=torch.long)
    assert level(x, x) == "ok"
    x[:, 3] = 1
    assert level(x, x.roll(-1, 1)) == "ok"
    assert level(x, x) == "failed"


def test_held_out_data_that_was_trained_on():
    assert examined(source=Delay(known=True))["held-out data is new"].level == "failed"
    assert examined(source=Delay())["held-out data is new"].level == "ok"
    for copies, level in ((3, "ok"), (4, "warning"), (31, "warning"), (32, "failed")):
        source = Delay()
        new, known = source.drawn(0, 64), source.batch(0, 0, copies)
        mixed = pf.Batch(*(torch.cat([a, b[copies:]]) for a, b in zip(known, new, strict=True)))
        source.held_out = lambda split, size, limit, mixed=mixed: iter([mixed])
        assert examined(source=source)["held-out data is new"].level == level


def test_loss_below_the_best_possible():
    for best, level in ((0.0, "ok"), (0.05, "ok"), (0.06, "failed")):
        found = examined(source=Delay(references={"uniform": math.log(4), "best": best}))
        assert found["not below best possible"].level == level
    found = examined(source=Delay(references={"uniform": 1.4}))
    assert found["not below best possible"].level == "skipped"


def test_student_and_teacher_no_better_than_the_reference():
    found = examined(student(readout=Oldest(flat)))
    assert found["student beats reference"].level == "failed"
    assert found["student near teacher"].level == "failed"
    assert found["teacher beats reference"].level == "ok"
    found = examined(taught=teacher(decoder=Future(readout=Oldest(flat))))
    assert found["teacher beats reference"].level == "failed"
    assert found["student beats reference"].level == "ok"
    # Its targets mean nothing, so nothing is compared with them.
    assert found["one step"].level == found["readouts agree"].level == "skipped"


@pytest.mark.parametrize(
    ("sharp", "level"), [(1.4, "ok"), (1.3, "warning"), (0.6, "warning"), (0.5, "failed")]
)
def test_student_far_from_its_teacher(sharp, level):
    own = student()
    own.readout.sharp.data.fill_(sharp)  # type: ignore[union-attr]
    found = examined(own)["student near teacher"]
    assert found.level == level
    if level != "ok":
        assert "one step of a target" in found.cause


def test_student_that_ignores_its_memory():
    found = examined(student(readout=Oldest(lambda logits: flat(logits) + torch.arange(4.0))))
    assert found["student uses memory"].level == "failed"
    # Readouts that use it little: below the threshold, and above.
    for size, level in ((1e-3, "failed"), (0.1, "ok")):
        found = examined(student(readout=Oldest(lambda logits, size=size: size * logits)))
        assert found["student uses memory"].level == level


def test_decoder_that_ignores_its_memory():
    found = examined(taught=teacher(decoder=Future(remembers=False)))
    assert found["decoder uses memory"].level == "failed"
    assert found["student uses memory"].level == "ok"


def test_decoder_that_was_not_trained_on_futures_is_skipped():
    for smt in (SMTConfig(decoding=0.0), SMTConfig(future=1)):
        history = History(config=RunConfig(smt=smt))
        assert examined(history=history)["decoder uses memory"].level == "skipped"
    history = History(config=RunConfig(smt=SMTConfig(future=3)))
    assert examined(history=history)["decoder uses memory"].level == "ok"


def clock(targets):
    """Changes with t, and is the same for all sequences."""
    return targets[:1].expand_as(targets)


def nearly_a_clock(targets):
    return clock(targets) + 0.15 * targets


@pytest.mark.parametrize(
    ("spoil", "level"),
    [(clock, "failed"), (lambda m: 0 * m + 1.0, "failed"), (nearly_a_clock, "warning")],
)
def test_targets_that_are_alike(spoil, level):
    found = examined(taught=teacher(encoder=Exact(spoil)))["targets differ"]
    assert found.level == level


def test_memories_that_are_alike():
    constant = Register(lambda m, after: torch.ones_like(after))
    found = examined(student(constant))
    assert found["memories differ"].level == "failed"
    assert found["targets differ"].level == "ok"
    assert found["student uses memory"].level == "failed"


def test_a_memory_of_one_number_is_a_warning():
    def line(targets):
        """Along one direction, by whether the last input is even."""
        sign = targets[:, :, :1, :2].sum(-1, keepdim=True) - 1.0
        return sign * torch.ones_like(targets)

    found = examined(taught=teacher(encoder=Exact(line)))["targets differ"]
    assert found.level == "warning"
    assert found.figures["rank"] < 1.2


def spoilt_at_the_end(size):
    """What is read is wrong by `size`; it leaves the register at once, so nothing compounds."""

    def change(m, after):
        last = (1 - size) * after[..., -1:, :] + size * after[..., -1:, :].roll(1, -1)
        return torch.cat([after[..., :-1, :], last], -2)

    return Register(change)


def test_one_step_that_misses_its_target():
    found = examined(student(spoilt_at_the_end(1.0)))
    assert found["one step"].level == "failed"
    assert found["compounding"].level == "ok"
    assert "one step" in found["student near teacher"].cause
    assert examined(student(spoilt_at_the_end(0.5)))["one step"].level == "warning"
    assert examined(student(spoilt_at_the_end(0.01)))["one step"].level == "ok"


def test_one_bad_slot_among_good_ones():
    found = examined(student(spoilt_at_the_end(0.34)))["one step"]
    assert found.figures["one_step"] < 0.1 < found.figures["worst_slot"]
    assert found.level == "warning"
    assert "in slot 2" in found.measured


def fragile(size):
    """Nearly right from targets, wrong from memories that are slightly off."""

    def change(m, after):
        exact = (m * (m - 2)).abs().amax((-2, -1), keepdim=True) < 1e-3
        return torch.where(
            exact, after + 0.05 * after.roll(2, -1), (1 - size) * after + size * after.roll(1, -1)
        )

    return Register(change)


def test_small_steps_whose_errors_compound():
    found = examined(student(fragile(1.0)))
    assert found["one step"].level == "ok"
    assert found["compounding"].level == "failed"
    assert found["compounding"].figures["one_step"] < 0.05
    assert "own" in found["student near teacher"].cause
    for size, level in ((0.0, "ok"), (0.2, "warning"), (0.3, "warning"), (0.35, "failed")):
        assert examined(student(fragile(size)))["compounding"].level == level


def test_drift_that_does_no_harm_is_no_fault():
    turned = Exact(lambda targets: targets.roll(1, -1))
    # Targets in another order of symbols: memories are far off, outputs are right.
    found = examined(student(), teacher(turned, Future(readout=Oldest(lambda m: m.roll(-1, -1)))))
    assert found["compounding"].figures["drift"] > 0.5
    assert found["compounding"].level == found["one step"].level == "ok"
    assert "harmless" in found["one step"].measured


def test_empty_memory_that_is_far_from_its_target():
    own = student(readout=Oldest(flipped))
    assert examined(own)["empty memory"].level == "ok"
    own.empty.data.copy_(torch.tensor([1.0, -1.0, 0.5, 0.2]))
    assert examined(own)["empty memory"].level == "warning"
    own.readout = Oldest()  # type: ignore[assignment]
    assert examined(own)["empty memory"].level == "ok"  # forgotten before anything counts


def test_readouts_that_disagree():
    found = examined(student(readout=Oldest(flipped)))["readouts agree"]
    assert found.level == "failed"
    assert "the readout is at fault" in found.cause
    for size, level in ((0.5, "ok"), (0.6, "warning"), (0.8, "warning")):
        mixed = Oldest(lambda logits, size=size: (1 - size) * logits + size * flipped(logits))
        assert examined(student(readout=mixed))["readouts agree"].level == level
    found = examined(student(fragile(1.0)))["readouts agree"]
    assert found.level == "failed"
    assert "its own memories" in found.cause


@pytest.mark.parametrize(("noise", "level"), [(0.0, "ok"), (0.18, "warning"), (0.8, "failed")])
def test_better_on_training_sequences(noise, level):
    found = examined(source=Delay(noise=noise))
    assert found["student generalises"].level == level
    assert found["teacher generalises"].level == level


class Few(Delay):
    """Eight training sequences with random outputs: they can only be memorised."""

    def batch(self, seed, index, size):
        few = self.drawn(1000, 8, noise=1.0)
        return pf.Batch(*(part.repeat(-(-size // 8), 1)[:size] for part in few))

    def held_out(self, split, size, limit):
        yield self.drawn(0, size, noise=1.0)


def test_network_trained_on_eight_sequences():
    torch.manual_seed(0)
    config = StudentConfig("gru", slots=1, width=24, embed=8, hidden=24)
    own, source = pf.build_student(config, planted.SIGNATURE), Few()
    pf.fit(pf.bptt(own), source, 2e-2, pf.Budget(steps=60), pf.FitConfig(batch=8, warmup=5))
    found = {f.check: f for f in diagnose(own, None, source)}
    assert found["student generalises"].level == "failed"
    assert found["student beats reference"].level == "failed"


def test_weights_that_are_not_finite():
    own = student()
    own.readout.sharp.data.fill_(math.nan)  # type: ignore[union-attr]
    found = examined(own)
    assert found["finite weights"].level == "failed"
    assert "student.readout.sharp" in found["finite weights"].measured
    others = {f.level for name, f in found.items() if name != "finite weights"}
    assert others == {"ok", "skipped"}
    assert {name for name, f in found.items() if f.level == "ok"} == {
        "outputs not in inputs", "held-out data is new",
    }  # fmt: skip


def evaluations(*valid: float) -> History:
    return History(rows=[{"step": i, "valid": nats} for i, nats in enumerate(valid)])


def test_training_that_had_not_converged():
    falling = [1.3, 1.2, 1.1, 1.0, 0.9, 0.8, 0.7, 0.6]
    found = examined(history=evaluations(*falling))["training converged"]
    assert found.level == "warning"
    assert "train longer" in found.advice
    assert (
        examined(history=evaluations(1.3, 0.9, 0.7, *[0.6] * 6))["training converged"].level == "ok"
    )
    found = examined(history=evaluations(1.3, 0.9, 0.7, *[0.6] * 6, 0.8))["training converged"]
    assert found.level == "warning"
    assert "better before the end" in found.cause
    assert examined(history=evaluations(1.3, 0.6))["training converged"].level == "skipped"


def test_run_that_was_stopped():
    assert examined(history=History(finished=True))["run finished"].level == "ok"
    assert examined(history=History(finished=False))["run finished"].level == "warning"


def test_levels_at_their_thresholds():
    assert [above(v, 0.1, 0.5) for v in (0.0, 0.0999, 0.1, 0.4999, 0.5, 9.0)] == [
        "ok", "ok", "warning", "warning", "failed", "failed",
    ]  # fmt: skip
    assert above(math.nan, 0.1, 0.5) == "failed"


def test_verdict_is_the_worst():
    def of(*levels):
        return verdict([CheckResult(level, "") for level in levels])

    level = {name: type(above(0, 1, 2))(name) for name in ("ok", "warning", "failed", "skipped")}
    assert of(level["skipped"]) == "ok"
    assert of(level["ok"], level["warning"], level["skipped"]) == "warning"
    assert of(level["failed"], level["warning"]) == "failed"


def test_modes_and_weights_of_networks_are_restored():
    own, taught = student(), teacher()
    own.train()
    taught.eval()
    before = {n: p.clone() for n, p in own.state_dict().items()}
    diagnose(own, taught, Delay())
    assert own.training
    assert not taught.training
    assert all(torch.equal(before[n], p) for n, p in own.state_dict().items())
    assert isinstance(own.readout, nn.Module)


def test_networks_of_vectors_can_be_examined():
    what = pf.Signature(pf.Vectors(2), pf.Vectors(2), 7)
    torch.manual_seed(0)
    rows = torch.randn(400, 2).cumsum(0).double().numpy()
    source = pf.SeriesSource("walk", rows, ("a", "b"), 7)
    own = pf.build_student(StudentConfig("gru", width=6, embed=4, hidden=8), what)
    config = TeacherConfig("state", width=8, depth=1, heads=2, decoder_depth=1)
    taught = pf.build_teacher(config, what, own.memory)
    found = {f.check: f for f in diagnose(own, taught, source)}
    for name in ("student: no future", "targets: no future", "decoder: no future"):
        assert found[name].level == "ok"
    assert found["outputs not in inputs"].level == "ok"
