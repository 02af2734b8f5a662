"""L6. What users give as X, checked; nothing of size is copied."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from pastforward.data.labelled import Arrays
from pastforward.errors import UsageError

MOST_SYMBOLS = 2**16
"""Whole numbers below it are taken for symbols where the user does not say what they are."""
_NUMBERS = "iufb"


def sequences(estimator: Any, X: Any, *, first: bool) -> Arrays:
    """X as `[N, T]` or `[N, T, C]`, or as a list of arrays `[T_i]` or `[T_i, C]`.

    `first` is True in `fit`, where the names and number of a table's columns are kept. Raises
    `UsageError`, or what scikit-learn raises for arrays.
    """
    channels_first = estimator.channels_first
    if _is_list(X):
        if first:  # a fit before this one may have read a table
            for name in ("n_features_in_", "feature_names_in_"):
                vars(estimator).pop(name, None)
        return _rows(X, channels_first)
    # Sequences may be longer or shorter than in training; a table keeps its columns.
    table = hasattr(X, "columns")
    if table:
        validate_data(estimator, X, reset=first, skip_check_array=True)
    array: Any = check_array(X, estimator=estimator, allow_nd=True, input_name="X")
    known = getattr(estimator, "n_features_in_", 0)
    if not table and (first or array.shape[1:] == (known,)):
        validate_data(estimator, X, reset=first, skip_check_array=True)
    if array.ndim > 3 or 0 in array.shape:
        raise UsageError(
            f"X has shape {array.shape}; give sequences [N, T] or [N, T, C], or a list of arrays."
        )
    return array.transpose(0, 2, 1) if channels_first and array.ndim == 3 else array


def weighted(X: Arrays, y: np.ndarray, sample_weight: Any) -> tuple[Arrays, np.ndarray, Any]:
    """X and y without sequences of weight 0, and the weights `[n]` of the others, or None.

    Raises `UsageError` for weights that are not `[N]`, negative, or all 0.
    """
    if sample_weight is None:
        return X, y, None
    weights = check_array(sample_weight, ensure_2d=False, input_name="sample_weight")
    if weights.shape != (len(X),) or weights.dtype.kind not in "iufb":
        raise UsageError(
            f"sample_weight has shape {weights.shape} and X {len(X)} sequences; give a number each."
        )
    if weights.min() < 0 or not weights.any():
        given = "negative numbers" if weights.any() else "zero for every sequence"
        raise UsageError(f"sample_weight holds {given}; give weights of 0 or more, some above.")
    kept = np.flatnonzero(weights)
    if len(kept) < len(weights):
        X, y = [X[i] for i in kept.tolist()], y[kept]  # views
    return X, y, weights[kept].astype(np.float64)


def channels(X: Arrays) -> int:
    """C of sequences; 1 of those without an axis for it."""
    return 1 if np.ndim(X[0]) == 1 else np.shape(X[0])[1]


def are_symbols(X: Arrays) -> bool:
    """Are these whole numbers from 0, few enough to be symbols?"""
    if np.ndim(X[0]) != 1 or any(part.dtype.kind not in "iub" for part in _parts(X)):
        return False
    return _extremes(X)[0] >= 0 and _extremes(X)[1] < MOST_SYMBOLS


def as_symbols(X: Arrays, size: int | None = None) -> Arrays:
    """X as whole numbers 0..size-1; raises `UsageError` for anything else."""
    if np.ndim(X[0]) != 1:
        raise UsageError(
            f"Sequences of {channels(X)} channels were given where symbols were expected; give "
            "whole numbers [N, T], or fit with inputs='vectors'."
        )
    whole = _whole(X) if isinstance(X, np.ndarray) else [_whole(row) for row in X]
    low, high = _extremes(whole)
    if low < 0 or (size is not None and high >= size):
        known = "0 and above" if size is None else f"0 to {size - 1}"
        raise UsageError(
            f"X holds symbols from {low} to {high} where {known} are known; fit with inputs= the "
            "number of symbols, or with inputs='vectors'."
        )
    return whole


def as_vectors(X: Arrays) -> Arrays:
    """X with an axis for channels, so that whole numbers are not taken for symbols."""
    if np.ndim(X[0]) == 2:
        return X
    return X[:, :, None] if isinstance(X, np.ndarray) else [row[:, None] for row in X]


def symbol_count(X: Arrays) -> int:
    """Symbols 0..n-1 of which the largest is in X."""
    return 1 + int(_extremes(X)[1])


def _parts(X: Arrays) -> Sequence[np.ndarray]:
    return [X] if isinstance(X, np.ndarray) else X


def _extremes(X: Arrays) -> tuple[int, int]:
    return min(part.min() for part in _parts(X)), max(part.max() for part in _parts(X))


def _whole(x: np.ndarray) -> np.ndarray:
    """x itself, or the whole numbers that came as floats."""
    if x.dtype.kind in "iub":
        return x
    whole = x.astype(np.int64)
    if (whole != x).any():
        raise UsageError(
            "X holds numbers that are not whole where symbols were expected; give whole numbers, "
            "or fit with inputs='vectors'."
        )
    return whole


def _is_list(X: Any) -> bool:
    """A list of arrays, or of lists of several lengths."""
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1 and len(X) > 0 and np.ndim(X[0]) > 0
    if not isinstance(X, list | tuple) or not X or not all(hasattr(x, "__len__") for x in X):
        return False
    arrays = all(isinstance(row, np.ndarray) for row in X)
    return arrays or len({len(row) for row in X}) > 1


def _rows(X: Sequence[Any], channels_first: bool) -> list[np.ndarray]:
    rows = [_row(i, row, channels_first) for i, row in enumerate(X)]
    steps = {row.shape[1:] for row in rows}
    if len(steps) > 1:
        raise UsageError(
            f"Sequences of X have steps of shapes {sorted(steps)}; give all [T], or all [T, C] of "
            "one C."
        )
    return rows


def _row(number: int, row: Any, channels_first: bool) -> np.ndarray:
    array = np.asarray(row)
    if array.ndim not in (1, 2) or 0 in array.shape or array.dtype.kind not in _NUMBERS:
        raise UsageError(
            f"Sequence {number} of X has shape {array.shape} and type {array.dtype}; give numbers "
            "[T] or [T, C], of one step or more."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UsageError(
            f"Sequence {number} of X contains NaN or infinity; fill what is missing, or leave the "
            "sequence out."
        )
    return array.T if channels_first and array.ndim == 2 else array
