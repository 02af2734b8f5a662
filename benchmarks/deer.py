"""A student's own memories without a serial loop: fixed-point and Newton iteration over all t.

    python benchmarks/deer.py check             every solver ends at the rollout's memories
    python benchmarks/deer.py measure gru 64    iterations and ms against the serial rollout
    python benchmarks/deer.py labels copy32     the same, with the teacher's labels as a first guess
    python benchmarks/deer.py table             all rows, in Markdown

m_1..m_T solve m_t = f(m_{t-1}, e_t). From a guess, all t at once, each iteration adds d_t with
d_t = f(m_{t-1}, e_t) - m_t + A_t d_{t-1}, a linear recurrence, which a scan of depth log T solves.
A_t = 0 is the fixed-point iteration, the Jacobian of f is Newton's (DEER, Lim et al. 2024), its
diagonal is quasi-DEER's (Gonzalez et al. 2024); `damping` scales A_t. The first i memories are
exact after i iterations, whatever A_t is, so T iterations are always enough.
"""

import datetime
import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from onpolicy import restarted
from solve import hardware
from torch import Tensor

from pastforward.cells import CELLS
from pastforward.cells.base import Cell
from pastforward.config import Budget, DataConfig, StudentConfig
from pastforward.data.opening import open_data
from pastforward.methods.bptt import TruncatedBPTT
from pastforward.rollout import rollout
from pastforward.student import Student, build_student
from pastforward.training.loop import fit
from pastforward.types import MemoryShape

RESULTS = Path(__file__).parent / "results" / "deer.jsonl"
MOST, PATIENCE, TOLERANCE = 100, 6.0, 1e-3
"""Iterations and seconds after which we give up, and the largest gap that counts as arrived."""
FEW = 2
"""Sequences, where each has whole Jacobians."""


class Solver(ABC):
    """What stands for the Jacobian. Memories are flat here, `[B, T, M]`."""

    @abstractmethod
    def step(self, f: Callable[[Tensor], Tensor], m: Tensor) -> tuple[Tensor, Tensor | None]:
        """f(m) and A, either `[B, T, M]`, `[B, T, M, M]` or None for 0."""


@final
class FixedPoint(Solver):
    def step(self, f: Callable[[Tensor], Tensor], m: Tensor) -> tuple[Tensor, Tensor | None]:
        return f(m), None


@final
@dataclass(frozen=True)
class Newton(Solver):
    """The whole Jacobian: M products with tangents."""

    damping: float = 1.0

    def step(self, f: Callable[[Tensor], Tensor], m: Tensor) -> tuple[Tensor, Tensor]:
        return f(m), self.damping * jacobian(f, m)


@final
@dataclass(frozen=True)
class Diagonal(Solver):
    """Its diagonal, by the same M products: what quasi-Newton could do at best."""

    damping: float = 1.0

    def step(self, f: Callable[[Tensor], Tensor], m: Tensor) -> tuple[Tensor, Tensor]:
        return f(m), self.damping * jacobian(f, m).diagonal(dim1=-2, dim2=-1)


@final
@dataclass(frozen=True)
class Probed(Solver):
    """Its diagonal, guessed by one product with random signs (Hutchinson), kept within 0..1."""

    damping: float = 1.0

    def step(self, f: Callable[[Tensor], Tensor], m: Tensor) -> tuple[Tensor, Tensor]:
        signs = torch.randint_like(m, 2) * 2 - 1
        reached, moved = torch.func.jvp(f, (m,), (signs,))
        return reached, self.damping * (signs * moved).clamp(0, 1)


def jacobian(f: Callable[[Tensor], Tensor], m: Tensor) -> Tensor:
    """df/dm at every memory, `[B, T, M, M]`; f treats memories one by one."""
    basis = torch.eye(m.shape[-1], dtype=m.dtype)
    one = lambda v: torch.func.jvp(f, (m,), (v.expand_as(m),))[1]  # noqa: E731
    return torch.vmap(one, out_dims=-1)(basis)


def scan(a: Tensor, b: Tensor) -> Tensor:
    """d_t = a_t d_{t-1} + b_t with d_0 = 0, by doubling (Hillis & Steele 1986)."""
    full, length, reach = a.dim() > b.dim(), b.shape[1], 1

    def times(left: Tensor, right: Tensor) -> Tensor:
        if not full:
            return left * right
        return left @ right if right.dim() == left.dim() else (left @ right[..., None])[..., 0]

    while reach < length:
        b = torch.cat([b[:, :reach], b[:, reach:] + times(a[:, reach:], b[:, :-reach])], 1)
        a = torch.cat([a[:, :reach], times(a[:, reach:], a[:, :-reach])], 1)
        reach *= 2
    return b


@torch.no_grad()
def solve(
    solver: Solver, cell: Cell, start: Tensor, e: Tensor, guess: Tensor, iterations: int,
    tolerance: float, patience: float = float("inf"),
) -> tuple[Tensor, int, bool]:  # fmt: skip
    """m_1..m_T `[B, T, K, D]` from guesses of them, how many iterations, and: did it arrive?"""
    end = time.perf_counter() + patience
    shape = (cell.memory.slots, cell.memory.width)
    f = lambda m: cell(m.unflatten(-1, shape), e).flatten(-2)  # noqa: E731
    m, first = guess.flatten(-2), start.flatten(-2)[:, None]
    for count in range(iterations):
        reached, a = solver.step(f, torch.cat([first, m[:, :-1]], 1))
        gap = reached - m
        if gap.abs().max() <= tolerance:
            return reached.unflatten(-1, shape), count + 1, True
        if time.perf_counter() > end or count + 1 == iterations:
            break
        moved = m + (gap if a is None else scan(a, gap))
        # Where Newton leaves the ground, a plain step brings it back.
        m = torch.where((moved.abs() < 1e3).all(-1, keepdim=True), moved, reached)
    return reached.unflatten(-1, shape), count + 1, False


SOLVERS: dict[str, Solver] = {
    "fixed point": FixedPoint(), "Newton": Newton(), "Newton, damped 0.5": Newton(0.5),
    "diagonal": Diagonal(), "diagonal, damped 0.5": Diagonal(0.5), "probed diagonal": Probed(),
}  # fmt: skip
LONG = ("fixed point", "Newton", "probed diagonal")
"""Solvers that are tried beyond T = 64 too."""


def check() -> None:
    """In double precision, at awkward T: within 1e-8 of the serial rollout for every solver."""
    for name, solver in SOLVERS.items():
        for cell_name in ("gru", "mlp", "elman", "lstm"):
            for length in (1, 2, 63, 65):
                torch.manual_seed(length)
                cell = CELLS[cell_name](MemoryShape(2, 4), 3).double()
                m, e = torch.randn(3, 2, 4).double(), torch.randn(3, length, 3).double()
                guess = torch.zeros(3, length, 2, 4).double()
                found, count, _ = solve(solver, cell, m, e, guess, length + 1, 1e-12)
                error = (found - rollout(cell, m, e)[:, 1:]).abs().max().item()
                assert error < 1e-8, (name, cell_name, length, error)
                assert count <= length + 1
        print(f"{name}: as the rollout, at T = 1, 2, 63, 65")


def trained(cell: str, size: int) -> Student:
    """On the library's text, by truncated BPTT for 10 s."""
    source = open_data(DataConfig("pydoc", length=128))
    torch.manual_seed(0)
    slots = 2 if cell == "lstm" else 1
    config = StudentConfig(cell, slots=slots, width=size // slots)
    student = build_student(config, source.signature)
    fit(TruncatedBPTT(student, 32), source, 2e-3, Budget(seconds=10.0))
    return student


def measure(cell: str, size: int) -> None:
    student = trained(cell, size)
    for length in (64, 256, 1024):
        x = open_data(DataConfig("pydoc", length=length)).batch(0, 0, 32).x
        facts = {"data": "pydoc", "cell": cell, "memory": size, "guess": "m_0"}
        compare(student, x, student.start(32, length), facts)


def targets(task: str) -> None:
    config, source, student, teacher = restarted(task)
    x = source.batch(0, 0, config.fit.batch).x
    for name, guess in (("m_0", student.start(*x.shape)), ("labels", teacher.targets(x)[:, 1:])):
        facts = {"data": task, "cell": "mlp", "memory": student.memory.size, "guess": name}
        compare(student, x, guess.detach(), facts)


@torch.no_grad()
def compare(student: Student, x: Tensor, guess: Tensor, facts: dict) -> None:
    """One row for each solver: iterations until it arrives, and milliseconds."""
    for name, solver in SOLVERS.items():
        if x.shape[1] > 64 and name not in LONG:
            continue
        size = FEW if isinstance(solver, Newton | Diagonal) else len(x)
        start, e = student.start(size), student.embed(x[:size])
        serial = min(timed(lambda: rollout(student.cell, start, e)) for _ in range(5))  # noqa: B023
        truth = rollout(student.cell, start, e)[:, 1:]
        begin = time.perf_counter()
        found, count, arrived = solve(
            solver, student.cell, start, e, guess[:size], MOST, TOLERANCE, PATIENCE
        )
        spent = time.perf_counter() - begin
        write(facts | {
            "length": x.shape[1], "batch": size, "solver": name, "iterations": count,
            "arrived": arrived, "error": (found - truth).square().mean().sqrt().item(),
            "ms": round(1e3 * spent, 1), "serial_ms": round(1e3 * serial, 1),
        })  # fmt: skip


def timed(part: Callable[[], object]) -> float:
    begin = time.perf_counter()
    part()
    return time.perf_counter() - begin


def write(row: dict) -> None:
    row |= {"threads": 1, "machine": hardware(), "date": datetime.date.today().isoformat()}
    with RESULTS.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)


def table() -> None:
    """Fewest milliseconds are the serial rollout's nearly everywhere, so both stand in a row."""
    print("| data | cell | M | T | guess | solver | iterations | RMS error | ms | serial ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for line in RESULTS.read_text().splitlines():
        row = json.loads(line)
        count = f"{row['iterations']}" if row["arrived"] else f"> {row['iterations']}"
        print(f"| {row['data']} | {row['cell']} | {row['memory']} | {row['length']} | "
              f"{row['guess']} | {row['solver']} (B = {row['batch']}) | {count} | "
              f"{row['error']:.0e} | {row['ms']:.0f} | {row['serial_ms']:.0f} |")  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["check"]:
            check()
        case ["measure", cell, size]:
            measure(cell, int(size))
        case ["labels", task]:
            targets(task)
        case ["table"]:
            table()
        case _:
            sys.exit(__doc__)
