"""L0. Synthetic tasks: the difficulty is in the name, the best possible loss is known.

Imports no torch; nor do the tasks themselves, which are NumPy (`source.py` makes tensors of them).
"""

from pastforward.registry import Entry, Registry


def _task(target: str, summary: str) -> Entry:
    return Entry(f"pastforward.data.tasks.{target}", summary=summary)


TASKS: Registry[Entry] = Registry("task", {
    "copy": _task("copy:Copy", "the second half repeats the first"),
    "reversed_copy": _task("copy:ReversedCopy", "the second half is the first, backwards"),
    "retrieval": _task("recall:Retrieval", "one symbol is marked, and asked for at the end"),
    "key_values": _task("recall:KeyValues", "pairs are shown, then each key's value is asked"),
    "stack": _task("stack:Stack", "symbols are pushed; the output of a pop is what it removes"),
    "modular": _task("tracking:Modular", "a running expression modulo p, its value asked at times"),
    "parity": _task("tracking:Parity", "bits; whether there was an odd number of ones so far"),
    "s5": _task("tracking:S5", "permutations of five items; their product so far"),
    "recency": _task("recency:Recency", "the output is drawn from the inputs so far, mostly late"),
    "primacy": _task("recency:Primacy", "the output is drawn from the inputs so far, mostly early"),
})  # fmt: skip
"""Tasks, by the name of their family."""
