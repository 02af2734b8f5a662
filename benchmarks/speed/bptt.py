"""An SMT step against a BPTT step of the same cell, per token trained, as T grows."""

import statistics
from collections.abc import Callable, Iterator

import torch

from benchmarks.speed.cost import encoder_macs, recurrence_macs, student_macs
from benchmarks.speed.measuring import Row, interleaved, ratios, require_same
from benchmarks.speed.networks import RATE, SYMBOLS, WIDTH, networks, optimiser_step, symbols
from benchmarks.speed.rivals import FusedBPTT
from pastforward.methods import SMTConfig
from pastforward.methods.bptt import TruncatedBPTT
from pastforward.methods.smt import FrozenSMT, JointSMT
from pastforward.student import Student
from pastforward.training import FitConfig
from pastforward.training.optimiser import Optimiser
from pastforward.types import Batch, BatchWithTargets

TOKENS, SLOTS, DEPTH = 4096, 8, 1
LENGTHS = (64, 256, 1024, 4096)
CELLS = ("elman", "mlp", "transformer")
LOSSES = SMTConfig(future=32, anchors=1)
FROM = 256


def run(case: str = "") -> Iterator[Row]:
    """Every step trains 4,096 tokens, in fewer sequences the larger T is; a memory of 8 x 64.

    SMT fits all T transitions, eagerly, with the teacher of the recipes for copies and pixels. BPTT
    has its cell compiled; at T = 256 it is also compared with SMT on stored targets. A GRU is also
    compared with `torch.nn.GRU` trained through time; `case` names one of the cells.
    """
    for cell in CELLS:
        if case not in ("", cell):
            continue
        torch.compiler.reset()  # torch limits the shapes that one function is compiled for
        student = networks(max(LENGTHS), cell, SLOTS)[0]
        compiled = torch.compile(student.cell.forward, dynamic=True)
        for length in LENGTHS:
            rival = TruncatedBPTT(student, length)
            batch = symbols(TOKENS // length, length)
            rival.compile(lambda _, compiled=compiled: compiled)
            m, e = student.start(len(batch.x)), student.embed(batch.x[:, 0])
            stepped = compiled(m, e)
            require_same("a compiled step", stepped, student.cell(m, e), 1e-4)
            stepped.sum().backward()  # compiles the backward pass too
            through_time = {"bptt": optimiser_step(rival, batch)}
            yield _row(cell, length, through_time)
            if length == FROM:
                yield _stored_row(cell, length, through_time)
    for length in (256, 1024) if case in ("", "gru") else ():
        yield _row("gru", length, {"bptt": _fused(symbols(TOKENS // length, length))}, "nn.GRU, ")


def _row(cell: str, length: int, rival: dict[str, Callable], name: str = "") -> Row:
    student, teacher = networks(length, cell, SLOTS, "linear", depth=DEPTH, decoder_depth=1)
    ours = optimiser_step(JointSMT(student, teacher, LOSSES), symbols(TOKENS // length, length))
    macs = encoder_macs(length, WIDTH, DEPTH, 0) + recurrence_macs(
        length, WIDTH, student.memory.size
    )
    return _compared(f"{name}{cell} cell", student, macs, {"smt": ours} | rival)


def _stored_row(cell: str, length: int, rival: dict[str, Callable]) -> Row:
    """Stage two of two, from a label store: only the student takes part in a step."""
    student, teacher = networks(length, cell, SLOTS, "linear", depth=DEPTH, decoder_depth=1)
    batch = symbols(TOKENS // length, length)
    with torch.no_grad():
        with_targets = BatchWithTargets(*batch, teacher.targets(batch.x))
    ours = optimiser_step(FrozenSMT(student, teacher, LOSSES), with_targets)
    return _compared(f"{cell} cell, stored labels", student, 0, {"smt": ours} | rival)


def _compared(case: str, student: Student, teacher_macs: float, parts: dict[str, Callable]) -> Row:
    """`teacher_macs`: multiplications a token that the teacher adds to the student's."""
    length = student.signature.length
    # One step of a long sequence is thousands of serial calls: an average by itself.
    seconds = interleaved(parts, 0.0, least=2 if length < 1024 else 1)
    ratio, spread = ratios(seconds["bptt"], seconds["smt"])
    ours, theirs = (1e6 * statistics.median(seconds[name]) / TOKENS for name in ("smt", "bptt"))
    macs = student_macs(student)
    return Row(
        "bptt", f"{case}, T = {length}", ratio, ">=", 1.0 if length >= FROM else None, spread,
        ours, theirs, "us/token",
        f"serial cell calls 1 against {length}; multiplications a token "
        f"{(macs + teacher_macs) / 1e6:.2f} M against {macs / 1e6:.2f} M",
    )  # fmt: skip


def _fused(batch: Batch) -> Callable[[], object]:
    return fused_step(FusedBPTT("gru", SYMBOLS, 64, SLOTS * WIDTH), batch)


def fused_step(net: FusedBPTT, batch: Batch) -> Callable[[], object]:
    """A whole step of a network of torch.nn, by the same optimiser as ours."""
    optimiser = Optimiser([net], FitConfig())

    def step() -> None:
        optimiser.zero_grad()
        net(batch).backward()
        optimiser.step(RATE)

    return step
