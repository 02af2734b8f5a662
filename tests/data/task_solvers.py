"""Every task again in plain Python: the output and the true state after a prefix."""

from itertools import pairwise, permutations
from math import log


def solve(task, prefix: list[int]) -> int | None:
    """y_t from x_1..x_t of a task whose outputs are certain; None where nothing is asked."""
    return SOLVERS[task.family](task, prefix)


def copied(task, prefix):
    half, t = task.length // 2, len(prefix) - task.delimiter
    return prefix[t - half] if half <= t < task.length else None


def copied_backwards(task, prefix):
    t = len(prefix) - task.delimiter
    return prefix[task.length - 1 - t] if task.length // 2 <= t < task.length else None


def retrieved(task, prefix):
    v = task.symbols
    if prefix[-1] != 2 * v:
        return None
    (found,) = [word - v for word in prefix if v <= word < 2 * v]
    return found


def looked_up(task, prefix):
    shown, s = prefix[: 2 * task.pairs], task.symbols
    if len(prefix) <= len(shown) or prefix[-1] == 2 * s:
        return None
    table = {key: value - s for key, value in zip(shown[::2], shown[1::2], strict=True)}
    return table[prefix[-1]]


def recalled(task, prefix):
    if len(prefix) < task.length:
        return None
    *shown, mark, key = prefix
    assert mark == 2 * task.symbols
    return shown_so_far(task, shown)[key]


def shown_so_far(task, prefix) -> dict[int, int]:
    return {prefix[i - 1]: prefix[i] - task.symbols for i in range(1, len(prefix), 2)}


def asked_again(task, prefix):
    """Of sequences with blanks."""
    assert task.blank
    shown = prefix[: 2 * task.pairs]
    if len(prefix) <= len(shown) or prefix[-1] == 0:
        return None
    return dict(zip(shown[::2], shown[1::2], strict=True))[prefix[-1]]


def consistent(task, prefix) -> list[tuple[int, int]]:
    """w and b below p / 5 that give all outputs shown."""
    p = task.modulus
    shown = list(zip(prefix[::2], prefix[1::2], strict=False))
    few = [n for n in range(p) if n < p / 5]
    return [(w, b) for w in few for b in few if all((w * x + b) % p == y for x, y in shown)]


def word_of(task, prefix) -> tuple[list[int], int]:
    """The word, and which blank after it the prefix ends with, counted from 1; 0 for none."""
    blank = task.sizes()[0] - 1
    word = [symbol for symbol in prefix if symbol != blank]
    assert prefix[: len(word)] == word
    return word, len(prefix) - len(word)


def said_once(answer):
    def solver(task, prefix):
        word, blanks = word_of(task, prefix)
        return answer(task, word) if blanks == 1 else None

    return solver


def unlike(task, word) -> int:
    return sum(a != b for a, b in pairwise(word)) % 2


def steps_on_a_circle(task, word) -> int:
    return sum({0: -1, 1: 0, 2: 1}[symbol] for symbol in word) % task.places


def spelled(task, word) -> str:
    """An expression as Python spells it."""
    signs = "+-*()u="
    return " ".join(str(w) if w < task.modulus else signs[w - task.modulus] for w in word)


def valued(task, word) -> int:
    text = spelled(task, word).rstrip(" +-*")  # an operator that waits says nothing yet
    return eval(text) % task.modulus


def solved(task, word) -> int:
    left, right = spelled(task, word).split("=")
    p = task.modulus
    (found,) = [u for u in range(p) if eval(left, {"u": u}) % p == int(right)]
    return found


def backwards(task, prefix):
    word, blanks = word_of(task, prefix)
    return word[-blanks] if 0 < blanks <= len(word) else None


def manipulated(word) -> list[int]:
    stack = []
    for symbol in word:
        if symbol in (0, 1, 3, 4):
            stack.append({0: 0, 1: 1, 3: 0, 4: 1}[symbol])
        elif stack:
            stack.pop()
    return stack


def what_is_left(task, prefix):
    word, blanks = word_of(task, prefix)
    said = [*reversed(manipulated(word)), 2]
    return said[blanks - 1] if 0 < blanks <= len(said) else None


def stacked(task, prefix) -> tuple[list[int], int | None]:
    stack, popped = [], None
    for word in prefix:
        popped = None
        if word < task.symbols:
            stack.append(word)
            assert len(stack) <= task.depth
        elif stack:
            popped = stack.pop()
    return stack, popped


def calculated(task, prefix) -> tuple[int, str]:
    """The value, reduced at the end alone, and the operator that waits for its number."""
    words = [str(w) if w < task.modulus else "+-*="[w - task.modulus] for w in prefix]
    value, waiting = int(words[0]), ""
    for word in words[1:]:
        if word == "=":
            assert not waiting
        elif waiting:
            value = {"+": value + int(word), "-": value - int(word), "*": value * int(word)}[
                waiting
            ]
            waiting = ""
        else:
            waiting = word
    return value % task.modulus, waiting


def asked(task, prefix):
    return calculated(task, prefix)[0] if prefix[-1] == task.modulus + 3 else None


def even(p) -> bool:
    swaps, items = 0, list(p)
    for i in range(len(items)):
        while items[i] != i:
            j = items[i]
            items[i], items[j] = items[j], items[i]
            swaps += 1
    return swaps % 2 == 0


def rearranged(task, prefix) -> int:
    """The number of the permutation after one move after the other."""
    everything = sorted(permutations(range(5)))
    moves = [(1, 0, 2, 3, 4), (1, 2, 3, 4, 0)]
    if task.family == "a5":
        everything = [p for p in everything if even(p)]
        moves[0] = (1, 2, 0, 3, 4)
    moves += [p for p in everything if p not in moves]
    places = list(range(5))
    for word in prefix:
        places = [moves[word][place] for place in places]
    return everything.index(tuple(places))


def now_and_then(task, prefix, state):
    return state if len(prefix) % task.every == 0 else None


SOLVERS = {
    "copy": copied,
    "reversed_copy": copied_backwards,
    "retrieval": retrieved,
    "key_values": looked_up,
    "stack": lambda task, prefix: stacked(task, prefix)[1],
    "modular": asked,
    "parity": lambda task, prefix: now_and_then(task, prefix, sum(prefix) % 2),
    "cyclic": lambda task, prefix: now_and_then(task, prefix, sum(prefix) % task.order),
    "s5": lambda task, prefix: now_and_then(task, prefix, rearranged(task, prefix)),
    "a5": lambda task, prefix: now_and_then(task, prefix, rearranged(task, prefix)),
    "recall": recalled,
    "mqar": asked_again,
    "even_pairs": said_once(unlike),
    "parity_check": said_once(lambda task, word: sum(word) % 2),
    "cycle_navigation": said_once(steps_on_a_circle),
    "modular_simple": said_once(valued),
    "modular_brackets": said_once(valued),
    "solve_equation": said_once(solved),
    "reverse_string": backwards,
    "stack_manipulation": what_is_left,
}
"""Of the tasks whose outputs are certain."""


def distribution(task, prefix: list[int]) -> list[float]:
    """p(y_t | x_1..x_t) of a task whose outputs are drawn."""
    order = prefix[::-1] if task.family == "recency" else prefix
    scores = [0] * task.symbols
    for rank, word in enumerate(order):
        scores[word] += round(1024 * 2 ** (-rank / task.half))
    return [score / sum(scores) for score in scores]


def entropy(chances: list[float]) -> float:
    return -sum(p * log(p) for p in chances if p)


def kept(task, prefix: list[int], place: int, said: int) -> int:
    """s_place from when it is read until it is repeated, both counted from 1; V otherwise."""
    return prefix[place - 1] if place <= len(prefix) <= said else task.symbols


def copy_states(task, prefix, said) -> dict[str, int]:
    half = task.length // 2
    due = SOLVERS[task.family](task, prefix)
    places = {"first": 1, "middle": half // 2 + 1, "last": half}
    found = {name: kept(task, prefix, place, said(place)) for name, place in places.items()}
    return found | {"due": task.symbols if due is None else due}


def recall_states(task, prefix) -> dict[str, int]:
    s = task.symbols
    shown = prefix[: task.length - 2]
    found = shown_so_far(task, shown)
    last = shown[len(shown) // 2 * 2 - 1] - s if len(shown) > 1 else s
    return {"key0": found.get(0, s), "last": last}


def mqar_states(task, prefix) -> dict[str, int]:
    values = prefix[1 : 2 * task.pairs : 2]
    return {"first": values[0], "last": values[-1]} if values else {"first": 0, "last": 0}


def regression_states(task, prefix) -> dict[str, int]:
    found = {w for w, _ in consistent(task, prefix)}
    few = sum(n < task.modulus / 5 for n in range(task.modulus))
    told = len(set(prefix[: len(prefix) // 2 * 2 : 2])) > 1
    return {"weight": found.pop() if told else few}


def due(task, prefix) -> dict[str, int]:
    word, blanks = word_of(task, prefix)
    left = word[: max(0, len(word) - blanks)]
    return {"due": left[-1] if left else task.symbols}


def height(task, prefix) -> dict[str, int]:
    word, blanks = word_of(task, prefix)
    return {"height": max(0, len(manipulated(word)) - blanks)}


def depth(task, prefix) -> dict[str, int]:
    p = task.modulus
    return {"depth": prefix.count(p + 3) - prefix.count(p + 4)}


def value_of(answer):
    return lambda task, prefix: {"value": answer(task, word_of(task, prefix)[0])}


def pair_states(task, prefix) -> dict[str, int]:
    shown, s = prefix[: 2 * task.pairs], task.symbols
    pairs = [(shown[i - 1], shown[i] - s) for i in range(1, len(shown), 2)]
    if not pairs:
        return {"first": s, "last": s, "key0": s}
    return {"first": pairs[0][1], "last": pairs[-1][1], "key0": dict(pairs).get(0, s)}


def stack_states(task, prefix) -> dict[str, int]:
    stack, _ = stacked(task, prefix)
    return {"top": stack[-1] if stack else task.symbols, "height": len(stack)}


def modular_states(task, prefix) -> dict[str, int]:
    value, waiting = calculated(task, prefix)
    return {"value": value, "pending": ["", "+", "-", "*"].index(waiting)}


def marked(task, prefix) -> dict[str, int]:
    v = task.symbols
    return {"marked": next((word - v for word in prefix if v <= word < 2 * v), v)}


def likeliest(task, prefix) -> dict[str, int]:
    chances = distribution(task, prefix)
    return {"likeliest": chances.index(max(chances))}


STATES = {
    "copy": lambda task, prefix: copy_states(
        task, prefix, lambda j: task.length // 2 + j - 1 + task.delimiter
    ),
    "reversed_copy": lambda task, prefix: copy_states(
        task, prefix, lambda j: task.length - j + task.delimiter
    ),
    "retrieval": marked,
    "key_values": pair_states,
    "stack": stack_states,
    "modular": modular_states,
    "parity": lambda task, prefix: {"parity": sum(prefix) % 2},
    "cyclic": lambda task, prefix: {"sum": sum(prefix) % task.order},
    "s5": lambda task, prefix: {"product": rearranged(task, prefix)},
    "a5": lambda task, prefix: {"product": rearranged(task, prefix)},
    "recall": recall_states,
    "mqar": mqar_states,
    "regression": regression_states,
    "even_pairs": value_of(unlike),
    "parity_check": value_of(lambda task, word: sum(word) % 2),
    "cycle_navigation": value_of(steps_on_a_circle),
    "modular_simple": value_of(valued),
    "modular_brackets": depth,
    "solve_equation": depth,
    "reverse_string": due,
    "stack_manipulation": height,
    "recency": likeliest,
    "primacy": likeliest,
}
