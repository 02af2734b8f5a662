"""L1. What targets are: classes, flags or numbers, at the end of a sequence or at every step."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from pastforward.data.sequences import Arrays, Sequences, sequences
from pastforward.errors import UsageError, nearest

CLASSES, FLAGS, NUMBERS = "classes", "flags", "numbers"


class Given(NamedTuple):
    """Sequences and their targets as a user has them."""

    x: Arrays
    y: Arrays
    mask: Arrays | None = None
    """`[N, T]`, or arrays `[T_i]`: True where a target per step counts."""
    lengths: Any = None
    """`[N]`, steps of each sequence; all T when None."""


@final
class Whole:
    """Sequences with targets, neither split nor scaled yet; arrays are those that were given."""

    def __init__(self, given: Given, where: str, flags: bool) -> None:
        """`where` names the part in messages: '', 'valid ' or 'test '."""
        self.where = where
        self.x = sequences(f"{where}x", given.x, given.lengths)
        self.y = _targets(f"{where}y", given.y, self.x, flags)
        self.every_step = isinstance(self.y, Sequences)
        count = len(self.y)
        if count != len(self.x):
            raise UsageError(
                f"{where}x holds {len(self.x)} sequences and {where}y {count} targets; give one "
                "target, or one array of them, a sequence."
            )
        self.mask = None if given.mask is None else self._masked(given.mask)

    def counted(self, rows: np.ndarray) -> np.ndarray:
        """All targets of the sequences `rows` that count, `[n]` or `[n, C]`."""
        return np.concatenate([values for _, values in self.targets(rows)])

    def targets(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Some of `rows` at a time, and their targets that count, `[n]` or `[n, C]`."""
        if not isinstance(self.y, Sequences):
            yield rows, self.y[rows]
            return
        for some, values in self.y.chunks(rows):
            if self.mask is None:
                yield some, values
                continue
            length = int(self.y.lengths[some].max())
            counts = self.mask.padded(some, length)[self.mask.real(some, length)]
            yield some, values[counts.astype(bool)]

    def _masked(self, given: Arrays) -> Sequences:
        if not isinstance(self.y, Sequences):
            raise UsageError(
                f"A mask was given for {self.where}y, which has one target a sequence; give "
                "lengths where sequences end earlier."
            )
        listed = isinstance(given, list | tuple)
        mask = sequences(f"{self.where}mask", given, None if listed else self.x.lengths)
        if len(mask) != len(self.x) or mask.shape or (mask.lengths != self.x.lengths).any():
            shape = np.shape(given) if isinstance(given, np.ndarray) else (len(mask),)
            raise UsageError(
                f"{self.where}mask has shape {shape}, or other lengths than {self.where}x; give "
                f"True or False for each step of its {len(self.x)} sequences."
            )
        for rows, values in mask.chunks(np.arange(len(mask))):
            counts = mask.padded(rows, mask.longest).astype(bool).any(1)
            if not set(np.unique(values)) <= {0, 1} or not counts.all():
                raise UsageError(
                    f"{self.where}mask holds other values than True and False, or sequence "
                    f"{rows[~counts][:1]} of it no True; mend it, or leave the sequence out."
                )
        return mask


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


def _targets(what: str, given: Arrays, x: Sequences, flags: bool) -> Sequences | np.ndarray:
    """`Sequences` where there is a target a step, else `[N]` or `[N, C]`."""
    if isinstance(given, list | tuple) and len(given) and np.ndim(given[0]):
        listed = [np.asarray(one) for one in given]
        if [len(one) for one in listed] == x.lengths[: len(listed)].tolist():
            return _plain(what, sequences(what, listed))
        if len({one.shape for one in listed}) > 1:
            i = next(i for i, one in enumerate(listed) if i >= len(x) or len(one) != x.lengths[i])
            steps = x.lengths[i] if i < len(x) else "no"
            raise UsageError(
                f"{what} of sequence {i} has {len(listed[i])} targets and its x {steps} steps; "
                "give a target a step, or as many numbers for every sequence."
            )
        given = np.stack(listed)
    y = _array(what, given)
    per_step = y.ndim >= 2 and y.shape[1] == _steps(x) and not (flags and y.ndim == 2)
    if per_step and len(y) == len(x):
        return _plain(what, sequences(what, y, x.lengths))
    if y.ndim > 2:
        raise UsageError(
            f"{what} has shape {y.shape} for x of {_steps(x)} steps; give [N], [N, C], [N, T] or "
            "[N, T, C]."
        )
    return y[:, 0] if y.shape[1:] == (1,) else y


def _steps(x: Sequences) -> int:
    return x.arrays.shape[1] if isinstance(x.arrays, np.ndarray) else x.longest


def _plain(what: str, y: Sequences) -> Sequences:
    """One target a step has no axis of channels."""
    if y.shape == (1,):
        arrays = y.arrays
        flat = arrays[..., 0] if isinstance(arrays, np.ndarray) else [a[..., 0] for a in arrays]
        y = Sequences(flat, y.lengths)
    if y.dtype.kind not in "biufUS":
        raise UsageError(f"{what} holds {y.dtype}; give numbers or names of classes.")
    return y


def _array(what: str, given: Arrays) -> np.ndarray:
    try:
        y = np.asarray(given)
    except ValueError as error:
        raise UsageError(f"{what} is ragged; give a target a sequence or a step.") from error
    if y.dtype == object and all(isinstance(one, str) for one in y.ravel()):
        y = y.astype(str)
    if y.ndim < 1 or not y.size or y.dtype.kind not in "biufUS":
        raise UsageError(
            f"{what} is an array of {y.dtype} of shape {y.shape}; give numbers or names of "
            "classes, as [N], [N, C], [N, T] or [N, T, C]."
        )
    return y


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
