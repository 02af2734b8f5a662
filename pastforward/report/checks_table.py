"""L4. Findings on the console: one line each, then what is wrong in full."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pastforward.analysis.checks.result import CheckResult, Level

STYLES = {
    Level.OK: "green", Level.WARNING: "yellow", Level.FAILED: "bold red", Level.SKIPPED: "dim",
}  # fmt: skip


def print_findings(results: Sequence[CheckResult], out: Console) -> None:
    """A table of all, then each warning and failure with what causes it and what to try."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("", "check", "found"):
        table.add_column(name, no_wrap=name != "found")
    for result in results:
        style = STYLES[result.level]
        table.add_row(
            Text(result.level, style), Text(result.check, "dim" * (style == "dim")),
            Text(_short(result), "dim" * (style == "dim")),
        )  # fmt: skip
    out.print(table)
    for result in results:
        if result.cause:
            _explain(result, out)


def verdict(results: Sequence[CheckResult]) -> Level:
    """The worst level there is; skipped checks count for nothing."""
    levels = {result.level for result in results}
    return next((one for one in (Level.FAILED, Level.WARNING) if one in levels), Level.OK)


def counted(results: Sequence[CheckResult]) -> str:
    """How many checks came out how, in words."""
    levels = [result.level for result in results]
    words = {Level.WARNING: "warnings"}
    return ", ".join(
        f"{levels.count(one)} {words.get(one, one) if levels.count(one) > 1 else one}"
        for one in Level
        if one in levels
    )


def _short(result: CheckResult) -> str:
    """The figures; the sentence where there are none, less what its level says already."""
    if not result.figures:
        return result.measured.removeprefix("Not checked: ")
    return "  ".join(f"{name.replace('_', ' ')} {v:.3g}" for name, v in result.figures.items())


def _explain(result: CheckResult, out: Console) -> None:
    out.print(Text(f"{result.check}: {result.level}", STYLES[result.level]))
    lines = (result.measured, f"Usual cause: {result.cause}.", f"Try: {result.advice}.")
    for line in lines:
        out.print(Padding(Text(line), (0, 0, 0, 2)))
    out.print()
