"""L1. Sequences with targets as they were given: at the end of a sequence or at every step."""

from collections.abc import Iterator
from typing import Any, NamedTuple, final

import numpy as np

from pastforward.data.sequences import Arrays, Sequences, sequences
from pastforward.errors import UsageError


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

    def __init__(self, given: Given, where: str, flags: bool, at: str = "auto") -> None:
        """`where` names the part in messages: '', 'valid ' or 'test '; `at` as in options."""
        self.where = where
        self.x = sequences(f"{where}x", given.x, given.lengths)
        self.y = _targets(f"{where}y", given.y, self.x, flags, at)
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


def _targets(
    what: str, given: Arrays, x: Sequences, flags: bool, at: str
) -> Sequences | np.ndarray:
    """`Sequences` where there is a target a step, else `[N]` or `[N, C]`."""
    if isinstance(given, list | tuple) and len(given) and np.ndim(given[0]):
        listed = [np.asarray(one) for one in given]
        if at != "end" and [len(one) for one in listed] == x.lengths[: len(listed)].tolist():
            return _plain(what, sequences(what, listed))
        if len({one.shape for one in listed}) > 1 and at == "end":
            raise UsageError(
                f"{what} has other numbers of targets from sequence to sequence, where these were "
                "asked for at the end; give as many for every sequence."
            )
        if len({one.shape for one in listed}) > 1:
            i = next(i for i, one in enumerate(listed) if i >= len(x) or len(one) != x.lengths[i])
            steps = x.lengths[i] if i < len(x) else "no"
            raise UsageError(
                f"{what} of sequence {i} has {len(listed[i])} targets and its x {steps} steps; "
                "give a target a step, or as many numbers for every sequence."
            )
        given = np.stack(listed)
    y = _array(what, given)
    fits = y.ndim >= 2 and y.shape[:2] == (len(x), _steps(x))
    if fits and at != "end" and (at == "steps" or y.ndim == 3 or not flags):
        return _plain(what, sequences(what, y, x.lengths))
    if at == "steps":
        raise UsageError(
            f"{what} has shape {y.shape} for {len(x)} x of {_steps(x)} steps, where targets were "
            "asked for at all steps; give [N, T] or [N, T, C], or --data.at end."
        )
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
