"""L6. The record of a fit, as rows of plain numbers."""

from typing import Any, final

from typing_extensions import override

from pastforward.training.callbacks import Callback
from pastforward.training.loop import Fit

_EVERY = 10
"""Optimiser steps between rows; those after an evaluation have one, too."""


@final
class History(Callback):
    """Rows with stage, step and seconds within the stage, losses, and 'valid', the held-out loss.

    'valid' stands in the rows of steps after which there was an evaluation.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._stage, self._valid = "", None

    @override
    def on_stage(self, name: str, number: int, of: int) -> None:
        self._stage = name

    @override
    def on_step(self, fit: Fit, terms: dict[str, float], valid: float | None) -> None:
        step, fresh = fit.progress.step, valid != self._valid
        if fresh or step % _EVERY == 1:
            row = {"stage": self._stage, "step": step, "seconds": fit.progress.seconds} | terms
            self.rows.append(row | {"valid": valid} if fresh else row)
        self._valid = valid
