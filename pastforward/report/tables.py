"""L4. One table model, printed by rich and rendered by the macro `table` of macros.html."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from pastforward.report.colours import GREY, colour_of
from pastforward.report.formats import NOTHING
from pastforward.report.summary import HEAD, RunSummary, best, cells, results, run_unit

_LINE_STYLES = {"teacher": "cyan", "reference": "dim", "unhelpful": "yellow", "skipped": "dim"}
_FIRST_CELL_STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}


@dataclass(frozen=True)
class Line:
    """A row of a table."""

    cells: Sequence[str]
    kind: str = ""
    """Its style: teacher, reference, unhelpful, ok, warning, failed, skipped; plain otherwise."""
    best: bool = False
    group: str = ""
    """Rows of one group stand together; a gap or a line comes where it changes."""
    notes: Sequence[str] = ()
    """Sentences about this row. Pages show them below it, the console below the table."""
    colour: str = ""
    """Of the mark before the first cell, on pages only."""
    bar: float | None = None
    """Percent of the first column's width that a bar below its text takes, on pages only."""


@dataclass(frozen=True)
class Table:
    """Head and rows of text. Printing it on a rich console shows it as a table."""

    head: Sequence[str]
    lines: Sequence[Line]
    names: int = 1
    """Columns, from the left, that name a row: they are left-aligned, the others right-aligned."""
    wraps: str = ""
    """The column whose text may be broken into lines on the console; the first by default."""
    title: str = ""
    """On the console only: a page has its own heading."""
    notes: Sequence[str] = ()
    """Sentences below the table."""
    page_only: Sequence[str] = ()
    """Columns that are left out on the console, which has room for 80 characters."""

    def keeping(self, columns: Sequence[int]) -> "Table":
        """The same table with only these columns."""
        lines = [replace(line, cells=[line.cells[i] for i in columns]) for line in self.lines]
        names = sum(i < self.names for i in columns)
        return replace(self, head=[self.head[i] for i in columns], lines=lines, names=names)

    def without_empty(self) -> "Table":
        """Without the columns in which no row has a value."""
        columns = enumerate(zip(*(line.cells for line in self.lines), strict=True))
        return self.keeping([i for i, column in columns if {*column} - {"", NOTHING}])

    def without(self, *names: str) -> "Table":
        """Without the columns of these names."""
        return self.keeping([i for i, name in enumerate(self.head) if name not in names])

    def __rich__(self) -> RenderableType:
        shown = self.without(*self.page_only)
        grid = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        wraps = self.wraps or shown.head[0]
        for i, name in enumerate(shown.head):
            side = "left" if i < shown.names else "right"
            grid.add_column(Text(name), justify=side, no_wrap=name != wraps)
        following = [line.group for line in shown.lines[1:]] + [""]
        for line, group in zip(shown.lines, following, strict=True):
            grid.add_row(*_cells(line), end_section=line.group != group)
        title = [Text(self.title, "bold")] if self.title else []
        notes = [*_row_notes(shown), *(Text(note, "dim") for note in self.notes)]
        return Group(*title, grid, *(Padding(note, (0, 0, 0, 1)) for note in notes))


def results_table(runs: Sequence[RunSummary]) -> Table:
    """Standalone held-out loss of every run, then of teachers, then of reference predictors."""
    rows = results(runs)
    winner, largest = best(rows), max((row.nats or 0.0 for row in rows), default=0.0) or 1.0
    lines = [
        Line(
            cells(row), "unhelpful" if row.note else row.kind, row is winner, group=row.kind,
            notes=[row.note] if row.note else [], bar=max(0.0, 100 * (row.nats or 0.0) / largest),
            colour=colour_of(place) if row.kind == "student" else GREY,
        )
        for place, row in enumerate(rows)
    ]  # fmt: skip
    table = Table(
        [run_unit(runs) if name == "loss" else name for name in HEAD], lines, page_only=["±"],
        title="Held-out loss per output, students alone from their empty memory",
        notes=["Serial: cell calls one after the other per optimiser step, by stage."],
    )  # fmt: skip
    return table.without_empty()


def _cells(line: Line) -> Iterator[Text]:
    style = "bold green" if line.best else _LINE_STYLES.get(line.kind, "")
    for place, cell in enumerate(line.cells):
        first = _FIRST_CELL_STYLES.get(line.kind, style)
        yield Text(cell, style if place else first)


def _row_notes(table: Table) -> list[Text]:
    """Every note once, after the names of the rows that it is about."""
    about: dict[str, list[str]] = {}
    for line in table.lines:
        for note in line.notes:
            about.setdefault(note, []).append(" ".join(line.cells[: table.names]))
    return [Text(f"{', '.join(names)}: {note}", "yellow") for note, names in about.items()]
