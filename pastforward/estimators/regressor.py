"""L6. Numbers that sequences stand for."""

from collections.abc import Mapping, Sequence
from typing import Any, Self, final

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length
from torch import Tensor
from typing_extensions import override

from pastforward.data import LabelledConfig
from pastforward.errors import UsageError
from pastforward.estimators.arrays import sequences, weighted
from pastforward.estimators.base import SequenceEstimator
from pastforward.estimators.reading import held_out, source_of
from pastforward.outputs import most_likely, quantiles
from pastforward.recipes.strategies import DEFAULT_STRATEGY
from pastforward.training.callbacks import Callback
from pastforward.types import Quantiles


@final
class SequenceRegressor(RegressorMixin, SequenceEstimator):
    """A recurrent network that reads a number, or several, off sequences.

    X and y are standardised by the training part. Numbers are predicted by a Gaussian, or by
    quantiles.

    Parameters:
        quantiles: rising levels between 0 and 1, such as (0.1, 0.5, 0.9), or None for a Gaussian.
        select: what is best: 'loss' (of the Gaussian, or the pinball loss; also when None), 'mse',
            'mae' or 'r2'.

    X and all other parameters are those of `SequenceClassifier`, without `class_weight`.

    Attributes:
        n_outputs_: numbers for each sequence.
        n_features_in_: `X.shape[1]` of an array X.
        history_: rows of losses, as dicts; after an evaluation with 'valid', the held-out loss, and
            'valid_NAME', the metric NAME that `select` names.
        student_: the network, a `pastforward.Student`; the teacher is discarded.
        codec_: how X and y are scaled.
    """

    n_outputs_: int

    def __init__(  # noqa: PLR0913 (scikit-learn: a parameter each)
        self, *, cell: str = "mlp", method: str = DEFAULT_STRATEGY, seconds: float = 60.0,
        steps: int | None = None, inputs: str | int = "auto", channels_first: bool = False,
        validation_fraction: float = 0.1, select: str | None = None,
        quantiles: Sequence[float] | None = None,
        callbacks: Sequence[Callback] = (), device: str | None = None,
        random_state: int | np.random.RandomState | None = None, verbose: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(
            cell=cell, method=method, seconds=seconds, steps=steps, inputs=inputs,
            channels_first=channels_first, validation_fraction=validation_fraction, select=select,
            callbacks=callbacks, device=device, random_state=random_state, verbose=verbose,
        )  # fmt: skip
        self.quantiles = quantiles

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on sequences X with numbers y, `[N]` or `[N, n_outputs]`.

        `sample_weight` `[N]` says how often a sequence is shown; held-out figures weigh all alike.
        Raises `ValueError` for what can't be used, and `NonFiniteLoss`.
        """
        checked, y = sequences(self, X, first=True), _numbers(self, y)
        check_consistent_length(checked, y)
        checked, y, shown = weighted(checked, y, sample_weight)
        self._is_flat, self.n_outputs_ = y.ndim == 1, 1 if y.ndim == 1 else y.shape[1]
        random, seed = self._seeded()
        held = held_out(y, self.validation_fraction, False, random)
        options = LabelledConfig(quantiles=tuple(self.quantiles or ()))
        self._train(source_of(checked, y, held, self.inputs, options, shown), seed)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Numbers at the end of each sequence, of the shape that y had: `[N]` or `[N, n_outputs]`.

        They are the means of Gaussians, or the quantile nearest to the median, in the units of y.
        """
        return self._answer(self._read(X))

    def predict_quantiles(self, X: Any) -> np.ndarray:
        """Quantiles at the levels `quantiles`, `[N, Q]`, of several numbers `[N, n_outputs, Q]`.

        They rise with the level. Raises `UsageError` where `fit` had no levels.
        """
        parameters, kind = self._read(X), self.student_.signature.outputs
        if not isinstance(kind, Quantiles):
            raise UsageError(
                "Quantiles were asked for, but fit had no levels; give "
                "SequenceRegressor(quantiles=(0.1, 0.5, 0.9))."
            )
        values = quantiles(kind, parameters.double()).cpu().numpy()
        found = values * np.array(self.codec_.std)[:, None] + np.array(self.codec_.mean)[:, None]
        return found[:, 0] if self._is_flat else found

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
