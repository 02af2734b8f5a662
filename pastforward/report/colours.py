"""L0. Colours of charts and tables. Imports no matplotlib: tables need it not."""

COLOURS = ("#3b82f6", "#f59e0b", "#10b981", "#ef4444", "#8b5cf6", "#06b6d4", "#ec4899", "#84cc16")
GREY = "#8b93a1"
INK, SOFT, LINE = "#1d2430", "#667085", "#e4e7ec"
"""Titles, labels and grid. On a page `charts.svg` puts the page's own colours in their place."""


def colour_of(place: int) -> str:
    """Of the n-th of several runs or curves; they come again where they run out."""
    return COLOURS[place % len(COLOURS)]
