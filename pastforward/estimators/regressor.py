"""L6. Numbers that sequences stand for."""

from collections.abc import Mapping
from typing import Any, Self, final

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length
from torch import Tensor
from typing_extensions import override

from pastforward.errors import UsageError
from pastforward.estimators.arrays import sequences
from pastforward.estimators.base import SequenceEstimator
from pastforward.estimators.reading import held_out, source_of
from pastforward.outputs import most_likely


@final
class SequenceRegressor(RegressorMixin, SequenceEstimator):
    """A recurrent network that reads a number, or several, off sequences.

    X and parameters are those of `SequenceClassifier`, without `class_weight`; `select` is 'loss'
    (of a Gaussian, and when None), 'mse', 'mae' or 'r2'. X and y are standardised by the training
    part.

    Attributes:
        n_outputs_: numbers for each sequence.
        n_features_in_: `X.shape[1]` of an array X.
        history_: rows of losses and held-out losses, as dicts.
        student_: the network, a `pastforward.Student`; the teacher is discarded.
        codec_: how X and y are scaled.
    """

    n_outputs_: int

    def fit(self, X: Any, y: Any) -> Self:
        """Train on sequences X with numbers y, `[N]` or `[N, n_outputs]`.

        Raises `ValueError` for X and y that can't be used, and `NonFiniteLoss`.
        """
        checked, y = sequences(self, X, first=True), _numbers(self, y)
        check_consistent_length(checked, y)
        self._is_flat, self.n_outputs_ = y.ndim == 1, 1 if y.ndim == 1 else y.shape[1]
        random, seed = self._seeded()
        held = held_out(y, self.validation_fraction, False, random)
        self._train(source_of(checked, y, held, self.inputs), seed)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Numbers at the end of each sequence, of the shape that y had: `[N]` or `[N, n_outputs]`.

        They are those of highest density, in the units of y.
        """
        return self._answers(X)

    @override
    def _answer(self, parameters: Tensor) -> np.ndarray:
        values = most_likely(self.student_.signature.outputs, parameters.double()).cpu().numpy()
        found = values * np.array(self.codec_.std) + np.array(self.codec_.mean)
        return found[:, 0] if self._is_flat else found

    @override
    def _facts(self) -> dict[str, Any]:
        return {"is_flat": self._is_flat, "n_outputs": self.n_outputs_}

    @override
    def _restore(self, facts: Mapping[str, Any]) -> None:
        self._is_flat, self.n_outputs_ = facts["is_flat"], facts["n_outputs"]

    @override
    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _numbers(estimator: SequenceRegressor, y: Any) -> np.ndarray:
    if y is None:
        raise UsageError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None; give "
            "the numbers of each sequence."
        )
    dtype: Any = np.float64
    return check_array(y, ensure_2d=False, dtype=dtype, input_name="y")
