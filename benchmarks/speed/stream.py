"""A streamed step, sampling included, over the bare products with the same weights."""

import statistics
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.speed.cost import weight_bytes
from benchmarks.speed.measuring import Row, interleaved, ratios, require_same
from pastforward.cells import StudentConfig
from pastforward.inference.aot import AheadOfTime
from pastforward.inference.sampling import PLAIN, noise
from pastforward.inference.stream import Eager
from pastforward.student import Student, build_student
from pastforward.types import Signature, Tokens

SYMBOLS, MEMORY, STEPS = 256, 512, 64
SLOWER, OVERHEAD, OF_BARE = 1.5, 15.0, 0.7


def student_of(cell: str) -> Student:
    """Bytes in and out, a memory of 512."""
    torch.manual_seed(0)
    kind = Tokens(SYMBOLS)
    return build_student(StudentConfig(cell, 1, MEMORY), Signature(kind, kind, STEPS)).eval()


@torch.inference_mode()
def run() -> Iterator[Row]:
    """GRU and MLP cells of memory 512, bytes; 64 steps a call. First run: half a minute a loop."""
    for cell in ("gru", "mlp"):
        student = student_of(cell)
        for batch in (1, 64):
            yield from _rows(cell, student, batch)


def _rows(cell: str, student: Student, batch: int) -> Iterator[Row]:
    fast, eager = AheadOfTime(student, batch), Eager(student)
    m = student.start(batch).clone()
    u = noise(Tokens(SYMBOLS), (batch, STEPS), torch.Generator().manual_seed(0), m)
    require_parity(fast, m, u[:, :8])
    parts = {
        "ours": lambda: fast.write(m, u, PLAIN),
        "eager": lambda: eager.write(m, u[:, :8], PLAIN),
        "bare": repeated(products(student, batch)),
        "cell": repeated(_grucell(batch)),
        "single": repeated(lambda: fast.write(m, u[:, :1], PLAIN), 8),
    }
    seconds = interleaved(parts, 4.0)
    steps = {"ours": STEPS, "eager": 8, "bare": STEPS, "cell": STEPS, "single": 8}
    us = {name: [1e6 * s / steps[name] for s in times] for name, times in seconds.items()}
    yield _judge(f"{cell}, batch {batch}", batch, us, weight_bytes(student))
    for rival, name in (("eager", "the same in eager PyTorch"), ("cell", "torch.nn.GRUCell")):
        if rival == "eager" or cell == "gru":
            yield _row(f"{cell}, batch {batch}: {name}", us[rival], us["ours"], ">=", None)
    case = f"{cell}, batch {batch}: one step a call, over the bare products"
    yield _row(case, us["single"], us["bare"], "<=", None, ours_above=True)


def require_parity(fast: AheadOfTime, m: Tensor, u: Tensor) -> None:
    """The compiled stream writes what the eager one writes."""
    found, expected = fast.write(m, u, PLAIN), Eager(fast.student).write(m, u, PLAIN)
    require_same("outputs of the compiled stream", found[1].float(), expected[1].float(), 0.0)
    require_same("its memory", found[0], expected[0], 1e-3)


def _judge(case: str, batch: int, us: dict[str, list[float]], weights: int) -> Row:
    ours, bare = statistics.median(us["ours"]), statistics.median(us["bare"])
    read = (
        f"{weights / 1e6:.1f} MB of weights, {weights / bare / 1e3:.0f} GB/s in the bare products"
    )
    if batch > 1:
        return _row(
            case + ", bare products over a step", us["bare"], us["ours"], ">=", OF_BARE, read
        )
    # Met by either: 1.5 times the bare products, or 15 microseconds above them.
    allowed = max(SLOWER, 1.0 + OVERHEAD / bare)
    read += f"; {ours - bare:+.0f} us to the bare products"
    return _row(
        case + ", over the bare products", us["ours"], us["bare"], "<=", allowed, read, True
    )


def _row(
    case: str, above: list[float], below: list[float], sense: str, target: float | None,
    bound: str = "", ours_above: bool = False,
) -> Row:  # fmt: skip
    ratio, spread = ratios(above, below)
    ours, rival = (above, below) if ours_above else (below, above)
    medians = statistics.median(ours), statistics.median(rival)
    return Row("stream", case, ratio, sense, target, spread, *medians, "us/step", bound)


def products(student: Student, batch: int) -> Callable[[], object]:
    """The least a step can do: one product with each matrix of cell and readout."""
    parts = (*student.cell.parameters(), *student.readout.parameters())
    matrices = [p.detach() for p in parts if p.dim() == 2]
    inputs = {p.shape[1]: torch.randn(batch, p.shape[1]) for p in matrices}
    if batch == 1:
        return lambda: [torch.mv(p, inputs[p.shape[1]][0]) for p in matrices]
    return lambda: [torch.mm(inputs[p.shape[1]], p.t()) for p in matrices]


def repeated(step: Callable[[], object], count: int = STEPS) -> Callable[[], object]:
    """A function that calls `step` `count` times."""
    return lambda: [step() for _ in range(count)]


def _grucell(batch: int) -> Callable[[], object]:
    """PyTorch's own cell of the same size, without readout and sampling."""
    cell, m, e = torch.nn.GRUCell(64, MEMORY), torch.zeros(batch, MEMORY), torch.randn(batch, 64)
    return lambda: cell(e, m)
