"""L6. `pastforward eval`."""

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from pastforward.cli.parsing import parse

if TYPE_CHECKING:
    from pastforward.analysis.evaluate import Evaluation
    from pastforward.report.summary import RunSummary
    from pastforward.runs.opening import OpenRun

DESCRIPTION = """\
Measure a run on held-out data: the student alone from its empty memory, its teacher, the floors,
drift, and whether memories collapsed.

Examples:
  pastforward eval digits-smt+dmt
  pastforward eval runs/digits/bptt --json | jq .student.nats
  pastforward eval notes-smt+dmt --split valid --sequences 2048
"""


@dataclass(frozen=True)
class EvalOptions:
    """Options of `eval`."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Name of a run below runs/, or its path."""
    split: str = "test"
    """'test' or 'valid'."""
    sequences: int = 512
    """At most so many sequences."""
    json: bool = False
    """Print everything as one JSON object."""


def main(argv: list[str]) -> None:
    """Evaluate a run; the test split's figures are written to its evaluation.json."""
    options = parse(EvalOptions, argv, "pastforward eval", DESCRIPTION)

    from pastforward.analysis.evaluate import evaluate
    from pastforward.errors import UsageError
    from pastforward.runs.opening import find_run, open_run

    if options.sequences < 1:
        raise UsageError(f"--sequences is {options.sequences}; give 1 or more.")
    run = open_run(find_run(options.run))
    found = evaluate(run.student, run.teacher, run.source, options.split, options.sequences)
    _show(run, found, options)


def _show(run: "OpenRun", found: "Evaluation", options: EvalOptions) -> None:
    import json
    import sys

    from rich.console import Console

    from pastforward.report.tables import results_table
    from pastforward.runs.opening import write_summary

    summary = _summary(run, found)
    if options.split == "test":
        write_summary(run.folder, summary)
    if options.json:
        print(json.dumps(_for_programs(summary), indent=1))
    else:
        console = Console()
        console.print(results_table([summary]))
        for line in _lines(found) + _size(summary.facts):
            console.print(line, highlight=False, soft_wrap=True)
    where = run.folder.evaluation if options.split == "test" else "not kept: another split"
    print(f"Figures: {where}", file=sys.stderr if options.json else sys.stdout)


def _summary(run: "OpenRun", found: "Evaluation") -> "RunSummary":
    from pastforward.report.summary import RunSummary
    from pastforward.runs.opening import saved_facts

    facts = {
        "parameters": sum(p.numel() for p in run.student.parameters()),
        "config": asdict(run.config),
    } | saved_facts(run.folder)
    return RunSummary(run.folder.path.name, found.to_json(), facts=facts)


def _for_programs(summary: "RunSummary") -> dict[str, Any]:
    """The evaluation with floors in both units, and the facts."""
    references = {
        name: {"nats": nats, "bits": nats / math.log(2)}
        for name, nats in summary.evaluation["references"].items()
    }
    return (
        {"run": summary.name}
        | summary.evaluation
        | {"references": references, "facts": summary.facts}
    )


def _size(facts: dict[str, Any]) -> list[str]:
    """Of a peer: its parameters beside those of the student that it stands in for."""
    if "wanted" not in facts:
        return []
    like = facts["config"]["student"]["like"]
    own, wanted = f"{facts['parameters']:,}", f"{facts['wanted']:,}"
    return [f"{'Weights':<33} {own}, for the {wanted} of the student with the {like} cell"]


def _lines(found: "Evaluation") -> list[str]:
    lines = []
    if found.drift is not None:
        steps = len(found.drift.relative) - 1
        times = sorted({0, 1, *(round(steps * part / 4) for part in range(1, 5))})
        shown = "  ".join(f"t={t}: {found.drift.relative[t]:.3f}" for t in times)
        lines.append(f"Drift over the labels' variance   {shown}")
        worst = max(found.drift.by_slot)
        lines.append(
            f"One step from a label             {found.drift.one_step:.3f} unexplained, "
            f"{worst:.3f} in the worst slot"
        )
    for whose, meter in found.collapse.items():
        name = f"Memories of the {whose}" if whose == "student" else "Labels"
        lines.append(f"{name:<33} rank {meter.rank:.1f}, similarity {meter.similarity:.3f}")
    return lines
