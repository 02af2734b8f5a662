"""L1. The table of synthetic tasks: how each is built, and its usual length."""

from collections.abc import Callable

from pastforward.data.tasks.base import Task, TaskSource
from pastforward.data.tasks.copy import copy_task
from pastforward.data.tasks.retrieval import retrieval_task
from pastforward.data.tasks.reversed_copy import reversed_copy_task

TASKS: dict[str, tuple[Callable[[int], Task], int]] = {
    "copy": (copy_task, 32),
    "reversed_copy": (reversed_copy_task, 32),
    "retrieval": (retrieval_task, 128),
}

__all__ = ["TASKS", "Task", "TaskSource"]
