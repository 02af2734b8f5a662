"""Small trainings of the studies, on one thread."""

from collections.abc import Callable
from dataclasses import replace

from pastforward.config import RunConfig
from pastforward.data.opening import open_data
from pastforward.data.source import Source
from pastforward.methods import METHODS
from pastforward.methods.base import Method
from pastforward.recipes.real_data import digits
from pastforward.recipes.tuned import copy, retrieval
from pastforward.student import Student
from pastforward.teacher.teacher import Teacher
from pastforward.training.networks import build_networks

RECIPES: dict[str, Callable[..., RunConfig]] = {
    "copy": copy,
    "retrieval": retrieval,
    "digits": digits,
}
"""By the family of a task: functions (strategy, cell), and a length unless it is fixed."""


def config_of(task: str, strategy: str = "smt+dmt", cell: str = "mlp", seed: int = 0) -> RunConfig:
    """The recipe of a task such as copy:16 or digits."""
    name, _, length = task.partition(":")
    given = {"length": int(length)} if length else {}
    return replace(RECIPES[name](strategy, cell, **given), seed=seed)


def opened(config: RunConfig) -> tuple[Source, Student, Teacher]:
    """Data, student and teacher of a config."""
    source = open_data(config.data)
    student, teacher = build_networks(config, source.signature)
    assert isinstance(student, Student)
    assert isinstance(teacher, Teacher)
    return source, student, teacher


def method_of(name: str, student: Student, teacher: Teacher, config: RunConfig) -> Method:
    """A method of the library."""
    return METHODS.load(name)(student, teacher, config)
