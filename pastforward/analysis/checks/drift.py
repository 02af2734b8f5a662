"""L4. How far the student strays from its labels: by one step, by compounding, from the start.

A student may leave its labels and still say the right thing, where it was trained on what it reads
(`--dmt.distill`, `--dmt.readout`): errors of memories are faults only where outputs suffer.
"""

from pastforward.analysis.checks.context import CheckContext
from pastforward.analysis.checks.result import CheckResult, Level, above, graded
from pastforward.analysis.drift import Drift

HARMLESS = 0.1
"""Share of the teacher's gain over the floor that a student may lack: it is then as good."""
STEP_SOME, STEP_MOST = 0.1, 0.5
"""One step misses so much of the labels' variance: at a half, two steps lose them."""
MORE_SOME, MORE_MOST = 0.25, 0.75
"""Drift beyond one step's error, over the labels' variance: at 1 memories are as far off as the
labels' mean, so a quarter is felt and three quarters leave nothing to read."""
EMPTY = 0.5
"""MSE of m_0 to its label, of numbers with mean square 1: 2 is unrelated, 0.5 is 41 degrees."""


def one_step_error(context: CheckContext) -> CheckResult:
    """One step from a label must reach the next label."""
    found = _drift(context)
    error, worst = found.one_step, max(found.by_slot)
    measured = (
        f"One step from a label misses {error:.1%} of the labels' variance (warning from "
        f"{STEP_SOME:.0%}, failed from {STEP_MOST:.0%}), {worst:.1%} in slot "
        f"{found.by_slot.index(worst)}, the worst (warning from {STEP_SOME:.0%})"
    )
    level = above(error, STEP_SOME, STEP_MOST)
    if level is Level.OK and worst >= STEP_SOME:
        level = Level.WARNING
    return _graded(
        context, level, measured,
        "the cell is too small or too little trained for these labels, or no label is a function "
        "of the one before and the input (never trained jointly)",
        "a longer 'smt' stage, --smt.dynamics 3, --smt.encoder-gradient-scale 1, or a larger cell (--student.cell "
        "transformer, --student.width)",
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
        f"Alone, its memory is {drift:.1%} of the labels' variance off in the second half: "
        f"{share:.0%} of that is one step's error, the rest, {more:.1%} of the variance, has "
        f"compounded (warning from {MORE_SOME:.0%}, failed from {MORE_MOST:.0%})"
    )
    return _graded(
        context, above(more, MORE_SOME, MORE_MOST), measured,
        "errors feed on themselves: the student was not trained enough on the memories that it "
        "has alone",
        "add or lengthen the 'dmt' stage (--method smt+dmt), a longer --dmt.window, --dmt.on-policy-fraction 1, or "
        "--smt.noise 0.1 against small errors",
        {"drift": drift, "one_step": found.one_step, "compounded": more},
    )  # fmt: skip


def empty_memory(context: CheckContext) -> CheckResult:
    """The learned m_0 must lie at the label of no input."""
    error = _drift(context).mse[0]
    measured = (
        f"m_0 lies at a mean squared error of {error:.3f} from its label (warning from {EMPTY})"
    )
    return _graded(
        context, Level.OK if error < EMPTY else Level.WARNING, measured,
        "m_0 has one transition in a sequence to learn from, and a turn takes many steps",
        "train longer with 'smt', or with 'dmt', which starts there", {"mse": error},
    )  # fmt: skip


def harmless(context: CheckContext) -> bool:
    """Is the student alone nearly as good as its teacher, or as good? Unknown without a floor.

    Raises `Skip` where the teacher is no better than the floor: its labels then say nothing.
    """
    return bool(context.references) and context.behind < HARMLESS


def _drift(context: CheckContext) -> Drift:
    _ = context.teacher
    assert context.evaluation.drift is not None
    return context.evaluation.drift


def _graded(
    context: CheckContext, level: Level, measured: str, cause: str, advice: str,
    figures: dict[str, float],
) -> CheckResult:  # fmt: skip
    if not harmless(context):
        return graded(level, measured + ".", cause, advice, figures)
    said = (
        "" if level is Level.OK else "; the student is as good as its teacher, so it does no harm"
    )
    return graded(Level.OK, f"{measured}{said}.", cause, advice, figures)
