"""Interleaved timing, rows, the refusal to compare what differs, and counted operations."""

import json

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.cost import (
    decoder_macs,
    encoder_macs,
    recurrence_macs,
    student_macs,
    window_macs,
)
from benchmarks.speed.measuring import (
    BenchError,
    Row,
    interleaved,
    quartiles,
    ratios,
    require_same,
    run_module,
)
from benchmarks.speed.networks import DEPTH, WIDTH, networks, symbols
from pastforward.teacher.decoder import futures


def row(ratio: float, sense: str, target: float | None) -> Row:
    return Row("name", "case", ratio, sense, target, (ratio, ratio), 1.0, 2.0, "s")


@pytest.mark.parametrize(
    ("ratio", "sense", "target", "met"),
    [(3.0, ">=", 3.0, True), (2.9, ">=", 3.0, False), (1.5, "<=", 1.5, True),
     (1.6, "<=", 1.5, False), (float("nan"), ">=", 1.0, False), (7.0, ">=", None, None)],
)  # fmt: skip
def test_a_row_knows_whether_its_target_is_met(ratio, sense, target, met):
    assert row(ratio, sense, target).met is met
    found = json.loads(json.dumps(row(2.0, sense, target).to_json()))
    assert {"name", "ratio", "target", "met", "spread"} <= found.keys()


def test_rivals_run_in_turns_after_a_round_that_does_not_count():
    calls = []
    times = interleaved({n: lambda n=n: calls.append(n) for n in "ab"}, 0.0, least=4)
    assert calls == ["a", "b"] * 5
    assert [len(t) for t in times.values()] == [4, 4]


def test_ratios_are_taken_round_by_round():
    assert ratios([2.0, 9.0, 8.0], [1.0, 3.0, 2.0]) == (3.0, (2.0, 4.0))
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (1.5, 4.5)


@pytest.mark.parametrize("bad", [1.0 + 1e-3, float("nan")])
def test_what_differs_is_not_compared(bad):
    require_same("same", torch.ones(2), torch.ones(2), 1e-4)
    with pytest.raises(BenchError, match="two sides: differs from its reference"):
        require_same("two sides", torch.tensor([1.0, bad]), torch.ones(2), 1e-4)


def test_a_module_that_fails_is_a_benchmark_error():
    assert run_module("benchmarks.speed", "--help")[0]
    with pytest.raises(BenchError, match="no benchmark 'nothing'"):
        run_module("benchmarks.speed", "nothing")


def test_a_module_runs_in_the_folder_given_and_finds_the_benchmarks(tmp_path):
    with pytest.raises(BenchError, match="can't be a file"):
        run_module("benchmarks.speed", "labels", "--json", "benchmarks/x.json", folder=tmp_path)


def counted(call) -> float:
    """Multiplications of a call, by PyTorch's own counter of operations."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() / 2


@pytest.mark.parametrize("slots", [1, 4])
def test_the_count_of_an_encoder_is_that_of_pytorch(slots):
    length = 63
    causal = networks(length, slots=slots)[1].encoder
    window = networks(length, slots=slots, encoder="window")[1].encoder
    x = symbols(2, length).x
    ours = encoder_macs(length, WIDTH, DEPTH, slots)
    # The counter takes attention for full, where ours sees half of the positions.
    unseen = (length + 1) / 2 * WIDTH * 2 * (DEPTH + slots)
    found = counted(lambda: causal.targets(x)) / (2 * (length + 1))
    assert found == pytest.approx(ours + unseen, rel=0.02)
    times = torch.full((2, 1), length)
    found = counted(lambda: window.targets_at(x, times)) / 2
    assert found == pytest.approx(window_macs(length, WIDTH, DEPTH, slots), rel=0.02)


def test_the_count_of_a_linear_head_is_that_of_pytorch():
    head = networks(511, slots=4, encoder="linear")[1].encoder.head
    h = torch.zeros(2, 512, WIDTH)
    found = counted(lambda: head(h)) / (2 * 512)
    # The inter-chunk carry is not counted: a few products a chunk.
    assert found == pytest.approx(recurrence_macs(512, WIDTH, 256), rel=0.06)


@pytest.mark.parametrize("cell", ["elman", "gru", "mlp", "transformer"])
def test_the_count_of_a_student_is_that_of_pytorch(cell):
    student = networks(8, cell, slots=4)[0]
    x = torch.zeros(32, dtype=torch.long)

    def step():
        student.readout(student.step(student.start(32), x))

    # Attention among the few slots of a Transformer cell is not counted.
    assert counted(step) / 32 == pytest.approx(student_macs(student), rel=0.03)


def test_the_count_of_a_decoder_is_that_of_pytorch():
    student, teacher = networks(64, slots=4)
    batch, times = symbols(2, 64), torch.full((2, 1), 8)
    future = futures(batch, times, 32)
    memories = student.start(2, 1)
    transformer = counted(lambda: teacher.decoder(memories, future.x))
    transformer -= counted(lambda: teacher.decoder(memories, future.x[:, :, :0]))
    assert transformer / 2 == pytest.approx(decoder_macs(32, 4, WIDTH, 2), rel=0.1)
