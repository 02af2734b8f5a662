"""L1. Synthetic tasks: the difficulty is in the name, the best possible loss is known.

Imports no torch; nor do the tasks themselves, which are NumPy (`source.py` makes tensors of them).
"""

from pastforward.registry import Entry, Registry

_HERE = "pastforward.data.tasks"

TASKS: Registry[Entry] = Registry("task", {
    "copy": Entry(f"{_HERE}.copy:Copy", summary="the second half repeats the first"),
    "reversed_copy": Entry(
        f"{_HERE}.copy:ReversedCopy", summary="the second half is the first, backwards"
    ),
    "retrieval": Entry(
        f"{_HERE}.retrieval:Retrieval", summary="one symbol is marked, and asked for at the end"
    ),
    "key_values": Entry(
        f"{_HERE}.key_values:KeyValues",
        summary="key-value pairs are shown, then each key's value is asked",
    ),
    "stack": Entry(
        f"{_HERE}.stack:Stack", summary="symbols are pushed; the output of a pop is what it removes"
    ),
    "modular": Entry(
        f"{_HERE}.modular:Modular",
        summary="a running expression modulo a number, its value asked now and then",
    ),
    "parity": Entry(
        f"{_HERE}.parity:Parity", summary="bits; whether there was an odd number of ones so far"
    ),
    "s5": Entry(f"{_HERE}.s5:S5", summary="permutations of five items; their product so far"),
    "recency": Entry(
        f"{_HERE}.recency:Recency",
        summary="the output is drawn from the inputs so far, late ones likelier",
    ),
    "primacy": Entry(
        f"{_HERE}.recency:Primacy",
        summary="the output is drawn from the inputs so far, early ones likelier",
    ),
})  # fmt: skip
"""Tasks, by the name of their family."""
