"""What `python -m benchmarks.studies` compares, by name, as `pastforward compare` is told it."""

import os
from pathlib import Path

DATA = Path(os.environ.get("PASTFORWARD_DATA", "PASTFORWARD_DATA"))
SHAKESPEARE, STORIES, MNIST = DATA / "tinyshakespeare.txt", DATA / "tinystories", DATA / "mnist"
FEW = "--search --factors 1 3"
LONG = "copy:64 copy:128 modular:128 modular:512 s5:512,elements=2"
PAPER = (
    "retrieval:{T},within=50 reversed_copy:{T},delimiter=1 stack:{T},depth=10,symbols=4 "
    "recall:{T} regression:{T}"
)
"""The five tasks of arXiv 2606.06479."""
SHORT = "parity:32 s5:32,elements=2 retrieval:128"
"""Tasks run on a seed that no recipe was tuned on: those in question, and others to analyse."""

COMPARISONS = {
    "lengths-bptt": "retrieval stack modular parity s5,elements=2 --lengths 32 128 512 "
    f"--cells mlp --methods bptt --seconds 120 {FEW}",
    "lengths-copy": f"copy --lengths 32 64 128 --cells mlp --methods bptt --seconds 120 {FEW}",
    "lengths-copy-smt": "copy --lengths 32 64 128 --cells mlp --methods smt+dmt --seconds 120",
    "copy-longer": "copy:128 --cells mlp --methods smt+dmt --seeds 1 2 --seconds 300",
    "copy-longer-bptt": f"copy:128 --cells mlp --methods bptt --seeds 1 2 --seconds 300 {FEW}",
    "copy-baselines": "copy:128 --networks s4d mingru --methods parallel --seconds 120",
    "lengths-smt": "stack --lengths 32 128 512 --cells mlp --methods smt+dmt --seconds 120",
    "lengths-tracking-smt": "modular s5,elements=2 parity --lengths 512 128 32 --cells mlp "
    "--methods smt+dmt --seconds 120",
    "tracking-fresh": "s5,elements=2 modular --lengths 512 --cells mlp --methods smt+dmt "
    "--seeds 1 2 --seconds 120",
    "lengths-retrieval-smt": "retrieval --lengths 32 128 512 --cells mlp --methods smt+dmt "
    "--seconds 120",
    "retrieval": "retrieval --lengths 512 --cells mlp --methods smt+dmt bptt --seeds 0 1 2 "
    "--seconds 300",
    "retrieval-batch": "retrieval:512 --cells mlp --methods bptt --fit.batch 32 --seeds 0 1 "
    "--seconds 240",
    "retrieval-fresh": "retrieval:512 --cells mlp --methods smt+dmt --seeds 3 4 --seconds 120",
    "retrieval-1024": "retrieval:1024 --cells mlp --methods smt+dmt bptt --seeds 1 --seconds 300",
    "prefix": "s5,elements=2 modular --lengths 512 --cells mlp --methods bptt --fit.prefix 32 "
    "--fit.batch 32 --seconds 120",
    "prefix-128": "modular:128 --cells mlp --methods bptt --fit.prefix 32 --fit.batch 32 "
    "--seconds 120",
    "curriculum": "copy:128 --cells mlp --methods bptt-curriculum --seeds 1 2 --seconds 300 "
    "--search --factors 1 3",
    "curriculum-key_values": "key_values:64 --cells mlp --methods bptt-curriculum --seeds 1 2 "
    "--seconds 300",
    "curriculum-retrieval": "retrieval:512 --cells mlp --methods bptt-curriculum --seconds 150",
    "curriculum-stack": "stack:128 --cells mlp --methods bptt-curriculum --seconds 120",
    "curriculum-key_values-128": "key_values:128 --cells mlp --methods bptt-curriculum "
    "--seconds 300",
    "curriculum-elman": "copy:128 --cells elman --methods bptt-curriculum --seconds 120",
    "long-copy-128": "copy:128 --cells elman --methods smt+dmt bptt-curriculum --seeds 1 2 3 "
    "--seconds 120 --search --factors 1 3",
    "long-copy-256": "copy:256 --cells elman --methods smt+dmt --seeds 1 2 3 --seconds 300",
    "long-copy-512": "copy:512 --cells elman --methods smt+dmt --seeds 1 2 3 --seconds 1200",
    "curriculum-copy-256": "copy:256 --cells torch-gru --methods bptt-curriculum --seeds 1 2 3 "
    "--seconds 300 --search --factors 1 3",
    "curriculum-copy-512": "copy:512 --cells torch-gru --methods bptt-curriculum --seeds 1 2 3 "
    "--seconds 1200 --search --factors 3 --share 0.02",  # the better rate of 1 and 3 at T = 256
    "cells": "retrieval:512 --cells elman gru lstm transformer "
    "--methods smt+dmt bptt --seconds 120",
    "cells-bptt": "retrieval stack modular parity s5,elements=2 --lengths 128 512 "
    f"--cells gru elman --methods bptt --seconds 120 {FEW}",
    "transformer-bptt": "retrieval stack modular parity s5,elements=2 --lengths 32 128 512 "
    f"--cells transformer --methods bptt --seconds 120 {FEW}",
    "cells-32-bptt": "retrieval stack modular parity s5,elements=2 --lengths 32 "
    f"--cells gru elman --methods bptt --seconds 120 {FEW}",
    "cells-smt": "stack --lengths 128 --cells gru elman --methods smt+dmt --seconds 120",
    "cells-tracking-smt": "s5,elements=2 modular parity --lengths 128 --cells gru elman "
    "transformer --methods smt+dmt --seconds 120",
    "cells-tracking-512-smt": "s5,elements=2 modular --lengths 512 --cells elman gru "
    "--methods smt+dmt --seconds 120",
    "cells-rest-smt": "retrieval --lengths 128 512 --cells gru elman --methods smt+dmt "
    "--seconds 120",
    "cells-32-smt": "retrieval stack modular parity s5,elements=2 --lengths 32 "
    "--cells gru elman --methods smt+dmt --seconds 120",
    "cells-512-smt": "parity stack --lengths 512 --cells gru elman --methods smt+dmt --seconds 120",
    "cells-copy-bptt": "copy --lengths 32 64 128 --cells gru elman --methods bptt --seconds 120 "
    f"{FEW}",
    "cells-copy-smt": "copy --lengths 32 64 128 --cells gru elman --methods smt+dmt --seconds 120",
    "copy-512-bptt": "copy:512 --cells elman --methods bptt --seconds 120",
    "copy-512-smt": "copy:512 --cells elman --methods smt+dmt --seconds 120",
    "transformer-32-smt": "stack modular parity retrieval s5,elements=2 --lengths 32 "
    "--cells transformer --methods smt+dmt --seconds 120",
    "transformer-rest-smt": "retrieval:512 stack:128 retrieval:128 stack:512 parity:512 "
    "modular:512 s5:512,elements=2 --cells transformer --methods smt+dmt --seconds 120",
    "transformer-copy-bptt": "copy --lengths 32 128 --cells transformer --methods bptt "
    f"--seconds 120 {FEW}",
    "transformer-copy-smt": "copy --lengths 32 128 --cells transformer --methods smt+dmt "
    "--seconds 120",
    "scale-one": "copy:64 --cells elman gru lstm --methods smt+dmt --seconds 120 --cell.scale 1",
    "scale-lstm": "copy:64 --cells lstm --methods smt+dmt bptt --seconds 120",
    "fresh-bptt": f"{LONG} --cells mlp --methods bptt --seeds 3 --seconds 120 {FEW}",
    "fresh-short-bptt": f"{SHORT} --cells mlp --methods bptt --seeds 3 --seconds 120",
    "fresh-smt": f"{SHORT} {LONG} stack:128 --cells mlp --methods smt+dmt --seeds 3 --seconds 120",
    "fresh-longer-smt": "modular:512 --cells mlp --methods smt+dmt --seeds 3 --seconds 300",
    "key_values-32-bptt": "key_values:32 --cells mlp --methods bptt --seconds 300",
    "key_values-32-smt": "key_values:32 --cells mlp --methods smt+dmt --seconds 300",
    "key_values-128-bptt": f"key_values:128 --cells mlp --methods bptt --seconds 300 {FEW}",
    "key_values-128-smt": "key_values:128 --cells mlp --methods smt+dmt --seconds 300",
    "key_values-cells-bptt": f"key_values:64 --cells elman gru --methods bptt --seconds 120 {FEW}",
    "key_values-cells-smt": "key_values:64 --cells elman gru --methods smt+dmt --seconds 120",
    "key_values": "key_values:64 --cells mlp --methods smt+dmt --seeds 1 2 --seconds 300",
    "key_values-bptt": "key_values:64 --cells mlp --methods bptt --seeds 1 2 --seconds 300 "
    "--search",
    "paper": f"{PAPER.format(T=64)} --cells mlp --methods smt+dmt bptt bptt-curriculum "
    "--seconds 60",
    "paper-again": "regression:64 reversed_copy:64,delimiter=1 --cells mlp --methods smt+dmt "
    "--seconds 60",
    "mqar": "mqar:64 --cells mlp --methods smt+dmt bptt bptt-curriculum --seconds 120",
    "digits": "digits --cells mlp --networks s4d mingru attention "
    "--methods bptt smt+dmt smt+dmt+bptt distill --seeds 1 2 --seconds 95",
    "digits-bptt": f"digits --cells mlp --methods bptt --seeds 1 2 --seconds 95 {FEW}",
    "digits-again": "digits --cells mlp --methods smt+dmt bptt bptt-curriculum --seeds 1 2 3 "
    "--seconds 95 --search --factors 1 3",
    "text": f"{SHAKESPEARE} --cells mlp --methods bptt smt+dmt smt+dmt+bptt --seconds 120",
    "text-tokens": f"{SHAKESPEARE} --cells mlp --methods bptt smt+dmt smt+dmt+bptt "
    "--tokens 2000000",
    "stories": f"{STORIES} --cells mlp --methods bptt smt+dmt smt+dmt+bptt --seconds 120",
    "mnist": f"{MNIST} --data.length 784 --cells mlp --methods bptt smt+dmt smt+dmt+bptt "
    "--seconds 150",
}
"""What is compared, by name."""

MEMORY_SIZES = {
    f"memory-{width}-{seconds}": f"copy:32 --cells mlp --methods smt+dmt bptt --seconds {seconds} "
    f"--student.width {width}"
    for width in (4, 8, 16)
    for seconds in (30, 90)
}
"""Loss against memory size (8 slots of WIDTH numbers) at two budgets, as memory-WIDTH-SECONDS."""
COMPARISONS |= MEMORY_SIZES

WITH_MLP = (
    "lengths-bptt", "lengths-copy", "lengths-smt", "lengths-tracking-smt",
    "lengths-retrieval-smt", "lengths-copy-smt", "key_values-32-bptt", "key_values-32-smt",
    "key_values-128-bptt", "key_values-128-smt", "key_values-bptt", "key_values",
)  # fmt: skip
"""All tasks and lengths with the MLP cell. BPTT and SMT apart: recipes of SMT change more often."""

WITH_OTHERS = (
    "cells-32-bptt", "cells-bptt", "cells-copy-bptt", "cells-32-smt", "cells-rest-smt", "cells-smt",
    "cells-tracking-smt", "cells-tracking-512-smt", "cells-512-smt", "cells-copy-smt",
    "key_values-cells-bptt", "key_values-cells-smt", "transformer-bptt", "transformer-copy-bptt",
    "transformer-32-smt", "transformer-rest-smt", "transformer-copy-smt", "copy-512-bptt",
    "copy-512-smt",
)  # fmt: skip
"""The same with Elman, GRU and Transformer cells."""

BITS = "digits", "digits-again", "digits-bptt", "text", "text-tokens", "stories", "mnist"
"""Comparisons on real data, whose losses are also shown in bits."""

SHORT_FIRST = tuple(name for name in COMPARISONS if name.startswith("curriculum"))
"""BPTT with short sequences first."""
ONE_CORE = (
    *SHORT_FIRST,
    "long-copy-128",
    "long-copy-256",
    "long-copy-512",
    "digits-again",
    "paper",
    "paper-again",
    "mqar",
)
"""Comparisons on one core that need not be idle: their seconds are of CPU time."""

CURVES = "fresh-bptt", "fresh-smt", "mnist", "stories"
"""Comparisons whose held-out losses during training are kept, for the figure of costs."""
