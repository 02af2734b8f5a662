"""L2. Baselines by name, as wide as brings them nearest to the student's parameter count."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import nn

from pastforward.baselines import BASELINES, BaselineConfig
from pastforward.baselines.attention import Attention
from pastforward.baselines.base import Baseline
from pastforward.blocks import without_values
from pastforward.cells import StudentConfig
from pastforward.errors import UsageError
from pastforward.student import build_student
from pastforward.types import Signature

if TYPE_CHECKING:
    from pastforward.teacher import TeacherConfig


def build_baseline(config: BaselineConfig, signature: Signature) -> Baseline:
    """A baseline whose width is given; raises `UsageError` for what doesn't fit or isn't there."""
    baseline = BASELINES.load(config.name)(signature, config)
    if not isinstance(baseline, Baseline):
        raise UsageError(
            f"'{config.name}' built {type(baseline).__name__}, which is no baseline; derive it "
            "from pastforward.Baseline."
        )
    return baseline


def sized(config: BaselineConfig, signature: Signature, student: StudentConfig) -> BaselineConfig:
    """The config with a width: its own, or the nearest to the student's parameter count."""
    if config.width is not None:
        return config
    step = BASELINES[config.name].width_step if config.name in BASELINES else 1
    wanted = student_parameters(student, signature)

    def count(multiple: int) -> int:
        return _size(lambda: build_baseline(replace(config, width=step * multiple), signature))

    top = 2
    while count(top) < wanted:
        top *= 2
    high = bisect_left(range(top), wanted, 2, key=count)
    best = min(high - 1, high, key=lambda multiple: abs(count(multiple) - wanted))
    return replace(config, width=step * best)


def build_output_teacher(teacher: "TeacherConfig", depth: int, signature: Signature) -> Attention:
    """The causal Transformer that output distillation learns from: no memory in between."""
    config = BaselineConfig(
        "attention", depth, teacher.width, hidden=2 * teacher.width, heads=teacher.heads
    )
    return Attention(signature, config)


def parameters(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(p.numel() for p in network.parameters())


def student_parameters(config: StudentConfig, signature: Signature) -> int:
    """How many numbers a student of this config learns."""
    return _size(lambda: build_student(config, signature))


def _size(build: Callable[[], nn.Module]) -> int:
    with without_values():
        return parameters(build())
