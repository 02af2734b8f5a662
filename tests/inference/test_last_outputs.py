"""Outputs at the end of sequences of several lengths are those of each sequence alone."""

import itertools

import numpy as np
import pytest
import torch
from tiny import sequence, signature, student

from pastforward.inference.last_outputs import batches_by_length, last_outputs


@pytest.mark.parametrize("kind", ["tokens", "vectors"])
def test_padding_and_parts_change_nothing(kind):
    what = signature(kind)
    own = student(what)
    lengths = torch.tensor([1, 600, 255, 256, 257, 512, 513, 7])
    x = sequence(what.inputs, len(lengths), int(lengths.max()), seed=0)
    found = last_outputs(own, x, lengths)
    for row, length, parameters in zip(x, lengths, found, strict=True):
        alone = own(row[None, :length])[0][0, -1]
        torch.testing.assert_close(parameters, alone, rtol=0, atol=1e-10)


def test_batches_hold_every_sequence_once_and_like_lengths_together():
    lengths = np.random.default_rng(0).integers(1, 100, 1000)
    found = list(batches_by_length(lengths.tolist()))
    assert sorted(np.concatenate(found)) == list(range(1000))
    assert [len(rows) for rows in found] == [256, 256, 256, 232]
    ends = [(lengths[rows].min(), lengths[rows].max()) for rows in found]
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(ends))
