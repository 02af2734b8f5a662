"""Every task again in plain Python: the output and the true state after a prefix."""

from itertools import permutations
from math import log


def solve(task, prefix: list[int]) -> int | None:
    """y_t from x_1..x_t of a task whose outputs are certain; None where nothing is asked."""
    return SOLVERS[task.family](task, prefix)


def copied(task, prefix):
    half, t = task.length // 2, len(prefix)
    return prefix[t - half] if half <= t < task.length else None


def copied_backwards(task, prefix):
    t = len(prefix)
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


def rearranged(task, prefix) -> int:
    """The number of the permutation after one move after the other."""
    everything = sorted(permutations(range(5)))
    moves = [(1, 0, 2, 3, 4), (1, 2, 3, 4, 0)]
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
    "s5": lambda task, prefix: now_and_then(task, prefix, rearranged(task, prefix)),
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
    "copy": lambda task, prefix: copy_states(task, prefix, lambda j: task.length // 2 + j - 1),
    "reversed_copy": lambda task, prefix: copy_states(task, prefix, lambda j: task.length - j),
    "retrieval": marked,
    "key_values": pair_states,
    "stack": stack_states,
    "modular": modular_states,
    "parity": lambda task, prefix: {"parity": sum(prefix) % 2},
    "s5": lambda task, prefix: {"product": rearranged(task, prefix)},
    "recency": likeliest,
    "primacy": likeliest,
}
