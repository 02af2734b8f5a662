"""L6. Classes of sequences."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, final

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d
from torch import Tensor
from typing_extensions import override

from pastforward.data import LabelledConfig
from pastforward.data.labelled import Arrays
from pastforward.errors import UsageError
from pastforward.estimators.arrays import sequences, weighted
from pastforward.estimators.base import SequenceEstimator
from pastforward.estimators.reading import held_out, source_of
from pastforward.outputs import class_probabilities
from pastforward.recipes.strategies import DEFAULT_STRATEGY
from pastforward.training.callbacks import Callback
from pastforward.types import Flags


@final
class SequenceClassifier(ClassifierMixin, SequenceEstimator):
    """A recurrent network that classifies sequences, trained by any method of this library.

    A sequence has one class, or several labels at once: y `[N, n_labels]` of 0 and 1. X is
    `[N, T]` or `[N, T, C]`, or a list of arrays `[T_i]` or `[T_i, C]` of several lengths. Units
    don't matter: numbers are standardised by the training part.

    Parameters:
        cell: a cell by name ('mlp', 'gru', 'lstm', 'elman', 'transformer'), or module:Name.
        method: a strategy ('smt+dmt', 'bptt', ...) or a method of the library.
        seconds: training time, used up whole.
        steps: optimiser steps in place of seconds; the same steps give the same results.
        inputs: 'auto' reads whole numbers `[N, T]` from 0 up as symbols, all else as vectors;
            'symbols', 'vectors', or the number of symbols.
        channels_first: X is `[N, C, T]`, as aeon has it.
        validation_fraction: share of the sequences held out; the weights that do best on them are
            kept. With 0 all are trained on, and the last weights are kept.
        select: what is best: 'loss', 'accuracy', 'balanced_accuracy' or 'macro_f1'. When None,
            'loss', and with class weights 'balanced_accuracy'.
        class_weight: None, 'balanced', or a weight for each class.
        callbacks: `pastforward.Callback`s, told of every step.
        device: where to train and predict; an accelerator where there is one when None.
        random_state: a seed, a `RandomState`, or None for other results each time.
        verbose: 1 shows progress.

    Attributes:
        classes_: classes, sorted, as in the columns of `predict_proba`; numbers of the labels where
            there are several at once.
        n_features_in_: `X.shape[1]` of an array X.
        history_: rows of losses, as dicts; after an evaluation with 'valid', the held-out loss, and
            'valid_NAME', the metric NAME that `select` names.
        student_: the network, a `pastforward.Student`; the teacher is discarded.
        codec_: how X is scaled.
    """

    classes_: np.ndarray

    def __init__(  # noqa: PLR0913 (scikit-learn: a parameter each)
        self, *, cell: str = "mlp", method: str = DEFAULT_STRATEGY, seconds: float = 60.0,
        steps: int | None = None, inputs: str | int = "auto", channels_first: bool = False,
        validation_fraction: float = 0.1, select: str | None = None,
        class_weight: str | Mapping[Any, float] | None = None,
        callbacks: Sequence[Callback] = (), device: str | None = None,
        random_state: int | np.random.RandomState | None = None, verbose: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(
            cell=cell, method=method, seconds=seconds, steps=steps, inputs=inputs,
            channels_first=channels_first, validation_fraction=validation_fraction, select=select,
            callbacks=callbacks, device=device, random_state=random_state, verbose=verbose,
        )  # fmt: skip
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on sequences X with a class y `[N]` each, or with labels y `[N, n_labels]`.

        Classes are strings, whole numbers or bools; labels 0 or 1. `sample_weight` `[N]` says how
        often a sequence is shown; held-out figures weigh all alike. Raises `ValueError` for what
        can't be used, and `NonFiniteLoss`.
        """
        checked, y = sequences(self, X, first=True), _classes(self, y)
        check_consistent_length(checked, y)
        checked, y, shown = weighted(checked, y, sample_weight)
        if y.ndim == 2:
            return self._fit_labels(checked, y, shown)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise UsageError(
                f"y holds one class alone, '{self.classes_[0]}'; give sequences of two classes or "
                "more."
            )
        random, seed = self._seeded()
        held = held_out(codes, self.validation_fraction, True, random)
        source = source_of(checked, codes, held, self.inputs, weights=shown)
        source.codec = replace(source.codec, classes=tuple(map(str, self.classes_)))
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        if self.class_weight is not None:
            scaled = tuple((weights / weights.mean()).tolist())
            source.signature = replace(source.signature, class_weights=scaled)
        self._train(source, seed)
        return self

    def _fit_labels(self, X: Arrays, y: np.ndarray, shown: np.ndarray | None) -> Self:
        if self.class_weight is not None:
            raise UsageError(
                f"class_weight is {self.class_weight!r} for y of {y.shape[1]} labels at once; "
                "leave it out, or fit a classifier for each."
            )
        self.classes_ = np.arange(y.shape[1])
        random, seed = self._seeded()
        held = held_out(y, self.validation_fraction, False, random)
        options = LabelledConfig(flags=True)
        self._train(source_of(X, y, held, self.inputs, options, shown), seed)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class `[N]` of each sequence, once all of it is read.

        With several labels at once those of more than 1/2, `[N, n_labels]` of 0 and 1.
        """
        found = self.predict_proba(X)
        if isinstance(self.student_.signature.outputs, Flags):
            return (found > 0.5).astype(int)
        return self.classes_[found.argmax(1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities `[N, n_classes]` at the end of each sequence, columns as `classes_`."""
        return self._answer(self._read(X))

    @override
    def _selected(self) -> str:
        return "loss" if self.class_weight is None else "balanced_accuracy"

    @override
    def _answer(self, parameters: Tensor) -> np.ndarray:
        outputs = self.student_.signature.outputs
        return class_probabilities(outputs, parameters.double()).cpu().numpy()

    @override
    def _facts(self) -> dict[str, Any]:
        return {"classes": self.classes_.tolist(), "type": self.classes_.dtype.str}

    @override
    def _restore(self, facts: Mapping[str, Any]) -> None:
        self.classes_ = np.array(facts["classes"], dtype=facts["type"])

    @override
    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _classes(estimator: SequenceClassifier, y: Any) -> np.ndarray:
    if y is None:
        raise UsageError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None; give "
            "the class of each sequence."
        )
    array = np.asarray(y)
    several = array.ndim == 2 and array.shape[1] > 1
    y = array if several else column_or_1d(y, warn=True)
    check_classification_targets(y)
    if several and not set(np.unique(y).tolist()) <= {0, 1}:
        raise UsageError(
            f"y has shape {y.shape} and holds other values than 0 and 1, such as '{y.max()}'; give "
            "a class of each sequence [N], or labels [N, n_labels] of 0 and 1."
        )
    return y
