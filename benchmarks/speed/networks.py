"""The sizes that benchmarks share: text-like data of 64 symbols, memories of K slots of 64."""

from collections.abc import Callable

import torch

from pastforward.cells import StudentConfig
from pastforward.methods.base import Method
from pastforward.student import Student, build_student
from pastforward.teacher import TeacherConfig
from pastforward.teacher.teacher import Teacher, build_teacher
from pastforward.training import FitConfig
from pastforward.training.optimiser import Optimiser
from pastforward.types import AnyBatch, Batch, Signature, Tokens

SYMBOLS, WIDTH, DEPTH = 64, 64, 4
RATE = 1e-3


def networks(
    length: int, cell: str = "mlp", slots: int = 4, encoder: str = "registers", **changes: int
) -> tuple[Student, Teacher]:
    """A student with K = `slots`, D = 64, and a teacher of width 64 and depth 4 for it."""
    torch.manual_seed(0)
    signature = Signature(Tokens(SYMBOLS), Tokens(SYMBOLS), length)
    student = build_student(StudentConfig(cell, slots, WIDTH), signature)
    sizes = {"width": WIDTH, "depth": DEPTH, "decoder_depth": 2} | changes
    return student, build_teacher(TeacherConfig(encoder, **sizes), signature, student.memory)


def symbols(count: int, length: int) -> Batch:
    """Random sequences in which every next symbol counts: x and y `[count, length]`."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(SYMBOLS, (count, length + 1), generator=generator)
    return Batch(x[:, :-1], x[:, 1:], torch.ones(count, length, dtype=torch.bool))


def optimiser_step(method: Method, batch: AnyBatch) -> Callable[[], object]:
    """A whole step: losses, gradients, Muon and AdamW."""
    optimiser = Optimiser(method.modules(), FitConfig())
    generator = torch.Generator().manual_seed(2)

    def step() -> None:
        optimiser.zero_grad()
        method.accumulate_gradients(batch, generator)
        optimiser.step(RATE)

    return step
