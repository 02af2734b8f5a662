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
    "recall": _task("recall:Recall", "pairs are shown; one key's latest value is asked"),
    "mqar": _task("mqar:MQAR", "multi-query associative recall as published"),
    "regression": _task("regression:Regression", "pairs x, w x + b modulo p; w and b are inferred"),
    "stack": _task("stack:Stack", "symbols are pushed; the output of a pop is what it removes"),
    "modular": _task("tracking:Modular", "a running expression modulo p, its value asked at times"),
    "parity": _task("tracking:Parity", "bits; whether there was an odd number of ones so far"),
    "cyclic": _task("tracking:Cyclic", "numbers; their sum modulo n so far"),
    "a5": _task("permutations:A5", "even permutations of five items; their product so far"),
    "s5": _task("permutations:S5", "permutations of five items; their product so far"),
    "even_pairs": _task("words:EvenPairs", "words of 0 and 1; is the number of 01 and 10 odd?"),
    "parity_check": _task("words:ParityCheck", "words of 0 and 1; is the number of ones odd?"),
    "cycle_navigation": _task("words:CycleNavigation", "steps on a circle; where they end"),
    "modular_simple": _task("words:ModularSimple", "sums of products modulo p; their value"),
    "reverse_string": _task("context_free:ReverseString", "words of any length, then backwards"),
    "stack_manipulation": _task("context_free:StackManipulation", "pushes and pops; what is left"),
    "modular_brackets": _task("context_free:ModularBrackets", "expressions in brackets modulo p"),
    "solve_equation": _task("context_free:SolveEquation", "an equation modulo p; its unknown"),
    "recency": _task("recency:Recency", "the output is drawn from the inputs so far, mostly late"),
    "primacy": _task("recency:Primacy", "the output is drawn from the inputs so far, mostly early"),
})  # fmt: skip
"""Tasks, by the name of their family."""
