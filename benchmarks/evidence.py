"""The comparisons behind docs/results.md, one after the other, then the page.

    python benchmarks/evidence.py                   all of them; finished runs are kept
    python benchmarks/evidence.py retrieval digits  some of them
    python benchmarks/evidence.py analyses          what finished runs remember, how far they go
    python benchmarks/evidence.py page              the page alone, from the results that there are

Every comparison is a `pastforward compare` with two runs at a time, one thread each, so give it an
idle machine of two cores. Runs lie in runs/evidence-NAME, their rows go to
benchmarks/results/evidence-NAME.json, and the page is docs/results.in.md with the tables filled in.
Comparisons of real data ask PASTFORWARD_DATA for it and say so when they are left out.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evidence_page import RESULTS, ROOT, write_page

DATA = Path(os.environ.get("PASTFORWARD_DATA", "PASTFORWARD_DATA"))
SHAKESPEARE, STORIES, MNIST = DATA / "tinyshakespeare.txt", DATA / "tinystories", DATA / "mnist"
FEW = "--search --factors 1 3"

PARTS = {
    "lengths-bptt": "retrieval stack modular parity s5,elements=2 --lengths 32 128 512 "
    f"--cells mlp --ways bptt --seconds 120 {FEW}",
    "lengths-copy": f"copy --lengths 32 64 128 --cells mlp --ways bptt --seconds 120 {FEW}",
    "lengths-copy-smt": "copy --lengths 32 64 128 --cells mlp --ways smt+dmt --seconds 120",
    "copy-longer": "copy:128 --cells mlp --ways smt+dmt --seeds 1 2 --seconds 300",
    "copy-longer-bptt": f"copy:128 --cells mlp --ways bptt --seeds 1 2 --seconds 300 {FEW}",
    "copy-peers": "copy:128 --cells s4d mingru --ways parallel --seconds 120",
    "lengths-smt": "stack --lengths 32 128 512 --cells mlp --ways smt+dmt --seconds 120",
    "lengths-tracking-smt": "modular s5,elements=2 parity --lengths 512 128 32 --cells mlp "
    "--ways smt+dmt --seconds 120",
    "tracking-fresh": "s5,elements=2 modular --lengths 512 --cells mlp --ways smt+dmt --seeds 1 2 "
    "--seconds 120",
    "lengths-retrieval-smt": "retrieval --lengths 32 128 512 --cells mlp --ways smt+dmt "
    "--seconds 120",
    "retrieval": "retrieval --lengths 512 --cells mlp --ways smt+dmt bptt --seeds 0 1 2 "
    "--seconds 300",
    "retrieval-batch": "retrieval:512 --cells mlp --ways bptt --fit.batch 32 --seeds 0 1 "
    "--seconds 240",
    "retrieval-fresh": "retrieval:512 --cells mlp --ways smt+dmt --seeds 3 4 --seconds 120",
    "retrieval-1024": "retrieval:1024 --cells mlp --ways smt+dmt bptt --seeds 1 --seconds 300",
    "prefix": "s5,elements=2 modular --lengths 512 --cells mlp --ways bptt --fit.prefix 32 "
    "--fit.batch 32 --seconds 120",
    "prefix-128": "modular:128 --cells mlp --ways bptt --fit.prefix 32 --fit.batch 32 "
    "--seconds 120",
    "cells": "retrieval:512 --cells elman gru lstm transformer --ways smt+dmt bptt --seconds 120",
    "cells-bptt": "retrieval stack modular parity s5,elements=2 --lengths 128 512 "
    f"--cells gru elman --ways bptt --seconds 120 {FEW}",
    "transformer-bptt": "retrieval stack modular parity s5,elements=2 --lengths 32 128 512 "
    f"--cells transformer --ways bptt --seconds 120 {FEW}",
    "cells-smt": "stack --lengths 128 --cells gru elman --ways smt+dmt --seconds 120",
    "cells-tracking-smt": "s5,elements=2 modular parity --lengths 128 --cells gru elman "
    "transformer --ways smt+dmt --seconds 120",
    "cells-tracking-512-smt": "s5,elements=2 modular --lengths 512 --cells elman gru "
    "--ways smt+dmt --seconds 120",
    "cells-rest-smt": "retrieval stack --lengths 128 512 --cells gru elman --ways smt+dmt "
    "--seconds 120",
    "cells-copy-bptt": f"copy:128 --cells gru elman --ways bptt --seconds 120 {FEW}",
    "cells-copy-smt": "copy:128 --cells gru elman --ways smt+dmt --seconds 120",
    "key_values": "key_values:64 --cells mlp --ways smt+dmt --seeds 1 2 --seconds 300",
    "key_values-bptt": "key_values:64 --cells mlp --ways bptt --seeds 1 2 --seconds 300 --search",
    "digits": "digits --cells mlp s4d mingru attention --ways bptt smt+dmt smt+dmt+bptt distil "
    "--seeds 1 2 --seconds 95",
    "digits-bptt": f"digits --cells mlp --ways bptt --seeds 1 2 --seconds 95 {FEW}",
    "text": f"{SHAKESPEARE} --cells mlp --ways bptt smt+dmt smt+dmt+bptt --seconds 120",
    "stories": f"{STORIES} --cells mlp --ways bptt smt+dmt --seconds 120",
    "mnist": f"{MNIST} --data.length 784 --cells mlp --ways bptt smt+dmt --seconds 150",
}
"""What is compared, by name."""

FRONTIER = {
    f"memory-{width}-{seconds}": f"copy:32 --cells mlp --ways smt+dmt bptt --seconds {seconds} "
    f"--student.width {width}"
    for width in (4, 8, 16)
    for seconds in (30, 90)
}
"""Loss against memory size (8 slots of so many numbers) at two budgets."""
PARTS |= FRONTIER

SIDE_BY_SIDE = {
    "side by side": (
        "lengths-bptt", "lengths-copy", "lengths-smt", "lengths-tracking-smt",
        "lengths-retrieval-smt", "lengths-copy-smt",
    ),
    "other cells": (
        "cells-bptt", "transformer-bptt", "cells-copy-bptt", "cells-smt", "cells-tracking-smt",
        "cells-tracking-512-smt", "cells-rest-smt", "cells-copy-smt",
    ),
}  # fmt: skip
"""Comparisons of one table: BPTT's runs need not be made again when a recipe of SMT changes."""

QUESTIONS = "lengths", "geometry"
ASKED = tuple(
    f"{comparison}/{task}/mlp/{way}/seed0"
    for task, bptt, smt in (
        ("parity32", "lengths-bptt", "lengths-tracking-smt"),
        ("s532-elements2", "lengths-bptt", "lengths-tracking-smt"),
        ("retrieval128", "lengths-bptt", "lengths-retrieval-smt"),
        ("copy64", "lengths-copy", "lengths-copy-smt"),
    )
    for comparison, way in ((bptt, "bptt"), (smt, "smt+dmt"))
)
"""Which runs of the comparisons are asked these questions of `pastforward analyse`."""


def command(name: str) -> list[str]:
    """As a user would type it."""
    return ["pastforward", "compare", *f"{PARTS[name]} --jobs 2 --name evidence-{name}".split()]


def train(name: str) -> None:
    """Run a comparison, or what is left of it, and keep its rows."""
    path = Path(PARTS[name].split()[0])
    if path.parent != Path() and not path.exists():
        print(f"{name} is left out: PASTFORWARD_DATA names no folder with {path.name}")
        return
    place = ROOT / "runs" / f"evidence-{name}"
    there = ["--resume"] if (place / "grid.json").exists() else []
    words = [sys.executable, "-m", *command(name), *there]
    done = subprocess.run(words, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"'{' '.join(command(name))}' ended with code {done.returncode}")
    keep(name, json.loads((place / "results.json").read_text())["rows"])


def keep(name: str, rows: list[dict[str, Any]]) -> None:
    """Rows of a comparison, without the paths of this machine."""
    for row in rows:
        row["command"] = row["command"].replace(f"{DATA}/", "")
        row["task"] = row["task"].replace(f"{DATA}/", "")
    write(f"evidence-{name}", rows)


def analyse() -> None:
    """Ask finished runs; those that are not there are left out."""
    rows = []
    for question in QUESTIONS:
        for run in ASKED:
            place = ROOT / "runs" / f"evidence-{run}"
            if not (place / "student.safetensors").exists():
                print(f"{run} is left out: not trained yet")
                continue
            words = [sys.executable, "-m", "pastforward", "analyse", str(place), question]
            subprocess.run(words, cwd=ROOT, check=True)
            facts = json.loads((place / "analysis" / "analysis.json").read_text())[question]
            made = json.loads((place / "evaluation.json").read_text())["facts"]
            rows.append({"question": question, "run": run, "facts": without_curves(facts)}
                        | {key: made[key] for key in ("hardware", "date")})  # fmt: skip
    write("evidence-analyses", rows)


def without_curves(facts: Any) -> Any:
    """Facts less their lists of numbers by t, which `pastforward analyse` draws of any run."""
    if isinstance(facts, dict):
        curves = [k for k, v in facts.items() if isinstance(v, list) and len(v) > 1
                  and not isinstance(v[0], dict)]  # fmt: skip
        return {k: without_curves(v) for k, v in facts.items() if k not in curves}
    return [without_curves(fact) for fact in facts] if isinstance(facts, list) else facts


def write(name: str, rows: Sequence[dict[str, Any]]) -> None:
    kept = RESULTS / f"{name}.json"
    kept.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    print(f"Rows: {kept}")


def main(names: list[str]) -> None:
    known = [*PARTS, "analyses", "page"]
    wrong = [name for name in names if name not in known]
    if wrong:
        sys.exit(f"There is no comparison '{wrong[0]}'; choose from {', '.join(known)}.")
    for name in names or known:
        if name in PARTS:
            train(name)
        elif name == "analyses":
            analyse()
    write_page(PARTS, SIDE_BY_SIDE, FRONTIER, QUESTIONS)


if __name__ == "__main__":
    main(sys.argv[1:])
