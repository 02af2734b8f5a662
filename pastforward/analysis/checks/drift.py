"""L4. How far the student is from its targets, and whether the readouts agree."""

from pastforward.analysis.checks.context import (
    CheckContext,
    CheckResult,
    Level,
    Skip,
    above,
    graded,
)
from pastforward.analysis.evaluate import frozen
from pastforward.analysis.memory_meters import Drift
from pastforward.outputs import divergence

HARMLESS = 0.1
"""Share of the teacher's gain over the reference that a student may lack: it is then as good."""
STEP_WARNING, STEP_FAILED = 0.1, 0.5
"""Fraction of the targets' variance that one step misses: at a half, two steps lose them."""
COMPOUNDED_WARNING, COMPOUNDED_FAILED = 0.25, 0.75
"""Drift beyond one step's error, over the targets' variance: at 1 memories are as far off as the
targets' mean, so a quarter matters and three quarters leave nothing to read."""
EMPTY = 0.5
"""MSE of m_0 to its target, of numbers with mean square 1: 2 is unrelated, 0.5 is 41 degrees."""


def one_step_error(context: CheckContext) -> CheckResult:
    """One step from a target must reach the next target."""
    found = _drift(context)
    error, worst = found.one_step, max(found.by_slot)
    measured = (
        f"One step from a target misses {error:.1%} of the targets' variance (warning from "
        f"{STEP_WARNING:.0%}, failed from {STEP_FAILED:.0%}), {worst:.1%} in slot "
        f"{found.by_slot.index(worst)}, the worst (warning from {STEP_WARNING:.0%})"
    )
    level = above(error, STEP_WARNING, STEP_FAILED)
    if level is Level.OK and worst >= STEP_WARNING:
        level = Level.WARNING
    return _graded(
        context, level, measured,
        "the cell is too small or too little trained for these targets, or no target is a function "
        "of the one before and the input (teacher never trained jointly)",
        "a longer 'smt' stage, --smt.dynamics 3, --smt.encoder-gradient-scale 1, --cell.scale 0.1, "
        "or a larger cell (--cell transformer, --student.width)",
        {"one_step": error, "worst_slot": worst},
    )  # fmt: skip


def compounding(context: CheckContext) -> CheckResult:
    """Alone, the student must drift little further than one step's error explains."""
    found = _drift(context)
    late = found.relative[(len(found.relative) + 1) // 2 :]  # errors need time to compound
    drift = sum(late) / len(late)
    more = max(0.0, drift - found.one_step)
    share = 1.0 - more / drift if drift > 0 else 1.0
    measured = (
        f"Alone, its memory is {drift:.1%} of the targets' variance off in the second half: "
        f"{share:.0%} of that is one step's error, the rest, {more:.1%} of the variance, has "
        f"compounded (warning from {COMPOUNDED_WARNING:.0%}, failed from {COMPOUNDED_FAILED:.0%})"
    )
    return _graded(
        context, above(more, COMPOUNDED_WARNING, COMPOUNDED_FAILED), measured,
        "each error causes more: the student was not trained enough on its own memories",
        "add or lengthen the 'dmt' stage (--method smt+dmt), a longer --dmt.window, "
        "--dmt.on-policy-fraction 1, fewer --dmt.replay-steps, or --smt.noise 0.1 against small "
        "errors",
        {"drift": drift, "one_step": found.one_step, "compounded": more},
    )  # fmt: skip


def empty_memory(context: CheckContext) -> CheckResult:
    """The learned m_0 must be near its target."""
    error = _drift(context).mse[0]
    measured = f"m_0 has a mean squared error of {error:.3f} to its target (warning from {EMPTY})"
    return _graded(
        context, Level.OK if error < EMPTY else Level.WARNING, measured,
        "m_0 has one transition per sequence to learn from, and changes direction slowly",
        "train longer with 'smt', or with 'dmt', which starts there", {"mse": error},
    )  # fmt: skip


def harmless(context: CheckContext) -> bool:
    """Is the student alone nearly as good as its teacher? False where no reference is known.

    Raises `Skip` where the teacher is no better than the reference: its targets then mean nothing.
    """
    return bool(context.references) and context.lack < HARMLESS


def _drift(context: CheckContext) -> Drift:
    _ = context.teacher
    assert context.evaluation.drift is not None
    return context.evaluation.drift


def _graded(
    context: CheckContext, level: Level, measured: str, cause: str, advice: str,
    figures: dict[str, float],
) -> CheckResult:  # fmt: skip
    if harmless(context):
        if level is not Level.OK:
            measured += "; harmless, as the student is as good as its teacher"
        level = Level.OK
    return graded(level, measured + ".", cause, advice, figures)


WARNING, FAILED = 0.3, 1.0
"""Of the divergence between sequences."""


def readouts(context: CheckContext) -> CheckResult:
    """KL from the teacher's outputs to those of the student alone, and where it comes from."""
    found = _divergences(context)
    alone, on_targets = found["alone"] / found["scale"], found["on_targets"] / found["scale"]
    measured = (
        f"Divergence of the student's outputs from the teacher's: {found['alone']:.3f} alone, "
        f"{found['on_targets']:.3f} read from targets, {found['between']:.3f} between those two; "
        f"alone that is {alone:.2f} of that between sequences (warning from {WARNING:g}, failed "
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
    kind, mask = student.signature.outputs, context.batch.mask
    means = {
        name: float(divergence(kind, *pair)[mask].double().mean()) for name, pair in pairs.items()
    }
    return {name: max(mean, 1e-9) for name, mean in means.items()}
