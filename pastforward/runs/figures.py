"""L6. An evaluation in words and as JSON, for the console and for programs."""

import math
from typing import Any

from pastforward.analysis.evaluate import Evaluation
from pastforward.outputs import NATS
from pastforward.report.summary import RunSummary, bytes_share, run_unit


def lines_of(found: Evaluation, facts: dict[str, Any]) -> list[str]:
    """Drift, collapse and, of a baseline, its size: what the results table has no columns for."""
    lines = []
    if found.drift is not None:
        relative = found.drift.relative
        times = sorted({0, 1, *(round((len(relative) - 1) * part / 4) for part in range(1, 5))})
        shown = "  ".join(f"t={t}: {relative[t]:.3f}" for t in times)
        one_step, worst = found.drift.one_step, max(found.drift.by_slot)
        lines += [
            f"Drift over the targets' variance  {shown}",
            f"One step from a target            {one_step:.3f} unexplained, {worst:.3f} in the "
            "worst slot",
        ]
    for whose, meter in found.collapse.items():
        name = f"Memories of the {whose}" if whose == "student" else "Targets"
        lines.append(f"{name:<33} rank {meter.rank:.1f}, similarity {meter.similarity:.3f}")
    if "student_parameters" in facts:
        own, student = f"{facts['parameters']:,}", f"{facts['student_parameters']:,}"
        cell = facts["config"]["student"]["cell"]
        lines.append(f"{'Weights':<33} {own}, for the {student} of the student with cell '{cell}'")
    return lines


def for_programs(summary: RunSummary) -> dict[str, Any]:
    """The evaluation with references in nats and bits, and the facts."""
    unit, share = run_unit([summary]), bytes_share([summary])
    references = {
        name: {
            "nats": nats,
            "bits": nats / math.log(2) if unit == NATS else None,
            "bits_per_byte": share and share * nats,
        }
        for name, nats in summary.evaluation["references"].items()
    }
    found = {"run": summary.name} | summary.evaluation
    return found | {"references": references, "facts": summary.facts}
