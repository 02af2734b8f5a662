"""L4. Findings on the console: one line each, then what is wrong in full."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pastforward.doctor.finding import Finding, Level

STYLES = {
    Level.OK: "green", Level.WARNING: "yellow", Level.FAILED: "bold red", Level.SKIPPED: "dim",
}  # fmt: skip


def print_findings(findings: Sequence[Finding], out: Console) -> None:
    """A table of all, then each warning and failure with what causes it and what to try."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("", "check", "found"):
        table.add_column(name, no_wrap=name != "found")
    for finding in findings:
        style = STYLES[finding.level]
        table.add_row(
            Text(finding.level, style), Text(finding.check, "dim" * (style == "dim")),
            Text(_short(finding), "dim" * (style == "dim")),
        )  # fmt: skip
    out.print(table)
    for finding in findings:
        if finding.cause:
            _explain(finding, out)


def verdict(findings: Sequence[Finding]) -> Level:
    """The worst level there is; skipped checks count for nothing."""
    levels = {finding.level for finding in findings}
    return next((one for one in (Level.FAILED, Level.WARNING) if one in levels), Level.OK)


def counted(findings: Sequence[Finding]) -> str:
    """How many checks came out how, in words."""
    levels = [finding.level for finding in findings]
    words = {Level.WARNING: "warnings"}
    return ", ".join(
        f"{levels.count(one)} {words.get(one, one) if levels.count(one) > 1 else one}"
        for one in Level
        if one in levels
    )


def _short(finding: Finding) -> str:
    """The figures; the sentence where there are none, less what its level says already."""
    if not finding.figures:
        return finding.measured.removeprefix("Not checked: ")
    return "  ".join(f"{name.replace('_', ' ')} {v:.3g}" for name, v in finding.figures.items())


def _explain(finding: Finding, out: Console) -> None:
    out.print(Text(f"{finding.check}: {finding.level}", STYLES[finding.level]))
    lines = (finding.measured, f"Usual cause: {finding.cause}.", f"Try: {finding.advice}.")
    for line in lines:
        out.print(Padding(Text(line), (0, 0, 0, 2)))
    out.print()
