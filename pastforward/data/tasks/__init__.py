"""L1. Synthetic tasks: how hard they are is said in their names, what is best is known."""

from pastforward.data.tasks.base import Axis, Task, axes
from pastforward.data.tasks.naming import TASKS, build_task, whole
from pastforward.data.tasks.source import TaskSource

__all__ = ["TASKS", "Axis", "Task", "TaskSource", "axes", "build_task", "whole"]
