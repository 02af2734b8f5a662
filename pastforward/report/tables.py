"""L4. The results table for the console."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from pastforward.report.summary import HEAD, NOTHING, RunSummary, best, cells, results

# A console has 80 columns: the report has room for the error.
_SHOWN = [i for i, name in enumerate(HEAD) if name != "±"]
_STYLES = {"student": "", "teacher": "cyan", "floor": "dim"}


def results_table(runs: Sequence[RunSummary]) -> Table:
    """Standalone held-out loss of every run, then teachers, then floors."""
    rows = results(runs)
    winner, text = best(rows), [cells(row) for row in rows]
    used = [i for i in _SHOWN if any(row[i] != NOTHING for row in text)]
    table = Table(
        title="Held-out loss per output, students alone from their empty memory",
        caption="Serial: cell calls one after the other per optimiser step, by stage.",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title_justify="left",
        caption_justify="left",
    )
    for i in used:
        table.add_column(HEAD[i], justify="right" if i else "left", no_wrap=i > 0)
    for place, (row, line) in enumerate(zip(rows, text, strict=True)):
        last_of_kind = place + 1 == len(rows) or rows[place + 1].kind != row.kind
        style = "bold green" if row is winner else _STYLES[row.kind]
        table.add_row(*(line[i] for i in used), style=style, end_section=last_of_kind)
    return table
