"""L6. `pastforward compare`."""

from typing import TYPE_CHECKING

from pastforward.commands.options import RUNS, read_compare
from pastforward.commands.train import stem

if TYPE_CHECKING:
    from pastforward.training import Existing, RunFolder

DESCRIPTION = """\
Train the same network several ways on the same data for the same budget, then show a table.

Examples:
  pastforward compare digits --seconds 60
  pastforward compare copy32 --ways bptt tbptt smt+dmt --seconds 300 --student.cell gru
  pastforward compare my-notes.txt --name notes --seconds 120

Each way becomes a run of its own, runs/NAME/WAY. With --resume, finished ones are kept.
Defaults shown are those of the recipe named (digits when none is).
"""


def main(argv: list[str]) -> None:
    """Train by every way, evaluate, and write runs/NAME/report.html."""
    options, configs = read_compare(argv, DESCRIPTION)

    from pastforward.commands.running import again, consoles, existing, train_run
    from pastforward.commands.showing import show
    from pastforward.evaluation.report import write_report
    from pastforward.training import Existing, RunFolder, check

    for config in configs:
        check(config)
    root = RUNS / (options.name or stem(options.recipe))
    folders = [RunFolder(root / way) for way in options.ways]
    there = existing(options.resume, options.overwrite)
    _require_room(RunFolder(root), folders, there)
    out, news = consoles()
    summaries = []
    for way, folder, config in zip(options.ways, folders, configs, strict=True):
        news.rule(f"{way}", align="left")
        # A comparison may have been stopped before this way began.
        begun = Existing.RESUME if folder.config.exists() else Existing.REFUSE
        kept = begun if there is Existing.RESUME else there
        summaries.append(train_run(config, folder, kept, news, again("compare", argv)))
    if summaries[0].evaluation:
        show(list(zip(folders, summaries, strict=True)), out)
        print(f"Report: {write_report(summaries, root / 'report.html')}")


def _require_room(root: "RunFolder", folders: "list[RunFolder]", there: "Existing") -> None:
    """Refuse, before the first of them is trained, what the last of them would refuse."""
    from pastforward.training import Existing
    from pastforward.types import UsageError

    if root.config.exists():
        raise UsageError(f"{root.path} already holds a single run; choose another --name.")
    taken = [folder.path for folder in folders if folder.path.exists()]
    if taken and there is Existing.REFUSE:
        raise UsageError(
            f"{taken[0]} already holds a run; add --resume to go on with it, --overwrite to "
            "replace it, or choose another --name."
        )
    if there is Existing.RESUME and not root.path.exists():
        raise UsageError(f"{root.path} holds no comparison to resume; leave out --resume.")
