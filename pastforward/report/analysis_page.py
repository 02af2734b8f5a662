"""L4. The answers about a run on one self-contained page: what they say, and their figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from pastforward.report import templates


class Section(NamedTuple):
    """A question, the lines that answer it and its figures."""

    question: str
    lines: Sequence[str]
    figures: Sequence[Figure]


def write_page(path: Path, title: str, sections: Mapping[str, Section]) -> Path:
    """Write the page as a whole or not at all; raises `UsageError` when it can't."""
    return templates.write_page(path, "analysis.html", title=title, sections=sections)
