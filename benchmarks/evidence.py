"""The comparisons behind docs/results.md, one after the other, then the page.

    python benchmarks/evidence.py              all of them; finished runs are kept
    python benchmarks/evidence.py tasks digits some of them
    python benchmarks/evidence.py page         the page alone, from the results that there are

Every comparison is a `pastforward compare` with two runs at a time, one thread each, so give it an
idle machine of two cores. Runs lie in runs/evidence-NAME, their rows go to
benchmarks/results/evidence-NAME.json, and the page is docs/results.in.md with the tables filled in.
Comparisons of text ask PASTFORWARD_DATA for Shakespeare and say so when they are left out.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from pastforward.comparing.results import Line, Row, aggregate
from pastforward.comparing.table import count, figures, percents

ROOT = Path(__file__).parent.parent
RESULTS, DOCS = ROOT / "benchmarks" / "results", ROOT / "docs"
SHAKESPEARE = Path(os.environ.get("PASTFORWARD_DATA", "")) / "tinyshakespeare.txt"
ALWAYS = "--search --jobs 2"
LONG = "--ways bptt smt+dmt --seconds 300 --share 0.5"

PARTS = {
    "tasks": "retrieval copy stack key_values modular parity s5 --lengths 32 --cells mlp "
    "--ways bptt smt+dmt --seconds 120",
    "retrieval": f"retrieval --lengths 512 --cells mlp --seeds 0 1 2 {LONG}",
    "digits": "digits --cells mlp s4d mingru attention --ways bptt smt+dmt smt+dmt+bptt distil "
    "--seconds 95",
    "text": f"{SHAKESPEARE} --cells mlp s4d attention "
    "--ways bptt smt+dmt smt+dmt+bptt --seconds 120",
}
"""What is compared, by name; each with a search of the same three rates for every way."""


def command(name: str) -> list[str]:
    """As a user would type it, but for the search, the jobs and the name."""
    return ["pastforward", "compare", *f"{PARTS[name]} {ALWAYS} --name evidence-{name}".split()]


def train(name: str) -> None:
    """Run a comparison, or what is left of it, and keep its rows."""
    if name == "text" and not SHAKESPEARE.is_file():
        print("text is left out: PASTFORWARD_DATA names no folder with tinyshakespeare.txt")
        return
    place = ROOT / "runs" / f"evidence-{name}"
    there = ["--resume"] if (place / "grid.json").exists() else []
    words = [sys.executable, "-m", *command(name), *there]
    done = subprocess.run(words, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"'{' '.join(command(name))}' ended with code {done.returncode}")
    rows = json.loads((place / "results.json").read_text())["rows"]
    for row in rows:
        row["command"] = " ".join(command(name)).replace(str(SHAKESPEARE), SHAKESPEARE.name)
        row["task"] = row["task"].replace(str(SHAKESPEARE), SHAKESPEARE.name)
    kept = RESULTS / f"evidence-{name}.json"
    kept.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    print(f"Rows: {kept}")


def table(lines: Iterable[Line]) -> Iterable[str]:
    """Losing settings like winning ones; the floor is the loss of the best possible predictor."""
    yield "| task | network | trained by | nats | right | teacher nats | floor | weights | n |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for line in lines:
        one = line.setting
        floor = line.floors.get("best", line.floors.get("unigram"))
        yield (
            f"| {one.task} | {one.cell} | {one.way} | {figures(line.nats, 3)} "
            f"| {percents(line.accuracy)} | {figures(line.teacher, 3)} "
            f"| {'-' if floor is None else f'{floor:.3f}'} | {line.parameters or 0:,} "
            f"| {count(line)} |"
        )


def section(name: str) -> str:
    """The table of a comparison, how it was made and on what; or that it was not made."""
    path = RESULTS / f"evidence-{name}.json"
    if not path.exists():
        return f"not run yet (`python benchmarks/evidence.py {name}`)."
    rows = [Row(**row) for row in json.loads(path.read_text())["rows"]]
    done = [row for row in rows if row.seconds is not None]
    made = ", ".join(sorted({f"{row.hardware}, {row.date}" for row in done}))
    seeds = ", ".join(str(seed) for seed in sorted({row.seed for row in done}))
    notes = f"`{rows[0].command}`\n\nSeed(s) {seeds}; {made}. File: `{path.relative_to(ROOT)}`."
    return "\n".join([*table(aggregate(rows)), "", notes])


def page() -> None:
    """docs/results.md from docs/results.in.md."""
    text = (DOCS / "results.in.md").read_text()
    for name in PARTS:
        text = text.replace(f"{{{name}}}", section(name))
    (DOCS / "results.md").write_text(text)
    print(f"Page: {DOCS / 'results.md'}")


def main(names: list[str]) -> None:
    wrong = [name for name in names if name not in (*PARTS, "page")]
    if wrong:
        sys.exit(f"There is no comparison '{wrong[0]}'; choose from {', '.join(PARTS)}, page.")
    for name in names or PARTS:
        if name != "page":
            train(name)
    page()


if __name__ == "__main__":
    main(sys.argv[1:])
