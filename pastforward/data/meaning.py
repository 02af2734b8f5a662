"""L1. What targets mean: classes, flags or numbers."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pastforward.data.sequences import Sequences
from pastforward.data.targets import Whole
from pastforward.errors import UsageError, nearest

CLASSES, FLAGS, NUMBERS = "classes", "flags", "numbers"


@dataclass(frozen=True, eq=False)
class Meaning:
    """How targets are read."""

    kind: str
    """`CLASSES`, `FLAGS` or `NUMBERS`."""
    every_step: bool
    width: int
    """Classes, flags or numbers."""
    values: np.ndarray | None = None
    """`[width]`, classes as they are in y, sorted."""

    def codes(self, y: np.ndarray) -> np.ndarray:
        """Codes of classes, int64; what counts nowhere may be no class and gets any code."""
        assert self.values is not None
        return np.minimum(np.searchsorted(self.values, y), self.width - 1)

    def among(self, name: str, classes: tuple[str, ...]) -> "Meaning":
        """The same with the codes of `classes`, of which some may be missing here.

        Raises `UsageError` for a class that is not among them.
        """
        assert self.values is not None
        unknown = [one for one in self.names() if one not in classes]
        if unknown:
            raise UsageError(
                f"'{name}' has the class '{unknown[0]}', which the data trained on had not; "
                f"put back the data that it was trained on, or train anew."
            )
        dtype = self.values.dtype
        if dtype.kind == "b":
            values = np.array([one == "True" for one in classes])
        else:
            values = np.array(classes) if dtype.kind == "U" else np.array(classes).astype(dtype)
        return replace(self, width=len(classes), values=values)

    def names(self) -> tuple[str, ...]:
        """Of the classes or flags; () for numbers."""
        if self.values is not None:
            return tuple(str(value) for value in self.values)
        return tuple(str(i + 1) for i in range(self.width)) if self.kind == FLAGS else ()


def meaning_of(name: str, wholes: list[Whole], flags: bool) -> Meaning:
    """What the targets of all parts are, by those of the first, the training part.

    Raises `UsageError` where parts differ, for one class alone, and for a class that only a later
    part has.
    """
    first = wholes[0]
    kind = _kind(first, flags)
    for whole in wholes[1:]:
        if _sort(whole, flags) != _sort(first, flags):
            raise UsageError(
                f"{whole.where}y is {_told(whole)}, but y of training is {_told(first)}; give "
                "targets of one kind."
            )
    if kind == NUMBERS:
        for whole in wholes:
            _require_finite(whole)
    if kind != CLASSES:
        return Meaning(kind, first.every_step, _width(first))
    found = [_unique(whole) for whole in wholes]
    for whole, values in zip(wholes[1:], found[1:], strict=True):
        unknown = np.setdiff1d(values, found[0])
        if len(unknown):
            known = [str(v) for v in found[0]]
            raise UsageError(
                f"{whole.where}y has the class '{unknown[0]}', which no training sequence has; "
                f"{nearest(str(unknown[0]), known)}, or train on it, too."
            )
    values = found[0]
    if len(values) < 2:
        raise UsageError(
            f"All targets of '{name}' are of the class '{values[0]}'; give sequences of two "
            "classes or more."
        )
    if not first.every_step and len(values) > max(2, len(first.x) - 1):
        raise UsageError(
            f"'{name}' has {len(values)} classes and only {len(first.x)} sequences; give several a "
            "class, or floats for numbers."
        )
    return Meaning(kind, first.every_step, len(values), values)


def _width(whole: Whole) -> int:
    shape = whole.y.shape if isinstance(whole.y, Sequences) else whole.y.shape[1:]
    return int(np.prod(shape, dtype=int))


def _kind(whole: Whole, flags: bool) -> str:
    several = len(whole.y.shape) > (0 if isinstance(whole.y, Sequences) else 1)
    kind = whole.y.dtype.kind
    if kind == "f" and not flags:
        return NUMBERS
    if not several and not flags:
        return CLASSES
    values = _unique(whole)
    if kind in "US" or not set(values.tolist()) <= {0, 1}:
        raise UsageError(
            f"{whole.where}y holds several values a target, such as '{values[-1]}'; give 0 and 1 "
            "for several labels at once, floats for numbers, or one class."
        )
    return FLAGS


def _unique(whole: Whole) -> np.ndarray:
    """All values of the targets that count, sorted."""
    found = [np.unique(values) for _, values in whole.targets(np.arange(len(whole.y)))]
    return np.unique(np.concatenate(found))


def _sort(whole: Whole, flags: bool) -> tuple[Any, ...]:
    named = whole.y.dtype.kind in "US"
    return whole.every_step, _width(whole), _kind(whole, flags), named


def _require_finite(whole: Whole) -> None:
    for rows, values in whole.targets(np.arange(len(whole.y))):
        wrong = np.argwhere(~np.isfinite(values))
        if not len(wrong):
            continue
        at = f"sequence {rows[wrong[0][0]]}"
        if isinstance(whole.y, Sequences) and whole.mask is None:
            place = whole.y.place(rows, int(wrong[0][0]))
            at = f"sequence {place.row}, step {place.step}"
        elif whole.every_step:
            at = f"sequences {rows[0]} to {rows[-1]}"
        raise UsageError(
            f"{whole.where}y holds {values[tuple(wrong[0])]} in {at}, counted from 0; give finite "
            "numbers, or a mask for targets per step that are missing."
        )


def _told(whole: Whole) -> str:
    where = "every step" if whole.every_step else "the end"
    return f"{_width(whole)} of {whole.y.dtype} at {where}"
