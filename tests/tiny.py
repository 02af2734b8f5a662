"""Small networks and batches, in double precision, and what a method does to their gradients."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from pastforward.baselines import BaselineConfig
from pastforward.baselines.attention import Attention
from pastforward.baselines.base import Baseline, Network
from pastforward.baselines.build import build_baseline, build_output_teacher, sized
from pastforward.cells import StudentConfig
from pastforward.methods import facts
from pastforward.methods.base import Losses, Method
from pastforward.student import Student, build_student
from pastforward.teacher import TeacherConfig, encoders
from pastforward.teacher.encoders import DeltaConfig
from pastforward.teacher.teacher import Teacher, build_teacher
from pastforward.training.callbacks import Callback
from pastforward.types import Batch, Kind, Signature, Tokens, Vectors

KINDS = {"tokens": (Tokens(5), Tokens(4)), "vectors": (Vectors(3), Vectors(2))}
ENCODERS = tuple(sorted(encoders.ENCODERS))
SIZES = [(1, 1), (2, 3), (7, 3)]
"""Awkward T and K."""


def signature(kind: str = "tokens", length: int = 7) -> Signature:
    return Signature(*KINDS[kind], length)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sequence(kind: Kind, count: int, length: int, seed: int) -> Tensor:
    if isinstance(kind, Tokens):
        return torch.randint(kind.size, (count, length), generator=seeded(seed))
    shape = (count, length, kind.width)
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def batch(what: Signature, count: int = 3, length: int | None = None, seed: int = 0) -> Batch:
    """About two thirds of the outputs count, the last one always."""
    length = what.length if length is None else length
    mask = torch.rand(count, length, generator=seeded(seed + 2)) < 0.67
    mask[:, -1] = True
    x, y = (sequence(k, count, length, seed + n) for n, k in enumerate((what.inputs, what.outputs)))
    return Batch(x, y, mask)


def student(what: Signature, cell: str = "gru", slots: int = 2, width: int = 4) -> Student:
    torch.manual_seed(1)
    config = StudentConfig(cell=cell, slots=slots, width=width, embed=3, hidden=6)
    return build_student(config, what).double()


def teacher(
    what: Signature, own: Student, encoder: str = "registers", inputs: bool = False, **changes
) -> Teacher:
    torch.manual_seed(2)
    sizes = {"width": 8, "depth": 1, "heads": 2, "decoder_depth": 1}
    if encoder == "delta":
        sizes["encoder_config"] = DeltaConfig(key_dim=2, householder_steps=2)
    config = TeacherConfig(encoder=encoder, **sizes | changes)
    return build_teacher(config, what, own.memory, inputs).double()


def output_teacher(what: Signature) -> Attention:
    """What a student is distilled from."""
    torch.manual_seed(3)
    return build_output_teacher(TeacherConfig(width=8, heads=2), 1, what).double()


def baseline(what: Signature, name: str = "mingru") -> Baseline:
    torch.manual_seed(4)
    like = StudentConfig(slots=2, width=12, embed=3, hidden=6)
    return build_baseline(sized(BaselineConfig(name, hidden=6), what, like), what).double()


def networks(method: str, own: Student) -> tuple[Network, Teacher | Baseline]:
    """What a method of the table is built with: a student or baseline, and a teacher."""
    what, row = own.signature, facts(method)
    its_teacher = output_teacher(what) if row.teacher == "output" else teacher(what, own)
    return (baseline(what) if row.network == "baseline" else own), its_teacher


def pair(kind: str = "tokens", length: int = 7, **changes) -> tuple[Student, Teacher, Batch]:
    """A student, a teacher for it and a batch."""
    encoder = changes.pop("encoder", "registers")
    what = signature(kind, length)
    inputs = changes.pop("inputs", False)
    own = student(what, **changes)
    return own, teacher(what, own, encoder, inputs), batch(what)


def descend(method: Method, data: Batch, seed: int = 0) -> Losses:
    """Losses, with fresh gradients left on the parameters of everything that they reach."""
    for name in ("student", "teacher", "target_source", "network"):
        part = getattr(method, name, None)
        if isinstance(part, nn.Module):
            part.zero_grad(set_to_none=True)
    losses = method.losses(data, seeded(seed))
    losses.total.backward()
    return losses


class Record(Callback):
    """Keeps the terms of every step."""

    def __init__(self) -> None:
        self.terms: list[dict[str, float]] = []

    def on_step(self, fit, terms, valid) -> None:
        self.terms.append(terms)


def gradients(module: nn.Module | Iterable[nn.Parameter]) -> list[Tensor]:
    """Copies of all gradients; zeros where there is none."""
    parameters = module.parameters() if isinstance(module, nn.Module) else module
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters]


def still(module: nn.Module | Iterable[nn.Parameter]) -> bool:
    """No gradient at all, or zeros."""
    return not any(g.any() for g in gradients(module))


def assert_same(found: list[Tensor], expected: list[Tensor], tolerance: float = 1e-10) -> None:
    """All equal, and not all zero."""
    assert len(found) == len(expected)
    assert any(g.any() for g in expected)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=tolerance)
