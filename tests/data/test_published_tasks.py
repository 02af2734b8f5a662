"""Tasks that others published: what their protocols say of the sequences, counted on draws."""

from itertools import product
from math import log

import numpy as np
import pytest
from task_solvers import consistent, entropy, even

from pastforward.data.opening import open_source

LENGTHS = (32, 64, 128, 256, 512)


def drawn(name: str, count: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(part.numpy() for part in open_source(name).batch(0, 0, count))


# The five tasks of arXiv 2606.06479.


@pytest.mark.parametrize("length", LENGTHS)
def test_the_needle_lies_anywhere_in_the_first_half(length):
    x, y, mask = drawn(f"retrieval:{length},within=50", 40 * length)
    rows, place = np.nonzero((x >= 8) & (x < 16))
    assert np.array_equal(rows, np.arange(len(x)))
    assert set(place) == set(range(length // 2))
    assert np.array_equal(y[:, -1], x[rows, place] - 8)
    assert mask.sum(0).tolist() == [0] * (length - 1) + [len(x)]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_string_is_repeated_backwards_after_a_delimiter(length):
    x, y, mask = drawn(f"reversed_copy:{length},delimiter=1")
    for row, said, counts in zip(x.tolist(), y.tolist(), mask.tolist(), strict=True):
        string = row[: length // 2]
        assert max(string) < 8
        assert row[length // 2] == 8
        assert said[length // 2 :] == string[::-1]
        assert row[length // 2 + 1 :] == string[::-1][:-1]
        assert counts == [False] * (length // 2) + [True] * (length // 2)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_stack_of_four_symbols_holds_ten(length):
    x, y, mask = drawn(f"stack:{length},depth=10,symbols=4", 200)
    heights = []
    for row, said, counts in zip(x.tolist(), y.tolist(), mask.tolist(), strict=True):
        stack: list[int] = []
        for word, answer, keep in zip(row, said, counts, strict=True):
            assert keep == (word == 4 and bool(stack))
            if word < 4:
                stack.append(word)
            elif stack:
                assert stack.pop() == answer
            heights.append(len(stack))
    assert max(heights) == 10


@pytest.mark.parametrize("length", LENGTHS)
def test_recall_has_one_query_and_keys_that_repeat(length):
    x, y, mask = drawn(f"recall:{length}", 200)
    assert mask.sum(0).tolist() == [0] * (length - 1) + [200]
    repeated = 0
    for row, said in zip(x.tolist(), y.tolist(), strict=True):
        keys, values = row[:-2:2], row[1:-2:2]
        assert max(keys) < 16 <= min(values)
        repeated += keys.count(row[-1]) > 1
        latest = max(i for i, key in enumerate(keys) if key == row[-1])
        assert said[-1] == values[latest] - 16
    assert repeated > 100


@pytest.mark.parametrize("modulus", [7, 23])
def test_regression_shows_pairs_of_small_weights(modulus):
    x, y, mask = drawn(f"regression:40,modulus={modulus}", 300)
    task = open_source(f"regression:40,modulus={modulus}").task
    found = [consistent(task, row) for row in x.tolist()]
    assert all(len(pairs) == 1 for pairs in found)
    few = [n for n in range(modulus) if n < modulus / 5]
    assert {pairs[0] for pairs in found} == set(product(few, few))
    assert np.array_equal(mask, np.arange(40) % 2 == np.zeros((300, 1)))
    assert np.array_equal(y[:, ::2], x[:, 1::2])


@pytest.mark.parametrize("name", ["regression:2,modulus=7", "regression:5,modulus=7"])
def test_the_best_loss_of_regression_by_enumeration(name):
    source = open_source(name)
    p, count = source.task.modulus, (source.task.length + 1) // 2
    few, losses, outputs = [n for n in range(p) if n < p / 5], [], np.zeros(p)
    for (w, b), read in product(product(few, few), product(range(p), repeat=count)):
        prefix: list[int] = []
        for x in read:
            pairs = consistent(source.task, prefix)
            said = np.bincount([(u * x + v) % p for u, v in pairs], minlength=p) / len(pairs)
            losses.append(-log(said[(w * x + b) % p]))
            outputs[(w * x + b) % p] += 1
            prefix += [x, (w * x + b) % p]
    references = source.references()
    assert references["best"] == pytest.approx(np.mean(losses), abs=1e-12)
    unigram = entropy((outputs / outputs.sum()).tolist())
    assert references["unigram"] == pytest.approx(unigram, abs=1e-12)


# Multi-query associative recall, arXiv 2312.04927.


@pytest.mark.parametrize(("length", "pairs"), [(64, 4), (128, 8), (256, 16)])
def test_mqar_shows_pairs_and_asks_each_key_once(length, pairs):
    x, y, mask = drawn(f"mqar:{length},pairs={pairs},vocabulary=512")
    shown = 2 * pairs
    assert not mask[:, :shown].any()
    assert (mask.sum(1) == pairs).all()
    for row, said, counts in zip(x, y, mask, strict=True):
        keys, values = row[:shown:2].tolist(), row[1:shown:2].tolist()
        assert len(set(keys)) == len(set(values)) == pairs
        assert min(keys) > 0
        assert max(keys) < 256 <= min(values)
        (asked,) = np.nonzero(counts)
        assert ((asked - shown) % 2 == 0).all()
        assert sorted(row[asked]) == sorted(keys)
        table = dict(zip(keys, values, strict=True))
        assert [table[key] for key in row[asked]] == said[asked].tolist()


def test_mqar_has_random_symbols_in_between():
    x, _, mask = drawn("mqar:64,vocabulary=32", 2000)
    between = x[:, 8:][~mask[:, 8:]]
    counts = np.bincount(between, minlength=32)
    expected = len(between) / 32
    assert (np.abs(counts - expected) < 5 * expected**0.5).all()
    x, _, mask = drawn("mqar:64,vocabulary=32,blank=1")
    assert not x[:, 8:][~mask[:, 8:]].any()


@pytest.mark.parametrize("power", [1, 60, 100])
def test_gaps_of_mqar_follow_a_power_law(power):
    """Of the first pair, whose place is drawn before the others are taken."""
    x, _, mask = drawn(f"mqar:40,pairs=4,blank=1,power={power}", 20000)
    asked = (x[:, 8:] == x[:, :1]) & mask[:, 8:]
    counts = asked.sum(0)[::2]
    weights = np.arange(1, 17) ** (power / 100 - 1)
    expected = 20000 * weights / weights.sum()
    assert (np.abs(counts - expected) < 5 * expected**0.5).all()


# Formal languages, arXiv 2207.02098; examples from the descriptions of its tasks.

REGULAR = ("even_pairs", "parity_check", "cycle_navigation", "modular_simple", "modular_brackets")


@pytest.mark.parametrize(
    ("family", "word", "answer"),
    [
        ("even_pairs", [0, 0, 1, 1, 1, 0], 0),
        ("even_pairs", [0, 1, 0, 1, 0, 0, 1], 1),
        ("parity_check", [1, 0, 1, 1], 1),
        ("cycle_navigation", [2, 0, 1, 0, 0], 3),
        ("cycle_navigation", [2, 2, 2, 0], 2),
        ("modular_simple", [1, 5, 2, 7, 3], 2),
        ("modular_simple", [1, 6, 1, 6, 1], 4),
        ("modular_simple", [0, 7, 1, 5, 4, 7, 3, 6, 2], 0),
    ],
)
def test_examples_of_words(family, word, answer):
    task = open_source(f"{family}:12,shortest=1").task
    words = np.full((1, 11), task.blank)
    words[0, : len(word)] = word
    _, y, mask = task.build((np.array([len(word)]), words))
    assert y[mask].tolist() == [answer]
    assert mask[0].nonzero()[0].tolist() == [len(word)]


@pytest.mark.parametrize(
    ("word", "said"),
    [([0, 1, 1, 0, 4, 2, 2], [1, 1, 0, 2]), ([1, 1, 0, 2, 2, 2], [2]), ([1, 2, 2, 3], [0, 2])],
)
def test_examples_of_stacks(word, said):
    task = open_source("stack_manipulation:17").task
    words = np.full((1, 8), 5)
    words[0, : len(word)] = word
    _, y, mask = task.build((np.array([len(word)]), words))
    assert y[mask].tolist() == said


@pytest.mark.parametrize("family", [*REGULAR, "reverse_string", "stack_manipulation"])
def test_all_lengths_of_words_are_equally_likely(family):
    steps = {"reverse_string": 24, "stack_manipulation": 25}.get(family, 13)
    source = open_source(f"{family}:{steps}")
    assert source.task.longest == 12
    x = source.batch(0, 0, 2000).x.numpy()
    counts = np.bincount((x != source.task.blank).sum(1), minlength=13)
    if family == "modular_simple":  # of odd lengths
        assert not counts[::2].any()
        assert (np.abs(counts[[3, 5, 7, 9, 11]] - 400) < 100).all()
    else:
        assert not counts[:3].any()
        assert (np.abs(counts[3:] - 200) < 75).all()


def test_expressions_in_brackets_are_well_formed():
    source = open_source("modular_brackets:60,shortest=1")
    spelled = {int(n): str(n) for n in range(5)} | dict(zip(range(5, 10), "+-*()", strict=True))
    for row in source.batch(0, 0, 300).x.tolist():
        word = "".join(spelled[symbol] for symbol in row if symbol < 10)
        assert matches(word)


def matches(word: str) -> bool:
    """By the grammar E = d | -d | (d) | (-d) | (E o E), reduced from within."""
    text = "".join("d" if c in "01234" else "o" if c in "+*" else c for c in word)
    if text in ("d", "-d", "(d)", "(-d)"):
        return True
    before = ""
    while text != before:
        before = text
        for part in ("(-d)", "(d)"):
            text = text.replace(part, "E", 1) if part in text else text
        for left, sign, right in product(("-d", "d", "E"), "o-", ("-d", "d", "E")):
            text = text.replace(f"({left}{sign}{right})", "E", 1)
    return text == "E"


def test_equations_have_one_unknown():
    source = open_source("solve_equation:40,shortest=3")
    for row in source.batch(0, 0, 300).x.tolist():
        word = [symbol for symbol in row if symbol != source.task.blank]
        assert word.count(10) == 1
        assert word[-2] == 11
        assert word[-1] < 5


def test_the_groups():
    a5, s5 = (open_source(name).task for name in ("a5", "s5"))
    assert (a5.order, s5.order) == (60, 120)
    assert all(even(p) for p in a5.generators())
    assert [even(p) for p in s5.generators()] == [False, True]
    for task in (a5, s5):  # two inputs reach all products
        reached, last = {0}, set()
        while reached != last:
            last = set(reached)
            reached |= {int(task._moves()[i, n]) for n in last for i in (0, 1)}
        assert len(reached) == task.order
