"""L4. Are losses in order: best possible <= teacher <= student alone < reference?"""

from pastforward.analysis.checks.context import (
    CheckContext,
    CheckResult,
    Level,
    Skip,
    above,
    graded,
)
from pastforward.analysis.evaluate import frozen
from pastforward.analysis.meters import Score
from pastforward.data.source import BEST_POSSIBLE

SURE = 2.0
"""Standard errors that a loss must be below its reference: chance does that once in 40 times."""
TOO_GOOD = 4.0
"""Standard errors below the best possible loss: chance does that once in 30,000 times."""
_ROUNDING = 1e-3
LACK_WARNING, LACK_FAILED = 0.1, 0.5
"""Share of the teacher's gain over the reference that the student alone lacks: below a tenth it is
near its teacher, above a half it learned little of it."""
GAP_WARNING, GAP_FAILED = 0.2, 0.5
"""Share of the gain on training sequences that is lost on held-out ones."""


def student_reference(context: CheckContext) -> CheckResult:
    """The student must beat every predictor that reads no input."""
    return _beats_reference(
        "student alone", context.evaluation.student, context.reference,
        "train longer (--seconds, --steps); then see the results on memory, drift and readouts, "
        "and run pastforward compare with --methods bptt smt+dmt",
    )  # fmt: skip


def teacher_reference(context: CheckContext) -> CheckResult:
    """The teacher must beat every predictor that reads no input."""
    return _beats_reference(
        "teacher", _teacher_score(context), context.reference,
        "train the teacher first: a longer first stage (--stages.0.share), --teacher.depth 4, "
        "--teacher.query-key-scale 2, --smt.prediction 1; no student gets far beyond its targets",
    )  # fmt: skip


def student_teacher(context: CheckContext) -> CheckResult:
    """The student alone must come near its teacher."""
    student, teacher = context.evaluation.student, _teacher_score(context)
    lack = context.lack
    stepped = _one_step_loss(context)
    said = f"it lacks {lack:.0%} of the teacher's gain" if lack > 0 else "it is the better one"
    measured = (
        f"Alone the student has {student.nats:.3f} {context.unit}, one step from targets "
        f"{stepped:.3f}, its teacher {teacher.nats:.3f}, the reference is "
        f"{context.reference:.3f}: {said} (warning from {LACK_WARNING:.0%}, "
        f"failed from {LACK_FAILED:.0%})."
    )
    early = stepped - teacher.nats > student.nats - stepped
    return graded(
        above(lack, LACK_WARNING, LACK_FAILED), measured,
        "most is lost within one step of a target: the cell or its readout is not fitted" if early
        else "one step from targets is fine, most is lost where it runs on its own memories",
        "a longer 'smt' stage, --smt.readout 3, a larger --student.width" if early
        else "a longer 'dmt' stage (its --stages.N.share), a longer --dmt.window, --dmt.distill 1",
        {"student": student.nats, "one_step": stepped, "teacher": teacher.nats, "lacks": lack},
    )  # fmt: skip


def best_possible(context: CheckContext) -> CheckResult:
    """Nothing may be better than what the data allows, where the source knows that."""
    best = context.source.references().get(BEST_POSSIBLE)
    if best is None:
        raise Skip("the source knows no best possible loss")
    found = context.evaluation
    scores = {"student": found.student} | ({"teacher": found.teacher} if found.teacher else {})
    below = {
        name: best - _ROUNDING - TOO_GOOD * (score.error or 0.0) - score.nats
        for name, score in scores.items()
    }
    level = Level.FAILED if max(below.values()) > 0 else Level.OK
    said = ", ".join(f"the {name} {score.nats:.3f}" for name, score in scores.items())
    return graded(
        level, f"No loss can be below {best:.3f} {context.unit}: {said} ({TOO_GOOD:g} standard "
        "errors).",
        "information leaks: outputs among the inputs, the future in targets, or held-out data in "
        "training",
        "see the results on leaks; compare the source's inputs and outputs by eye",
        {"best": best} | {name: score.nats for name, score in scores.items()},
    )  # fmt: skip


def student_generalises(context: CheckContext) -> CheckResult:
    """The student must be nearly as good on held-out sequences as on training ones."""
    return _gap(
        "student", context.trained_on.student, context.evaluation.student, context.reference,
        "fewer steps, more data, --fit.weight-decay 0.1, a smaller --student.width or "
        "--student.hidden, or --smt.noise 0.1",
    )  # fmt: skip


def teacher_generalises(context: CheckContext) -> CheckResult:
    """The teacher must generalise, too: memorised targets can't be predicted on new sequences."""
    held_out, trained = _teacher_score(context), context.trained_on.teacher
    assert trained is not None
    return _gap(
        "teacher", trained, held_out, context.reference,
        "a shorter teacher and smt stage (their --stages.N.share), a smaller --teacher.width or "
        "--teacher.depth, more data, --fit.weight-decay 0.1",
    )  # fmt: skip


def _teacher_score(context: CheckContext) -> Score:
    _ = context.teacher
    assert context.evaluation.teacher is not None
    return context.evaluation.teacher


def _one_step_loss(context: CheckContext) -> float:
    """Nats of the student's readout one step from each target."""
    memories = context.memories
    with frozen(context.student):
        return float(context.losses(context.student.readout(memories.stepped)).mean())


def _beats_reference(who: str, score: Score, reference: float, advice: str) -> CheckResult:
    error = score.error or 0.0
    level = Level.OK if score.nats + SURE * error < reference else Level.FAILED
    measured = (
        f"The {who} has {score.nats:.3f} {score.unit}, a predictor that reads no input "
        f"{reference:.3f} (must be {SURE:g} standard errors of {error:.3f} below)."
    )
    figures = {"loss": score.nats, "error": error, "reference": reference}
    return graded(level, measured, "it has not learned to use its inputs yet", advice, figures)


def _gap(who: str, trained: Score, held_out: Score, reference: float, advice: str) -> CheckResult:
    gap, gain = held_out.nats - trained.nats, reference - trained.nats
    if not gain > 0:
        raise Skip(f"the {who} is no better than the reference on training sequences either")
    error = ((trained.error or 0.0) ** 2 + (held_out.error or 0.0) ** 2) ** 0.5
    share = gap / gain
    # A gap that chance can explain is none.
    level = Level.OK if gap < SURE * error else above(share, GAP_WARNING, GAP_FAILED)
    measured = (
        f"The {who} has {trained.nats:.3f} {trained.unit} on training sequences and "
        f"{held_out.nats:.3f} on held-out ones: {max(0.0, share):.0%} of its gain over "
        f"the reference is lost (warning from {GAP_WARNING:.0%}, failed from {GAP_FAILED:.0%})."
    )
    figures = {"trained": trained.nats, "held_out": held_out.nats, "lost": share}
    return graded(
        level, measured, "the network memorised its training sequences, or held-out data differs "
        "in kind", advice, figures,
    )  # fmt: skip
