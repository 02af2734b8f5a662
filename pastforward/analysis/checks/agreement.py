"""L4. Do the readouts agree? The teacher's on labels, the student's on labels, and on its own.

Divergences are measured against that between the teacher's outputs for one sequence and for
another: 1 is a student who might as well speak of another sequence.
"""

from torch import Tensor

from pastforward.analysis.checks.context import CheckContext
from pastforward.analysis.checks.drift import harmless
from pastforward.analysis.checks.result import CheckResult, Level, Skip, above, graded
from pastforward.analysis.evaluate import frozen
from pastforward.outputs import kl

SOME, MOST = 0.3, 1.0
"""Of the divergence between sequences."""


def readouts(context: CheckContext) -> CheckResult:
    """KL from the teacher's outputs to those of the student alone, and where it comes from."""
    found = _divergences(context)
    alone, on_labels = found["alone"] / found["scale"], found["on_labels"] / found["scale"]
    measured = (
        f"KL from the teacher's outputs to the student's: {found['alone']:.3f} nats alone, "
        f"{found['on_labels']:.3f} read from labels, {found['between']:.3f} between those two; "
        f"alone that is {alone:.2f} of what lies between sequences (warning from {SOME:g}, failed "
        f"from {MOST:g})."
    )
    level = above(alone, SOME, MOST)
    # Outputs may differ and be as good: sharper than the teacher's, or right where it is not.
    level = Level.OK if harmless(context) else level
    reads = on_labels >= alone / 2
    return graded(
        level, measured,
        "on labels, too, the student's readout says something else: it is the readout" if reads
        else "on labels the student reads right: it is its own memories",
        "train the readout: --smt.readout 1, a 'dmt' stage with --dmt.readout 1 or --dmt.distill 1, "
        "a larger --student.hidden" if reads else "see the findings on one step and on compounding",
        found,
    )  # fmt: skip


def _divergences(context: CheckContext) -> dict[str, float]:
    memories, teacher, student = context.memories, context.teacher, context.student
    if len(memories.targets) < 2:
        raise Skip("there is one held-out sequence, so no other to compare with")
    with frozen(student, teacher):
        taught = teacher.readout(memories.targets[:, 1:])
        on_labels = student.readout(memories.targets[:, 1:])
        alone = student.readout(memories.own[:, 1:])
        pairs = {
            "alone": (taught, alone),
            "on_labels": (taught, on_labels),
            "between": (on_labels, alone),
            "scale": (taught, taught.roll(1, 0)),
        }
        return {name: max(_mean_kl(context, *pair), 1e-9) for name, pair in pairs.items()}


def _mean_kl(context: CheckContext, p: Tensor, q: Tensor) -> float:
    return float(kl(context.student.signature.outputs, p, q)[context.batch.mask].double().mean())
