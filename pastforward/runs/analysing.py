"""L6. The table of analyses, and what asking them of a run writes. Imports no torch."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pastforward.errors import UsageError, nearest
from pastforward.files import read_json, write_json
from pastforward.registry import Entry, Registry

if TYPE_CHECKING:
    from pastforward.runs.analyses import Analysis
    from pastforward.runs.networks import Subject


def _row(name: str, summary: str) -> Entry:
    return Entry(f"pastforward.runs.analyses:ask_{name}", summary=summary)


ANALYSES: Registry[Entry] = Registry("analysis", {
    "gap": _row(
        "gap", "how far the student is behind its teacher, and why: readout, one step, compounding"
    ),
    "credit": _row("credit", "how much of the last output's loss reaches m_t, by BPTT and by SMT"),
    "lengths": _row("lengths", "loss at T, 2T, 4T, 8T and 16T"),
    "geometry": _row(
        "geometry", "memories in two dimensions, and a linear probe of the task's true state"
    ),
    "future": _row(
        "future", "a linear probe of the outputs to come: is a memory a predictive state?"
    ),
})  # fmt: skip
"""Functions `(Subject, sequences) -> Analysis`."""


def analyse_run(
    subject: "Subject", names: Sequence[str], sequences: int, told: Callable[[str], None]
) -> "dict[str, Analysis]":
    """Answers by name; the page, figures and analysis.json go to RUN/analysis.

    All analyses that suit the run when none is named; `told(text)` is called before each, and with
    the reason where one is left out. Raises `UsageError` for a named one that doesn't suit.
    """
    folder, found = _folder(subject.folder.path), {}
    for name in names or ANALYSES:
        told(name)
        try:
            found[name] = ANALYSES.load(name)(subject, sequences)
        except UsageError as error:
            if names:
                raise
            told(f"{name} left out: {error}")
    _write(folder, subject.folder.path.name, found)
    return found


def require_analyses(names: Sequence[str], sequences: int) -> None:
    """Raise `UsageError` for an unknown analysis, or fewer than two sequences."""
    for name in names:
        if name not in ANALYSES:
            raise UsageError(f"There is no analysis '{name}'; {nearest(name, ANALYSES)}.")
    if sequences < 2:
        raise UsageError(f"--sequences is {sequences}; give 2 or more.")


def page_of(run: Path) -> Path:
    """The page that `analyse_run` writes."""
    return run / "analysis" / "analysis.html"


def _folder(run: Path) -> Path:
    folder = page_of(run).parent
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"Can't write {folder} ({error.strerror}); make room for a folder there."
        ) from error
    return folder


def _write(folder: Path, run: str, found: "Mapping[str, Analysis]") -> None:
    from pastforward.report.analysis_page import Section, write_page
    from pastforward.report.charts import save_figure

    for answer in found.values():
        for file, figure in answer.figures.items():
            save_figure(folder / f"{file}.png", figure)
    _keep(folder / "analysis.json", {name: answer.facts for name, answer in found.items()})
    sections = {
        name: Section(ANALYSES[name].summary, answer.lines, list(answer.figures.values()))
        for name, answer in found.items()
    }
    write_page(page_of(folder.parent), run, sections)


def _keep(path: Path, facts: Mapping[str, Any]) -> None:
    """Add to the facts of analyses made before."""
    try:
        before = read_json(path)
    except (OSError, ValueError):
        before = {}
    write_json(path, (before if isinstance(before, dict) else {}) | dict(facts))
