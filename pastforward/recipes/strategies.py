"""L5. Ways to train: named lists of stages, each a method for a share of the budget."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pastforward.config import Stage

STRATEGIES: dict[str, tuple[tuple[str, float], ...]] = {
    "bptt": (("bptt", 1.0),),
    "tbptt": (("tbptt", 1.0),),
    "rtrl": (("rtrl", 1.0),),
    "distill": (("transformer", 0.4), ("distill", 0.6)),
    "parallel": (("parallel", 1.0),),
    "smt": (("teacher", 0.3), ("smt", 0.7)),
    "smt+dmt": (("teacher", 0.15), ("smt", 0.35), ("dmt", 0.5)),
    "smt+dmt+bptt": (("teacher", 0.12), ("smt", 0.28), ("dmt", 0.3), ("bptt", 0.3)),
    "two-stage": (("teacher", 0.4), ("smt-frozen", 0.2), ("dmt", 0.4)),
}
"""Methods and their shares of the budget, in order, by name. Gradients of 'tbptt' are cut every
`dmt.window` steps; 'parallel' trains a peer in the student's place."""

DEFAULT_STRATEGY = "smt+dmt"

_KIN = {
    "tbptt": ("bptt", 1.0),
    "rtrl": ("bptt", 1.0),
    "distill": ("bptt", 1.0),
    "finetune": ("bptt", 0.3),
    "smt-frozen": ("smt", 1.0),
    "dmt-unroll": ("dmt", 1.0),
    "teacher-forced": ("dmt", 1.0),
    "parallel": ("teacher", 1.0),
    "transformer": ("teacher", 1.0),
}
"""Whose rate a method takes that has none of its own, and how much of it."""


_FOLLOWING = 0.6
_ENOUGH = 128


def stages(
    strategy: str,
    rates: Mapping[str, float],
    strategies: Mapping[str, tuple[tuple[str, float], ...]] = STRATEGIES,
) -> tuple[Stage, ...]:
    """The stages of a way with learning rates by method.

    A method without a rate of its own takes that of its kin (tbptt that of bptt, smt-frozen that
    of smt). BPTT after another stage is 'finetune': a high rate would undo what was learned.
    Raises `UsageError` for a way that is not in `ways`.
    """
    if strategy not in strategies:
        from pastforward.errors import UsageError, nearest

        raise UsageError(f"There is no way '{strategy}' to train; {nearest(strategy, strategies)}.")
    return tuple(
        Stage(method, share, _rate("finetune" if number and method == "bptt" else method, rates))
        for number, (method, share) in enumerate(strategies[strategy])
    )


def growing(stages: tuple[Stage, ...], window: int, lr: float | None = None) -> tuple[Stage, ...]:
    """The same, DMT in windows of `window` begun with shorter ones from labels: 4, 8, ... steps.

    They get three fifths of its share, the longer the more, and its rate where `lr` is not given.
    """
    windows = [2**n for n in range(2, window.bit_length()) if 2**n < window]
    grown = []
    for stage in stages:
        if stage.method != "dmt" or not windows:
            grown.append(stage)
            continue
        parts = [_FOLLOWING * stage.share * (n + 2) for n in range(len(windows))]
        whole = sum(n + 2 for n in range(len(windows)))
        grown += [
            Stage("teacher-forced", part / whole, lr or stage.lr, window)
            for part, window in zip(parts, windows, strict=True)
        ]
        grown.append(replace(stage, share=(1 - _FOLLOWING) * stage.share))
    return tuple(grown)


def from_prefixes(
    stages: tuple[Stage, ...], prefixes: Sequence[int], length: int
) -> tuple[Stage, ...]:
    """The same for T = `length`, the teacher's stage begun with prefixes of so many steps.

    Where outputs tell a state all along, what moves it is found in few steps, and longer sequences
    only make it exact, at lower rates. Whole ones get half as much again as each of the prefixes.
    Labels of some hundred steps show a student all that moves a state.
    """
    if not prefixes:
        return stages
    found: list[Stage] = []
    for stage in stages:
        if stage.method == "teacher":
            share = stage.share / (len(prefixes) + 1.5)
            found += [
                replace(stage, share=share, lr=stage.lr * _slowing(steps), prefix=steps)
                for steps in prefixes
            ]
            found.append(replace(stage, share=1.5 * share, lr=stage.lr * _slowing(length)))
        elif stage.method in ("smt-frozen", "teacher-forced") and length > _ENOUGH:
            found.append(replace(stage, prefix=_ENOUGH))
        else:
            found.append(stage)
    return tuple(found)


def _slowing(steps: int) -> float:
    return min(1.0, (32 / steps) ** 0.5)


def _rate(name: str, rates: Mapping[str, float]) -> float:
    kin, factor = _KIN.get(name, (name, 1.0))
    return rates[name] if name in rates else factor * rates[kin]
