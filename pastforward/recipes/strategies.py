"""L5. Strategies: named lists of stages, each a method for a share of the budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pastforward.config import RunConfig, Stage
from pastforward.errors import UsageError, nearest
from pastforward.methods import METHODS

if TYPE_CHECKING:
    from pastforward.data.source import Source

Shares = tuple[tuple[str, float], ...]
"""Methods and their shares of the budget, in order."""

CURRICULUM = "bptt-curriculum"
"""BPTT on short sequences first; its stage is replaced by those of `with_curriculum`."""

STRATEGIES: dict[str, Shares] = {
    "bptt": (("bptt", 1.0),),
    CURRICULUM: (("bptt", 1.0),),
    "tbptt": (("tbptt", 1.0),),
    "rtrl": (("rtrl", 1.0),),
    "distill": (("transformer", 0.4), ("distill", 0.6)),
    "smt": (("teacher", 0.3), ("smt", 0.7)),
    "smt+dmt": (("teacher", 0.15), ("smt", 0.35), ("dmt", 0.5)),
    "smt+dmt+bptt": (("teacher", 0.12), ("smt", 0.28), ("dmt", 0.3), ("bptt", 0.3)),
    "two-stage": (("teacher", 0.4), ("smt-frozen", 0.2), ("dmt", 0.4)),
}
"""By the name that `--method` takes. A method of `METHODS`, or of your own as module:Name, is a
strategy of one stage, too."""

DEFAULT_STRATEGY = "smt+dmt"
STORED_STRATEGY = "labels"
"""The default with a label store: students alone, no teacher."""
STORED_SHARES: dict[str, Shares] = {STORED_STRATEGY: (("smt-frozen", 0.4), ("dmt", 0.6))}

FINETUNE = 0.3
"""Factor on BPTT's rate after another stage: a high rate would undo what was learned."""
_TEACHER_FORCED_SHARE = 0.6
_LONG_ENOUGH = 128
"""Steps of target memories that show a student every transition of a small state."""


def stages(
    strategy: str, rates: Mapping[str, float], own: Mapping[str, Shares] | None = None
) -> tuple[Stage, ...]:
    """The stages of a strategy with learning rates by method.

    `own` holds a recipe's shares where they differ from `STRATEGIES`. A method without a rate in
    `rates` takes that of the method its row in `METHODS` names. BPTT after another stage is
    'finetune' in `rates`. Raises `UsageError` for an unknown strategy.
    """
    known = {**STRATEGIES, **(own or {})}
    if strategy not in known and strategy not in METHODS and ":" not in strategy:
        raise UsageError(
            f"There is no method '{strategy}'; {nearest(strategy, [*known, *METHODS])}."
        )
    return tuple(
        Stage(method, share, _rate(method, rates, first=n == 0))
        for n, (method, share) in enumerate(known.get(strategy, ((strategy, 1.0),)))
    )


def learns_from_targets(strategy: str) -> bool:
    """Is it SMT or DMT, in part at least? All else is an opponent of theirs."""
    parts = (STRATEGIES | STORED_SHARES).get(strategy, ((strategy, 1.0),))
    return any(METHODS[name].teacher == "memory" for name, _ in parts if name in METHODS)


def _rate(method: str, rates: Mapping[str, float], first: bool) -> float:
    if method == "bptt" and not first:
        return rates.get("finetune", FINETUNE * rates["bptt"])
    if method in rates or method not in METHODS:
        return rates.get(method, rates["smt"])
    row = METHODS[method]
    return row.lr_factor * rates[row.lr_of or "smt"]


def with_growing_windows(
    stages: tuple[Stage, ...], window: int, lr: float | None = None, full_up_to: int | None = None
) -> tuple[Stage, ...]:
    """The same, DMT in windows of `window` preceded by teacher-forced windows of 4, 8, ... steps.

    They take three fifths of its share, longer ones more, at rate `lr`, DMT's own when None. With
    `full_up_to`, windows of more steps have `full_up_to` / k of the rate: what an optimiser's step
    adds to the error of one transition adds up over k of them.
    """
    windows = [2**n for n in range(2, window.bit_length()) if 2**n < window]
    weights = range(2, len(windows) + 2)
    grown: list[Stage] = []
    for stage in stages:
        kept = stage
        if stage.method == "dmt" and windows:
            share = _TEACHER_FORCED_SHARE * stage.share
            grown += [
                Stage(
                    "teacher-forced",
                    share * weight / sum(weights),
                    (lr or stage.lr) * min(1.0, (full_up_to or steps) / steps),
                    steps,
                )
                for weight, steps in zip(weights, windows, strict=True)
            ]
            kept = replace(stage, share=(1 - _TEACHER_FORCED_SHARE) * stage.share)
        grown.append(kept)
    return tuple(grown)


def with_prefixes(
    stages: tuple[Stage, ...], prefixes: Sequence[int], length: int
) -> tuple[Stage, ...]:
    """The same for T = `length`, the teacher's stage preceded by training on prefixes.

    Where outputs depend on a state at every step, its transitions are learned from few steps, and
    longer sequences only make it exact, at lower rates. Whole sequences get 1.5 times the share of
    each prefix. Students of such states learn from the first 128 steps of target memories.
    """
    if not prefixes:
        return stages
    found: list[Stage] = []
    for stage in stages:
        kept = stage
        if stage.method == "teacher":
            share = stage.share / (len(prefixes) + 1.5)
            found += [
                replace(stage, share=share, lr=stage.lr * _slower(steps), prefix=steps)
                for steps in prefixes
            ]
            kept = replace(stage, share=1.5 * share, lr=stage.lr * _slower(length))
        elif stage.method in ("smt-frozen", "teacher-forced") and length > _LONG_ENOUGH:
            kept = replace(stage, prefix=_LONG_ENOUGH)
        found.append(kept)
    return tuple(found)


_SHORTEST = 16
"""Steps that BPTT needs no shorter sequences for."""


def with_curriculum(config: RunConfig, source: Source) -> RunConfig:
    """The same with its one stage preceded by shorter sequences, half of the time at full length.

    T is halved down to 16 or more; the shorter ones share the other half alike. They are the task
    at that length where a task's length is free, else prefixes, as far as outputs count in them.
    Where they count near the end alone, as a label does, there is no shorter form: nothing changes.
    """
    (last,) = config.stages
    found: list[Stage] = []
    length = source.signature.length // 2
    while length >= _SHORTEST and (stage := _shorter(last, length, config, source)):
        found.insert(0, stage)
        length //= 2
    if not found:
        return config
    parts = [replace(stage, share=0.5 / len(found)) for stage in found]
    return replace(config, stages=(*parts, replace(last, share=0.5)))


def _shorter(stage: Stage, length: int, config: RunConfig, source: Source) -> Stage | None:
    try:
        found = source.at_length(length).signature
    except UsageError:
        found = None
    alike = found and replace(found, length=source.signature.length) == source.signature
    if alike and config.label_store is None:
        return replace(stage, length=length)
    batch = source.batch(config.seed, 0, config.fit.batch)
    return replace(stage, prefix=length) if batch.mask[:, :length].any() else None


def _slower(steps: int) -> float:
    return min(1.0, (32 / steps) ** 0.5)


def strategy_rows() -> Iterator[tuple[str, str]]:
    """For people: each strategy with its stages."""
    for name, parts in STRATEGIES.items():
        yield name, ", then ".join(f"{method} {100 * share:.0f}%" for method, share in parts)
