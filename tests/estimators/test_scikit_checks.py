"""scikit-learn's own checks of estimators, where 2-D X is sequences of T steps of one channel."""

import numpy as np
import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from pastforward import SequenceClassifier, SequenceRegressor

TINY = {"method": "bptt", "cell": "elman", "steps": 3, "random_state": 0}
LENGTHS = "sequences may be longer or shorter than those of training"
STEPS = "three steps teach nothing; what is learned is tested beside, with more of them"
ROUNDING = "float32: matrices of other sizes round in another order, by more than 1e-7"


DRAWN = "weights say how often a sequence is drawn, as in scikit-learn's own stochastic estimators"


def failing(estimator) -> dict[str, str]:
    own = {
        "check_n_features_in_after_fitting": LENGTHS,
        "check_methods_subset_invariance": ROUNDING,
        "check_sample_weight_equivalence_on_dense_data": DRAWN,
    }
    if isinstance(estimator, SequenceClassifier):
        return own | {
            "check_classifiers_train": LENGTHS,
            "check_class_weight_classifiers": STEPS,
        }
    return own | {"check_regressors_train": STEPS}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [SequenceClassifier(**TINY), SequenceRegressor(**TINY)], expected_failed_checks=failing
)
def test_scikit_learns_checks_hold(estimator, check):
    check(estimator)


def test_no_more_checks_are_excused_than_these():
    names = {name for e in (SequenceClassifier(), SequenceRegressor()) for name in failing(e)}
    assert len(names) == 6


def test_class_weights_do_what_scikit_learn_expects_of_them():
    # Without held-out sequences: the check's own are of both classes alike, its weights are not.
    enough = SequenceClassifier(**TINY | {"steps": 30, "validation_fraction": 0.0})
    estimator_checks.check_class_weight_classifiers("SequenceClassifier", enough)


@pytest.mark.filterwarnings("ignore")
def test_a_regressor_learns_what_scikit_learn_expects_of_it():
    enough = SequenceRegressor(**TINY | {"steps": 100})
    estimator_checks.check_regressors_train("SequenceRegressor", enough, X_dtype=np.float32)


@pytest.mark.parametrize("estimator", [SequenceClassifier(**TINY), SequenceRegressor(**TINY)])
def test_names_of_columns_are_kept_and_asked_for(estimator):
    name = type(estimator).__name__
    estimator_checks.check_dataframe_column_names_consistency(name, estimator)
