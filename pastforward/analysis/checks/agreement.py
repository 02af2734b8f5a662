"""L4. Do the teacher's and the student's readout agree, on targets and on the student's memories?

Divergences are compared with that between the teacher's outputs for one sequence and for another:
at 1 the student's outputs are as far off as those for another sequence.
"""

from torch import Tensor

from pastforward.analysis.checks.context import CheckContext
from pastforward.analysis.checks.drift import harmless
from pastforward.analysis.checks.result import CheckResult, Level, Skip, above, graded
from pastforward.analysis.evaluate import frozen
from pastforward.outputs import kl

WARNING, FAILED = 0.3, 1.0
"""Of the divergence between sequences."""


def readouts(context: CheckContext) -> CheckResult:
    """KL from the teacher's outputs to those of the student alone, and where it comes from."""
    found = _divergences(context)
    alone, on_targets = found["alone"] / found["scale"], found["on_targets"] / found["scale"]
    measured = (
        f"KL from the teacher's outputs to the student's: {found['alone']:.3f} nats alone, "
        f"{found['on_targets']:.3f} read from targets, {found['between']:.3f} between those two; "
        f"alone that is {alone:.2f} of the KL between sequences (warning from {WARNING:g}, failed "
        f"from {FAILED:g})."
    )
    # Outputs may differ and be as good: sharper than the teacher's, or right where it is not.
    level = Level.OK if harmless(context) else above(alone, WARNING, FAILED)
    readout = on_targets >= alone / 2
    return graded(
        level, measured,
        "the student's readout differs on targets, too, so the readout is at fault" if readout
        else "the student's readout is right on targets, so its own memories are at fault",
        "train the readout: --smt.readout 1, a 'dmt' stage with --dmt.readout 1 or --dmt.distill "
        "1, a larger --student.hidden" if readout
        else "see the results of 'one step' and 'compounding'",
        found,
    )  # fmt: skip


def _divergences(context: CheckContext) -> dict[str, float]:
    memories, teacher, student = context.memories, context.teacher, context.student
    if len(memories.targets) < 2:
        raise Skip("there is one held-out sequence, so no other to compare with")
    with frozen(student, teacher):
        taught = teacher.readout(memories.targets[:, 1:])
        on_targets = student.readout(memories.targets[:, 1:])
        alone = student.readout(memories.own[:, 1:])
        pairs = {
            "alone": (taught, alone),
            "on_targets": (taught, on_targets),
            "between": (on_targets, alone),
            "scale": (taught, taught.roll(1, 0)),
        }
        return {name: max(_mean_kl(context, *pair), 1e-9) for name, pair in pairs.items()}


def _mean_kl(context: CheckContext, p: Tensor, q: Tensor) -> float:
    return float(kl(context.student.signature.outputs, p, q)[context.batch.mask].double().mean())
