"""Tasks against slow solvers that read only the prefix, at awkward sizes; their references."""

from itertools import product
from math import log

import numpy as np
import pytest
import torch
from task_solvers import SOLVERS, STATES, distribution, entropy, solve

from pastforward.data.opening import open_source
from pastforward.data.tasks import TASKS
from pastforward.data.tasks.base import axes
from pastforward.errors import UsageError
from pastforward.types import Tokens

NAMES = [
    "copy:4", "copy:14", "copy:12,symbols=3", "reversed_copy:4", "reversed_copy:14",
    "reversed_copy:12,symbols=3", "retrieval:4", "retrieval:9,symbols=2",
    "key_values:3,pairs=1", "key_values:25,pairs=8", "key_values:24,pairs=8,symbols=8",
    "stack:2", "stack:3,depth=1", "stack:21,depth=2,symbols=3", "stack:40",
    "modular:2", "modular:3", "modular:17,modulus=2", "modular:40,modulus=6,every=3",
    "modular:9,every=2", "parity:2", "parity:33", "parity:31,every=4", "s5:2", "s5:19",
    "s5:20,every=7,elements=2", "copy:12,delimiter=1", "reversed_copy:10,symbols=3,delimiter=1",
    "retrieval:11,within=50", "retrieval:5,within=1", "recall:4", "recall:30,symbols=3",
    "mqar:4,pairs=1,vocabulary=4,blank=1", "mqar:34,pairs=5,vocabulary=17,blank=1,power=40",
    "regression:2", "regression:19,modulus=7", "regression:12", "cyclic:2", "cyclic:19,order=3",
    "cyclic:18,every=5", "a5:2", "a5:19,every=3,elements=2", "even_pairs:2,shortest=1",
    "even_pairs:17", "parity_check:2,shortest=1", "parity_check:18,shortest=9",
    "cycle_navigation:2,shortest=1", "cycle_navigation:14,places=3", "modular_simple:2,shortest=1",
    "modular_simple:23,modulus=3", "reverse_string:2,shortest=1", "reverse_string:13,symbols=3",
    "stack_manipulation:3,shortest=1", "stack_manipulation:24", "modular_brackets:2,shortest=1",
    "modular_brackets:30,modulus=3", "solve_equation:4,shortest=3", "solve_equation:29",
    "recency:2", "recency:17,half=1", "recency:33,half=3,symbols=3",
    "primacy:2", "primacy:17,half=1", "primacy:33,half=3,symbols=3",
]  # fmt: skip
"""Every task at its least T and at awkward ones."""
CERTAIN = [name for name in NAMES if name.split(":")[0] in SOLVERS]
SAMPLED = [name for name in NAMES if name.split(":")[0] in ("recency", "primacy")]


def test_the_table_is_covered():
    assert {name.split(":")[0] for name in NAMES} == set(TASKS) == set(STATES)
    apart = {"recency", "primacy", "regression"}  # what they ask isn't certain
    assert set(TASKS) - apart == set(SOLVERS)
    assert all(TASKS.load(family).family == family for family in TASKS)


@pytest.mark.parametrize("name", CERTAIN)
def test_outputs_are_what_the_prefix_says(name):
    source = open_source(name)
    x, y, mask = (part.tolist() for part in source.batch(0, 0, 40))
    for row, targets, counts in zip(x, y, mask, strict=True):
        answers = [solve(source.task, row[:t]) for t in range(1, len(row) + 1)]
        assert counts == [answer is not None for answer in answers]
        assert any(counts)
        said = [target for target, keep in zip(targets, counts, strict=True) if keep]
        assert said == [answer for answer in answers if answer is not None]


@pytest.mark.parametrize("name", NAMES)
def test_states_are_those_of_the_prefix(name):
    source = open_source(name)
    batch = source.batch(0, 0, 20)
    states = source.states(batch)
    for labels in states.values():
        assert labels.dtype == torch.int64
        assert labels.shape == batch.mask.shape
    for n, row in enumerate(batch.x.tolist()):
        for t in range(1, len(row) + 1):
            expected = STATES[source.task.family](source.task, row[:t])
            assert {k: v[n, t - 1].item() for k, v in states.items()} == expected


@pytest.mark.parametrize("name", SAMPLED)
def test_sampled_outputs_follow_their_distribution(name):
    source = open_source(name)
    x, y, mask = source.batch(0, 0, 400)
    assert mask.all()
    chances = torch.tensor(
        [[distribution(source.task, row[:t]) for t in range(1, len(row) + 1)] for row in x.tolist()]
    )
    seen = torch.nn.functional.one_hot(y, source.task.symbols)
    assert chances[seen.bool()].min() > 0
    # Deviations of counts from their expectation, each in standard errors, by step and symbol.
    spread = (chances * (1 - chances)).sum(0)
    errors = ((seen - chances).sum(0) / spread.sqrt().clamp(min=1.0)).abs()
    assert errors.max() < 5
    surprise = -chances[seen.bool()].log()
    error = surprise.std() / len(surprise) ** 0.5
    assert abs(surprise.mean() - source.references()["best"]) < 4 * error
    wrong = -chances.flip(2)[seen.bool()].clamp(min=1e-3).log()
    assert wrong.mean() - source.references()["best"] > 10 * error


class Listing:
    """In place of a generator: the nth sequence gets the nth number that may be drawn."""

    def integers(self, low, high, size):
        return np.minimum(np.arange(low, low + size[0])[:, None], np.asarray(high) - 1)


def test_ranks_are_drawn_by_whole_weights():
    task = open_source("recency:13,half=1").task
    weights = [1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1]
    _, rank = task.draw(Listing(), sum(weights))
    assert np.bincount(rank[:, -1]).tolist() == weights
    assert np.bincount(rank[: 1024 + 512, 1]).tolist() == weights[:2]


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("recency:2", ",symbols=3"),
        ("recency:7", ",half=2,symbols=3"),
        ("primacy:7", ",half=2,symbols=3"),
        ("primacy:5", ",half=64,symbols=5"),
        ("recency:13", ",half=1,symbols=2"),  # weights end at the eleventh place
    ],
)
def test_best_loss_by_enumeration(name, axes):
    source = open_source(name + axes)
    task = source.task
    rows = list(product(range(task.symbols), repeat=task.length))
    losses = [
        entropy(distribution(task, row[:t])) for row in rows for t in range(1, task.length + 1)
    ]
    assert source.references()["best"] == pytest.approx(np.mean(losses), abs=1e-12)


@pytest.mark.parametrize("name", ["s5:6,elements=2", "s5:5,every=2,elements=3", "s5:2,elements=40"])
def test_unigram_of_products_by_enumeration(name):
    source = open_source(name)
    task = source.task
    counts = np.zeros(120)
    for row in product(range(task.elements), repeat=task.length):
        answers = [solve(task, list(row[:t])) for t in range(1, task.length + 1)]
        np.add.at(counts, [answer for answer in answers if answer is not None], 1)
    chances = (counts / counts.sum()).tolist()
    references = source.references()
    assert references["unigram"] == pytest.approx(entropy(chances), abs=1e-12)
    assert references["uniform"] == pytest.approx(log(120))


@pytest.mark.parametrize("name", ["modular:5,modulus=6,every=2", "modular:4,modulus=4,every=2"])
def test_values_stay_equally_likely(name):
    source = open_source(name)
    _, y, mask = source.batch(0, 0, 60000)
    for t in mask.any(0).nonzero().flatten().tolist():
        counts = y[mask[:, t], t].bincount(minlength=source.task.modulus).double()
        expected = counts.sum() / source.task.modulus
        assert ((counts - expected).abs() / expected.sqrt()).max() < 5


@pytest.mark.parametrize("name", CERTAIN)
def test_nothing_is_left_to_chance_where_outputs_are_certain(name):
    references = open_source(name).references()
    assert references["best"] == 0.0
    assert references["unigram"] <= references["uniform"] + 1e-12


def test_alphabets():
    def kinds(name):
        signature = open_source(name).signature
        return signature.inputs, signature.outputs

    assert kinds("copy:8,symbols=5") == (Tokens(5), Tokens(5))
    assert kinds("retrieval:9") == (Tokens(17), Tokens(8))
    assert kinds("key_values:48") == (Tokens(33), Tokens(16))
    assert kinds("stack:8") == (Tokens(9), Tokens(8))
    assert kinds("modular:8") == (Tokens(9), Tokens(5))
    assert kinds("s5:8,elements=7") == (Tokens(7), Tokens(120))


@pytest.mark.parametrize(
    "name",
    [
        "copy:64", "reversed_copy:64", "retrieval:32", "key_values:64", "stack:64", "modular:64",
        "parity:64", "s5:32", "recency:64", "primacy:64", "recall:32", "mqar:64", "regression:64",
        "cyclic:32", "a5:32", "even_pairs:65,shortest=64", "parity_check:65,shortest=64",
        "cycle_navigation:65,shortest=64", "modular_simple:64,shortest=63",
        "reverse_string:128,shortest=64", "stack_manipulation:129,shortest=64",
        "modular_brackets:65,shortest=64", "solve_equation:65,shortest=64",
    ],
)  # fmt: skip
def test_held_out_sequences_never_occur_in_training(name):
    source = open_source(name)
    rows = {tuple(r) for i in range(20) for r in source.batch(0, i, 64).x.tolist()}
    held = [
        tuple(r) for s in ("valid", "test") for r in next(source.held_out(s, 99, 99)).x.tolist()
    ]
    assert len(set(held)) == len(held) == 198
    assert rows.isdisjoint(held)


@pytest.mark.parametrize("family", TASKS)
def test_default_axes_and_canonical_names(family):
    task = TASKS.load(family)
    length = task.length
    source = open_source(family)
    assert source.signature.length == length
    assert source.name == f"{family}:{length}" == open_source(f"{family}:{length}").name
    for one in axes(task):
        same = open_source(f"{family},{one.name}={one.default}")
        assert same.name == source.name
        value = one.default // 2 if one.default > 2 else one.default + 1
        other = open_source(f"{family}:{length}, {one.name} = {value}")
        assert other.name == f"{family}:{length},{one.name}={value}"
        assert other.describe()["axes"] == source.describe()["axes"] | {one.name: value}
        pairs = zip(other.batch(0, 0, 99), source.batch(0, 0, 99), strict=True)
        assert not all(torch.equal(*pair) for pair in pairs)


def test_axes_in_any_order():
    one = open_source("key_values:40,pairs=4,symbols=6")
    assert one.name == open_source("key_values,symbols=6,pairs=4", 40).name
    assert one.name == "key_values:40,pairs=4,symbols=6"


@pytest.mark.parametrize(
    "name",
    [
        "copy:7", "copy:2", "retrieval:3", "copy:0", "reversed_copy:9", "key_values:23", "stack:1",
        "modular:1", "parity:1", "s5:1", "recency:1", "primacy:0", "copy:65538", "recall:7",
        "mqar:33", "mqar:14", "regression:1", "even_pairs:1",
    ],
)  # fmt: skip
def test_impossible_lengths(name):
    task, length = name.split(":")
    with pytest.raises(UsageError, match=f"{task} task was given length {length}; give"):
        open_source(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("key_values:128,pair=8", "key_values task has no axis 'pair'; did you mean 'pairs'"),
        ("parity:32,symbols=3", "parity task has no axis 'symbols'; choose one of every"),
        ("copy:32,", "has no axis ''; choose one of symbols"),
        ("copy:32,symbols", r"given symbols ''; give a whole number, as in 'symbols=8'"),
        ("copy:32,symbols=-2", "given symbols '-2'; give a whole number"),
        ("copy:32,symbols=1.5", "given symbols '1.5'; give a whole number"),
        ("copy:32,symbols=" + "9" * 5000, "give a whole number"),
        ("copy:" + "9" * 5000, "give one length, a number"),
        ("copy:32,symbols=1", "given symbols 1; give 2 to 4096, as in 'copy:32,symbols=8'"),
        ("copy:32,symbols=4,symbols=4", "given 'symbols' twice"),
        ("s5:8,elements=121", "elements 121; give 2 to 120"),
        ("key_values:128,pairs=17", "17 pairs of 16 keys; give pairs=P,symbols=S with P <= S"),
        ("parity:8,every=9", "every 9; give at most the length, 8"),
        ("modular:8,modulus=1", "modulus 1; give 2 to 1024"),
        ("recency:8,half=0", "half 0; give 1 to 64"),
        ("regression:8,modulus=21", "modulus 21; give a prime, as in 'regression:64'"),
        ("mqar:64,vocabulary=8", "4 pairs of 3 keys; give a larger vocabulary"),
        ("even_pairs:9,shortest=9", "words of 9 symbols, and a length of 9 holds 8; give a longer"),
        ("modular_simple:5,shortest=4", "words of 4 symbols, and a length of 5 holds 3"),
        ("solve_equation:9,shortest=2", "shortest 2; give 3 to"),
        ("copy:8,delimiter=2", "delimiter 2; give 0 to 1"),
    ],
)
def test_impossible_axes(name, said):
    with pytest.raises(UsageError, match=said):
        open_source(name)


def test_symbols_as_numbers():
    codec = open_source("retrieval").codec
    assert codec.decode([3, 16, 0]) == "3 16 0"
    assert codec.encode("3 16 0") == [3, 16, 0]
    assert codec.decode(torch.tensor([1, 2])) == "1 2"
    with pytest.raises(UsageError, match="'17' is no symbol; give numbers from 0 to 16"):
        codec.encode("1 17")
