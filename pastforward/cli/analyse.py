"""L6. `pastforward analyse`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from pastforward.cli.parsing import parse

if TYPE_CHECKING:
    from rich.console import Console

    from pastforward.runs.analyses import Found
    from pastforward.runs.opening import StudentRun

QUESTIONS = {
    "gap": "how far the student is behind its teacher, and why: readout, one step, compounding",
    "credit": "how much of the last output's loss reaches m_t, by BPTT and by SMT",
    "lengths": "loss at T, 2T, 4T, 8T and 16T",
    "geometry": "memories in two dimensions, and a linear probe of the task's true state",
    "future": "a linear probe of the outputs to come: is a memory a predictive state?",
}

DESCRIPTION = """\
Ask a run where it loses, what it remembers and how far it goes. A page, its pictures and
figures are written to RUN/analysis. All that suit the run, when none is named:

{names}

Examples:
  pastforward analyse copy16/smt+dmt
  pastforward analyse copy16/smt+dmt gap lengths
  pastforward analyse notes-smt+dmt gap --json | jq .gap.shares
""".format(names="\n".join(f"  {name:<10}{question}" for name, question in QUESTIONS.items()))


@dataclass(frozen=True)
class AnalyseOptions:
    """Options of `analyse`."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Name of a run below runs/, or its path."""
    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = ()
    """What to ask."""
    sequences: int = 256
    """At most so many held-out sequences for each question."""
    json: bool = False
    """Print all figures as one JSON object."""


def main(argv: list[str]) -> None:
    """Analyse a run; page, pictures and analysis.json go to its folder."""
    options = parse(AnalyseOptions, argv, "pastforward analyse", DESCRIPTION)
    _require_usable(options)

    from pastforward.runs.opening import find_run, open_run, with_student

    run = with_student(open_run(find_run(options.run)), "analyse")
    folder = _folder(run.folder.path)
    found = _ask_all(run, options, folder)
    facts = {name: answer.facts for name, answer in found.items()}
    _keep(folder / "analysis.json", facts)
    _write_page(folder, run.folder.path.name, found)
    _show(folder, found, {"run": run.folder.path.name} | facts, options.json)


def _require_usable(options: AnalyseOptions) -> None:
    from pastforward.errors import UsageError, nearest

    for name in options.names:
        if name not in QUESTIONS:
            raise UsageError(f"There is no analysis '{name}'; {nearest(name, QUESTIONS)}.")
    if options.sequences < 2:
        raise UsageError(f"--sequences is {options.sequences}; give 2 or more.")


def _folder(run: Path) -> Path:
    from pastforward.errors import UsageError

    folder = run / "analysis"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"Can't write {folder} ({error.strerror}); make room for a folder there."
        ) from error
    return folder


def _ask_all(run: "StudentRun", options: AnalyseOptions, folder: Path) -> "dict[str, Found]":
    """Answers by question, each with its pictures written."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    from pastforward.report.analysis_charts import save_figure

    found, names, stderr = {}, options.names or tuple(QUESTIONS), Console(stderr=True)
    bars = Progress.get_default_columns()[:2]
    columns = (*bars, TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task("", total=len(names))
        for name in names:
            bar.update(task, description=f"{name}: {QUESTIONS[name]}")
            answer = _ask(name, run, options, stderr)
            if answer is not None:
                found[name] = answer
                for file, figure in answer.figures.items():
                    save_figure(folder / f"{file}.png", figure)
            bar.advance(task)
    return found


def _ask(
    name: str, run: "StudentRun", options: AnalyseOptions, stderr: "Console"
) -> "Found | None":
    """The answer; of a question that was not named and does not suit, that is told."""
    from pastforward.errors import UsageError
    from pastforward.runs.analyses import ANALYSES

    try:
        return ANALYSES[name](run, options.sequences)
    except UsageError as error:
        if options.names:
            raise
        stderr.print(f"{name} left out: {error}", highlight=False, soft_wrap=True)
        return None


def _keep(path: Path, facts: dict[str, Any]) -> None:
    """Add to what is there of questions asked before."""
    import json

    from pastforward.files import write_json

    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError):
        before = {}
    write_json(path, (before if isinstance(before, dict) else {}) | facts)


def _write_page(folder: Path, run: str, found: "dict[str, Found]") -> None:
    from pastforward.report.analysis_page import Section, write_page

    sections = {
        name: Section(
            QUESTIONS[name], answer.lines, [folder / f"{file}.png" for file in answer.figures]
        )
        for name, answer in found.items()
    }
    write_page(folder / "analysis.html", run, sections)


def _show(folder: Path, found: "dict[str, Found]", facts: dict[str, Any], whole: bool) -> None:
    import json
    import sys

    if whole:
        print(json.dumps(facts, indent=1))
    else:
        for name, answer in found.items():
            print(name)
            for line in answer.lines:
                print(f"  {line}")
    last = f"Page: {folder / 'analysis.html'}, with pictures and analysis.json beside it"
    print(last, file=sys.stderr if whole else sys.stdout)
