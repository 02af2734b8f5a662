"""L7. `pastforward eval`."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pastforward.cli.options import RunOptions, print_json
from pastforward.cli.parsing import parse

if TYPE_CHECKING:
    from pastforward.analysis.evaluate import Evaluation
    from pastforward.report.summary import RunSummary

DESCRIPTION = """\
Measure a run on held-out data: the student alone from its empty memory, its teacher, references,
drift, and whether memories collapsed.

Examples:
  pastforward eval digits-smt+dmt
  pastforward eval runs/digits/bptt --json | jq .student.nats
  pastforward eval notes-smt+dmt --split valid --sequences 2048
"""


@dataclass(frozen=True)
class Options(RunOptions):
    """Options of `eval`."""

    split: str = "test"
    """'test' or 'valid'."""
    sequences: int = 512
    """At most so many sequences."""
    json: bool = False
    """Print everything as one JSON object."""


def main(argv: list[str]) -> None:
    """Evaluate a run; the test split's figures are written to its evaluation.json."""
    options = parse(Options, argv, "eval", DESCRIPTION)

    from pastforward.runs.opening import open_run

    run = open_run(options.run, options.allow)
    found = run.evaluate(options.split, options.sequences)
    summary = run.summary_of(found)
    where = run.folder.evaluation if options.split == "test" else "not kept: another split"
    last = f"Figures: {where}"
    if options.json:
        print_json(_for_programs(summary), last)
    else:
        _show(summary, found)
        print(last)


def _show(summary: "RunSummary", found: "Evaluation") -> None:
    from rich.console import Console

    from pastforward.cli.showing import say
    from pastforward.report.tables import results_table

    Console().print(results_table([summary]))
    for line in _lines(found) + _size(summary.facts):
        say(line)


def _for_programs(summary: "RunSummary") -> dict[str, Any]:
    """The evaluation with references in both units, and the facts."""
    references = {
        name: {"nats": nats, "bits": nats / math.log(2)}
        for name, nats in summary.evaluation["references"].items()
    }
    found = {"run": summary.name} | summary.evaluation
    return found | {"references": references, "facts": summary.facts}


def _size(facts: dict[str, Any]) -> list[str]:
    """Of a baseline: its weights beside those of the student whose size it takes."""
    if "student_parameters" not in facts:
        return []
    own, student = f"{facts['parameters']:,}", f"{facts['student_parameters']:,}"
    cell = facts["config"]["student"]["cell"]
    return [f"{'Weights':<33} {own}, for the {student} of the student with the {cell} cell"]


def _lines(found: "Evaluation") -> list[str]:
    lines = []
    if found.drift is not None:
        relative = found.drift.relative
        times = sorted({0, 1, *(round((len(relative) - 1) * part / 4) for part in range(1, 5))})
        shown = "  ".join(f"t={t}: {relative[t]:.3f}" for t in times)
        one_step, worst = found.drift.one_step, max(found.drift.by_slot)
        lines.append(f"Drift over the targets' variance   {shown}")
        lines.append(
            f"One step from a target            {one_step:.3f} unexplained, {worst:.3f} in the "
            "worst slot"
        )
    for whose, meter in found.collapse.items():
        name = f"Memories of the {whose}" if whose == "student" else "Targets"
        lines.append(f"{name:<33} rank {meter.rank:.1f}, similarity {meter.similarity:.3f}")
    return lines
