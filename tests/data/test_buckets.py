"""Buckets: every sequence once an epoch, few shapes, little padding."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pastforward.data.buckets import MOST, Buckets, bucket_ends

LENGTHS = st.lists(st.integers(1, 200), min_size=1, max_size=120).map(np.array)


@settings(max_examples=100, deadline=None)
@given(LENGTHS)
def test_ends_are_few_and_hold_every_length(lengths):
    ends = bucket_ends(lengths)
    assert 1 <= len(ends) <= MOST
    assert list(ends) == sorted(set(ends))
    assert ends[-1] == lengths.max()
    assert set(ends) <= set(lengths.tolist())


def test_equal_lengths_have_one_bucket_and_wide_ones_save_steps():
    assert bucket_ends(np.full(50, 7)) == (7,)
    lengths = np.random.default_rng(0).integers(10, 1000, 500)
    ends = np.array(bucket_ends(lengths))
    padded = ends[np.searchsorted(ends, lengths)].sum()
    assert padded < 1.35 * lengths.sum() < 0.8 * 500 * 1000


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(1, 40), st.integers(-3, 3))
def test_training_batches_hold_their_sequences_and_are_pure(lengths, size, seed):
    buckets = Buckets(np.arange(len(lengths)) + 5, lengths, bucket_ends(lengths))
    shapes = set()
    for index in range(30):
        rows, length = buckets.training(seed, index, size)
        again, _ = buckets.training(seed, index, size)
        assert (rows == again).all()
        assert len(rows) == size
        assert lengths[rows - 5].max() <= length
        shapes.add(length)
    assert shapes <= set(buckets.ends)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(1, 16), st.integers(0, 3))
def test_epochs_show_every_sequence_as_often_up_to_rounding(lengths, size, seed):
    count, epochs = len(lengths), 12
    buckets = Buckets(np.arange(count), lengths, bucket_ends(lengths))
    batches = epochs * count // size
    shown = np.zeros(count, int)
    for index in range(batches):
        np.add.at(shown, buckets.training(seed, index, size)[0], 1)
    mean = batches * size / count
    # A bucket is at most two batches of at least `size` sequences ahead or behind.
    assert np.abs(shown - mean).max() <= 4


def test_no_sequence_twice_in_one_epoch_of_its_bucket():
    lengths = np.repeat([10, 100], [64, 32])
    buckets = Buckets(np.arange(96), lengths, bucket_ends(lengths))
    by_length = {10: [], 100: []}
    for index in range(24):
        rows, length = buckets.training(0, index, 8)
        by_length[length].append(rows)
    assert sorted(np.concatenate(by_length[10][:8])) == list(range(64))
    assert sorted(np.concatenate(by_length[100][:4])) == list(range(64, 96))
    assert len(by_length[10]) == 16
    assert len(by_length[100]) == 8


def test_a_bucket_of_less_than_a_batch_joins_its_neighbour():
    lengths = np.repeat([10, 100], [40, 3])
    buckets = Buckets(np.arange(43), lengths, (10, 100))
    batches = [buckets.training(0, index, 16) for index in range(43)]
    assert {length for _, length in batches} == {100}
    assert (np.bincount(np.concatenate([rows for rows, _ in batches])) == 16).all()


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(1, 16), st.integers(1, 150))
def test_held_out_is_the_first_by_bucket(lengths, size, limit):
    rows = np.arange(len(lengths))[::-1].copy()
    buckets = Buckets(rows, lengths[rows], bucket_ends(lengths))
    found = list(buckets.held_out(size, limit))
    assert sorted(np.concatenate([r for r, _ in found])) == sorted(rows[:limit])
    assert all(len(r) <= size and lengths[r].max() <= end for r, end in found)
    ends = [end for _, end in found]
    assert ends == sorted(ends)
    others = list(buckets.held_out(size + 3, limit))
    assert (np.concatenate([r for r, _ in found]) == np.concatenate([r for r, _ in others])).all()


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(1, 16), st.integers(0, 3))
def test_sequences_are_shown_as_often_as_weights_say(lengths, size, seed):
    count, epochs = len(lengths), 40
    weights = np.random.default_rng(seed).uniform(0.1, 3, count)
    buckets = Buckets(np.arange(count), lengths, (lengths.max(),), weights)
    batches = epochs * count // size
    shown = np.zeros(count, int)
    for index in range(batches):
        np.add.at(shown, buckets.training(seed, index, size)[0], 1)
    expected = weights / weights.sum() * batches * size
    # Rounded once an epoch, in turns up and down; the last epoch may be cut short.
    assert np.abs(shown - expected).max() <= 4 + weights.max() / weights.mean()


def test_weights_decide_how_often_a_bucket_has_its_turn():
    lengths = np.repeat([10, 100], [60, 60])
    buckets = Buckets(np.arange(120), lengths, (10, 100), np.repeat([3.0, 1.0], [60, 60]))
    ends = [buckets.training(0, index, 10)[1] for index in range(600)]
    assert np.mean(np.array(ends) == 10) == 0.75
