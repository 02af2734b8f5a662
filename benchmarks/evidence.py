"""The comparisons behind docs/results.md, one after the other, then the page.

    python benchmarks/evidence.py                   all of them; finished runs are kept
    python benchmarks/evidence.py retrieval digits  some of them
    python benchmarks/evidence.py analyses          what finished runs remember, how far they go
    python benchmarks/evidence.py samples           what finished runs write and draw
    python benchmarks/evidence.py page              the page alone, from the results that there are

Every comparison is a `pastforward compare` with two runs at a time, one thread each, so give it an
idle machine of two cores. Runs lie in runs/evidence-NAME, their rows go to
benchmarks/results/evidence-NAME.json, and the page is docs/results.in.md with tables and pictures
filled in. Comparisons of real data ask PASTFORWARD_DATA for it and say so when they are left out.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from evidence_page import write_page
from evidence_parts import CURVES, DATA, PARTS, RESULTS, ROOT, runs_of
from evidence_pictures import draw_maps, draw_pictures

QUESTIONS = "gap", "credit", "lengths", "geometry", "future"
ASKED = tuple(
    f"{comparison}/{task}/mlp/{strategy}/seed3"
    for task, bptt in (
        ("parity32", "fresh-short-bptt"),
        ("s532-elements2", "fresh-short-bptt"),
        ("retrieval128", "fresh-short-bptt"),
        ("copy64", "fresh-bptt"),
    )
    for comparison, strategy in ((bptt, "bptt"), ("fresh-smt", "smt+dmt"))
)
"""Which runs of the comparisons are asked these questions of `pastforward analyse`."""

WRITERS = tuple(f"stories/{strategy}" for strategy in ("bptt", "smt+dmt", "smt+dmt+bptt"))
PROMPT, SYMBOLS, TEMPERATURE = "Once upon a time", 220, 0.7


def command(name: str) -> list[str]:
    """As a user would type it."""
    return ["pastforward", "compare", *f"{PARTS[name]} --jobs 2 --name evidence-{name}".split()]


def train(name: str) -> None:
    """Run a comparison, or what is left of it, and keep its rows."""
    path = Path(PARTS[name].split()[0])
    if path.parent != Path() and not path.exists():
        print(f"{name} is left out: PASTFORWARD_DATA names no folder with {path.name}")
        return
    if_exists = ["--resume"] if (runs_of(name) / "grid.json").exists() else []
    words = [sys.executable, "-m", *command(name), *if_exists]
    done = subprocess.run(words, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"'{' '.join(command(name))}' ended with code {done.returncode}")
    keep(name)


def keep(name: str) -> None:
    """Rows of a comparison, without the paths of this machine, and curves where they are drawn."""
    rows = json.loads((runs_of(name) / "results.json").read_text())["rows"]
    for row in rows:
        row["command"] = row["command"].replace(f"{DATA}/", "")
        row["task"] = row["task"].replace(f"{DATA}/", "")
    curves = [curve(runs_of(name), row) for row in rows if name in CURVES]
    write(name, {"rows": rows} | ({"curves": curves} if curves else {}))


def curve(place: Path, row: dict[str, Any]) -> dict[str, Any]:
    """Held-out losses of a run on the way, with what had been spent until then."""
    lines = (place / row["folder"] / "metrics.jsonl").read_text().splitlines()
    points = [point for point in map(json.loads, lines) if point.get("valid") is not None]
    names = ("seconds", "tokens", "calls", "valid")
    return {name: row[name] for name in ("task", "cell", "strategy", "seed")} | {
        name: [point[name] for point in points] for name in names
    }


def analyse() -> None:
    """Ask finished runs; those that are not there are left out."""
    rows = []
    for question in QUESTIONS:
        for run in ASKED:
            place = ROOT / "runs" / f"evidence-{run}"
            if not (place / "student.safetensors").exists():
                print(f"{run} is left out: not trained yet")
                continue
            if question == "gap" and "bptt/" in run:
                continue  # no teacher to be behind
            pastforward("analyse", str(place), question)
            facts = json.loads((place / "analysis" / "analysis.json").read_text())[question]
            made = json.loads((place / "evaluation.json").read_text())["facts"]
            kept = ends(facts) if question == "credit" else without_curves(facts)
            rows.append({"question": question, "run": run, "facts": kept}
                        | {key: made[key] for key in ("hardware", "date")})  # fmt: skip
    write("analyses", {"rows": rows})
    draw_maps(ASKED)


def without_curves(facts: Any) -> Any:
    """Facts less their lists of numbers by t, which `pastforward analyse` draws of any run."""
    if isinstance(facts, dict):
        curves = [k for k, v in facts.items() if isinstance(v, list) and len(v) > 1
                  and not isinstance(v[0], dict)]  # fmt: skip
        return {k: without_curves(v) for k, v in facts.items() if k not in curves}
    return [without_curves(fact) for fact in facts] if isinstance(facts, list) else facts


def ends(facts: dict[str, Any]) -> dict[str, Any]:
    """Norms of credit at the first, middle and last t, by loss and network."""
    return {
        loss: {
            name: {"norms": [found["norms"][i] for i in (0, len(found["norms"]) // 2, -1)]}
            | {"per_step": found["per_step"]}
            for name, found in by_network.items()
        }
        for loss, by_network in facts.items()
    }


def samples() -> None:
    """What students of the same prompt write; those that are not there are left out."""
    rows = []
    for run in WRITERS:
        place, out = ROOT / "runs" / f"evidence-{run}", ROOT / "runs" / "sample.txt"
        if not (place / "student.safetensors").exists():
            print(f"{run} is left out: not trained yet")
            continue
        asked = f"--tokens {SYMBOLS} --temperature {TEMPERATURE} --seed 0 --out {out}".split()
        pastforward("generate", str(place), "--prompt", PROMPT, *asked)
        rows.append({"run": run, "temperature": TEMPERATURE, "text": out.read_text()})
        out.unlink()
    write("samples", {"rows": rows})


def pastforward(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pastforward", *words], cwd=ROOT, check=True)


def write(name: str, facts: dict[str, Any]) -> None:
    kept = RESULTS / f"evidence-{name}.json"
    kept.write_text(json.dumps(facts, indent=1) + "\n")
    print(f"Rows: {kept}")


def main(names: list[str]) -> None:
    others = {"analyses": analyse, "samples": samples, "page": lambda: None}
    wrong = [name for name in names if name not in (*PARTS, *others)]
    if wrong:
        sys.exit(f"There is no '{wrong[0]}'; choose from {', '.join((*PARTS, *others))}.")
    for name in names or (*PARTS, *others):
        if name in PARTS:
            train(name)
        else:
            others[name]()
    draw_pictures()
    write_page(QUESTIONS)


if __name__ == "__main__":
    main(sys.argv[1:])
