"""L4. A series as one line of text: blocks of eight heights."""

from collections.abc import Sequence

import numpy as np

from pastforward.analysis.forecasts.futures import Future

_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH = 48


def sparkline(values: Sequence[float] | np.ndarray, width: int = _WIDTH) -> str:
    """Means of at most `width` parts of the values, a blank where none is there."""
    parts = [part for part in np.array_split(np.asarray(values, float), width) if len(part)]
    means = np.array([part[~np.isnan(part)].mean() if (~np.isnan(part)).any() else np.nan
                      for part in parts])  # fmt: skip
    if np.isnan(means).all():
        return " " * len(means)
    low, high = np.nanmin(means), np.nanmax(means)
    steps = (means - low) / (high - low or 1.0) * (len(_BLOCKS) - 1)
    return "".join(" " if np.isnan(s) else _BLOCKS[round(float(s))] for s in steps)


def future_lines(found: Sequence[Future]) -> list[str]:
    """Each series as it was and, after a bar, as the median of its forecast is."""
    lines = []
    for one in found:
        median = one.quantiles([0.5])[0]
        for place, column in enumerate(one.columns):
            past = one.past[-3 * one.horizon :, place]
            whole = np.concatenate([past, median[:, place]])
            drawn = sparkline(whole)
            cut = round(len(drawn) * len(past) / len(whole))
            name = " ".join(filter(None, [one.name, column]))
            ends = f"{median[0, place]:.4g} to {median[-1, place]:.4g}"
            lines.append(f"{name}  {drawn[:cut]}|{drawn[cut:]}  {ends}")
    return lines
