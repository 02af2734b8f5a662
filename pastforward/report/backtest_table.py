"""L4. The table of a backtest: the student beside forecasts without a network."""

from pastforward.analysis.forecasts.backtest import STUDENT, Backtest
from pastforward.analysis.forecasts.calibration import WAYS
from pastforward.report.formats import number, percent
from pastforward.report.tables import Line, Table


def backtest_table(found: Backtest) -> Table:
    """A row each; the lowest MASE is marked."""
    best = min(found.scores, key=lambda name: found.scores[name].mase)
    lines = [
        Line(
            (name, _short(s.mae), _short(s.mse), number(s.mase, 3), _short(s.crps),
             percent(s.coverage)),
            "" if name == STUDENT else "reference", name == best,
        )
        for name, s in found.scores.items()
    ]  # fmt: skip
    return Table(
        ("forecast", "MAE", "MSE", "MASE", "CRPS", "in 80%"), lines,
        title=f"{found.horizon} rows ahead from {found.origins} origins of the test rows",
        notes=[
            "MASE: MAE over that of the seasonal naive forecast on training rows. in 80%: values "
            "within the central 80% of the forecast.", how_drawn(found),
        ],
    )  # fmt: skip


_SAID = {
    "rows": "each row ahead by itself", "paths": "paths drawn row by row",
    "both": "half of the samples by themselves, half by paths",
}  # fmt: skip


def how_drawn(found: Backtest) -> str:
    """By which way the student's forecasts were made, and why."""
    way, losses = _SAID[found.calibration.way], found.calibration.crps
    if not losses:
        return f"Student: {way}."
    compared = ", ".join(f"{name} {loss:.3g}" for name, loss in zip(WAYS, losses, strict=True))
    return f"Student: {way}, the best on validation rows (CRPS of {compared})."


def _short(value: float) -> str:
    return f"{value:.4g}"
