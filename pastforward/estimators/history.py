"""L6. The record of a fit, as rows of plain numbers."""

from typing import Any, final

from typing_extensions import override

from pastforward.training.callbacks import Callback
from pastforward.training.loop import Fit

_EVERY = 10
"""Optimiser steps between rows; those with an evaluation have one, too."""


@final
class History(Callback):
    """Rows with stage, step and seconds within the stage, and losses.

    After an evaluation they have 'valid', the held-out loss, and where another metric selects, that
    metric as 'valid_NAME', such as 'valid_macro_f1'.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._stage = ""

    @override
    def on_stage(self, name: str, number: int, of: int) -> None:
        self._stage = name

    @override
    def on_step(self, fit: Fit, terms: dict[str, float], valid: float | None) -> None:
        if "valid" in terms or fit.progress.step % _EVERY == 1:
            spent = {"step": fit.progress.step, "seconds": fit.progress.seconds}
            self.rows.append({"stage": self._stage} | spent | terms)
