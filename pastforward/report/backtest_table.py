"""L4. The table of a backtest: the student beside forecasts without a network."""

from pastforward.analysis.forecasts.backtest import STUDENT, Backtest
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


def how_drawn(found: Backtest) -> str:
    """By which of two ways the student's forecasts were made, and why."""
    way = "paths drawn row by row" if found.calibration.streamed else "each row ahead by itself"
    if found.calibration.crps is None:
        return f"Student: {way}."
    rows, paths = found.calibration.crps
    said = f"CRPS there {rows:.4g} by itself and {paths:.4g} by paths, in standard deviations"
    return f"Student: {way}, the better way on validation rows ({said})."


def _short(value: float) -> str:
    return f"{value:.4g}"
