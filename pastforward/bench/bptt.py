"""L5. An SMT step against a BPTT step of the same cell, per token trained, as T grows."""

import statistics
from collections.abc import Callable, Iterator

import torch

from pastforward.bench.cost import encoder_macs, student_macs
from pastforward.bench.measuring import Row, interleaved, ratios, require_same
from pastforward.bench.networks import SYMBOLS, WIDTH, networks, optimiser_step, symbols
from pastforward.bench.rivals import FusedBPTT
from pastforward.config import FitConfig, SMTConfig
from pastforward.methods import JointSMT, TruncatedBPTT
from pastforward.training.optimiser import make_optimiser
from pastforward.types import Batch

TOKENS, SLOTS, DEPTH = 4096, 8, 3
LENGTHS = (64, 256, 1024, 4096)
CELLS = ("elman", "mlp", "transformer")
LOSSES = SMTConfig(future=32, anchors=2)
FROM = 256


def run() -> Iterator[Row]:
    """Every step trains 4,096 tokens, as T sequences fewer the longer; a memory of 8 x 64 = 512.

    SMT fits all T transitions, the encoder a head on the causal state (depth 3), eagerly. BPTT has
    its cell compiled. A GRU is also compared with `torch.nn.GRU` trained through time.
    """
    for cell in CELLS:
        torch.compiler.reset()  # there is a limit to the shapes that one function is compiled for
        student = networks(max(LENGTHS), cell, SLOTS)[0]
        compiled = torch.compile(student.cell.forward, dynamic=True)
        for length in LENGTHS:
            rival = TruncatedBPTT(student, length)
            batch = symbols(TOKENS // length, length)
            rival.compile(lambda _, compiled=compiled: compiled)
            m, e = student.start(len(batch.x)), student.embed(batch.x[:, 0])
            stepped = compiled(m, e)
            require_same("a compiled step", stepped, student.cell(m, e), 1e-4)
            stepped.sum().backward()  # now the way back is compiled too
            yield _row(cell, length, {"bptt": optimiser_step(rival, batch)})
    for length in (256, 1024):
        yield _row("gru", length, {"bptt": _fused(symbols(TOKENS // length, length))}, "nn.GRU, ")


def _row(cell: str, length: int, rival: dict[str, Callable], name: str = "") -> Row:
    ours = JointSMT(*networks(length, cell, SLOTS, "state", depth=DEPTH), LOSSES)
    parts = {"smt": optimiser_step(ours, symbols(TOKENS // length, length))} | rival
    # One step of a long sequence is thousands of serial calls: an average by itself.
    seconds = interleaved(parts, 0.0, least=2 if length < 1024 else 1)
    ratio, spread = ratios(seconds["bptt"], seconds["smt"])
    here, there = (1e6 * statistics.median(seconds[way]) / TOKENS for way in ("smt", "bptt"))
    student = student_macs(ours.student)
    whole = student + encoder_macs(length, WIDTH, DEPTH, 0) + WIDTH * ours.student.memory.size
    return Row(
        "bptt", f"{name}{cell} cell, T = {length}", ratio, ">=",
        1.0 if length >= FROM else None, spread, here, there, "us/token",
        f"serial cell calls {ours.serial_calls(length)} against {length}; multiplications a token "
        f"{whole / 1e6:.2f} M against {student / 1e6:.2f} M",
    )  # fmt: skip


def _fused(batch: Batch) -> Callable[[], object]:
    net = FusedBPTT("gru", SYMBOLS, 64, SLOTS * WIDTH)
    optimiser = make_optimiser(list(net.parameters()), FitConfig())

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        net(batch).backward()
        optimiser.step()

    return step
