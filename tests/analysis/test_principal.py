"""Principal components against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from pastforward.analysis.principal import principal_components


@pytest.mark.parametrize("shape", [(50, 6), (4, 9)])
def test_as_scikit_learn_up_to_sign(shape):
    numbers = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1)
    rows, reference = torch.from_numpy(numbers), PCA(3).fit(numbers)
    found = principal_components(rows, 3)
    assert np.allclose(found.shares, reference.explained_variance_ratio_)
    assert np.allclose(found.axes.abs(), np.abs(reference.components_))
    assert np.allclose(found.project(rows).abs(), np.abs(reference.transform(numbers)))
    assert (found.axes.gather(1, found.axes.abs().argmax(1, keepdim=True)) > 0).all()


def test_memories_that_are_all_the_same():
    found = principal_components(torch.ones(5, 3))
    assert found.shares.tolist() == [0.0, 0.0]
    assert found.project(torch.ones(1, 3)).tolist() == [[0.0, 0.0]]
