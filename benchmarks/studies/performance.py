"""Write docs/performance.md and its pictures from the figures of the last full run.

pastforward bench --json benchmarks/results/bench.json
pastforward bench store time-to-loss --threads 1 --json benchmarks/results/bench-long.json
pastforward bench bptt --json benchmarks/results/bench-again.json    what changed since that run
python benchmarks/parts.py
python benchmarks/performance.py
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt

from benchmarks.speed import BENCHES

matplotlib.use("Agg")

ROOT = Path(__file__).parent.parent
RESULTS, DOCS = ROOT / "benchmarks" / "results", ROOT / "docs"
Rows = list[dict[str, Any]]


def number(value: float) -> str:
    """Three figures, without powers of ten."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: Rows) -> Iterable[str]:
    yield "| case | ours | rival | unit | ratio (quartiles) | target | met |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        low, high = row["spread"]
        ratio = f"{number(row['ratio'])} ({number(low)} - {number(high)})"
        target = "" if row["target"] is None else f"{row['sense']} {number(row['target'])}"
        met = {True: "yes", False: "**no**", None: ""}[row["met"]]
        yield (
            f"| {row['case']} | {number(row['ours'])} | {number(row['rival'])} | {row['unit']} "
            f"| {ratio} | {target} | {met} |"
        )
    yield ""
    bounds = dict.fromkeys(f"- {row['case']}: {row['bound']}." for row in rows if row["bound"])
    yield from bounds
    yield ""


def against_length(rows: Rows, ours: str, rival: str, unit: str, path: Path) -> None:
    """One line a cell and side, over T."""
    lines: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        found = re.match(r"(\w+) cell, T = (\d+)$", row["case"])
        if found:
            for side in ("ours", "rival"):
                lines[found[1], side].append((int(found[2]), row[side]))
    colours = dict(zip(dict.fromkeys(cell for cell, _ in lines), ("C0", "C1", "C2"), strict=False))
    fig, axes = plt.subplots(figsize=(6.4, 4.0))
    for (cell, side), points in lines.items():
        style, who = ("-", ours) if side == "ours" else ("--", rival)
        x, y = zip(*sorted(points), strict=True)
        axes.loglog(x, y, style, color=colours[cell], marker="o", target=f"{cell}, {who}")
    axes.set(xlabel="T", ylabel=unit)
    axes.grid(True, which="both", alpha=0.2)
    axes.legend(fontsize=8)
    fig.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(fig)


def cost_model(facts: dict[str, Any]) -> Iterable[str]:
    yield "| part | M multiplications | KiB kept | us measured | G multiplications/s |"
    yield "|---|---|---|---|---|"
    for row in facts["rows"]:
        rate = 3 * row["macs"] / row["microseconds"] / 1e3
        yield (
            f"| {row['part']} | {row['macs'] / 1e6:.3f} | {row['kept_bytes'] / 1024:.1f} "
            f"| {row['microseconds']:.1f} | {rate:.0f} |"
        )


def staleness(rows: Rows) -> Iterable[str]:
    """Nats alone by window and visits, one number for each seed of the batches."""
    found: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for row in rows:
        fresh = row["kind"] == "train" and row["stale"] == 0  # nothing is kept, whatever it says
        if fresh or (row["kind"] == "train" and row["kept"] == "all"):
            found[row["task"], "-".join(map(str, row["windows"])), row["stale"] + 1].append(
                row["nats"]
            )
    yield "| task | k | visits | nats alone, one number a seed |"
    yield "|---|---|---|---|"
    for (task, window, replay_steps), nats in sorted(found.items(), key=lambda item: str(item[0])):
        yield f"| {task} | {window} | {replay_steps} | {' '.join(f'{n:.3f}' for n in nats)} |"


def hardware(facts: dict[str, Any]) -> str:
    torch = f", torch {facts['torch']}" if "torch" in facts else ""
    return f"{facts['machine']}, {facts['threads']} thread(s){torch}, {facts['date']}"


def main() -> None:
    usual, slow, resume_command = (
        json.loads((RESULTS / f"bench{which}.json").read_text())
        for which in ("", "-long", "-again")
    )
    parts = json.loads((RESULTS / "parts.json").read_text())
    rows: dict[str, Rows] = {}
    for facts in (usual, slow, resume_command):  # later ones take the place of earlier ones
        for name in dict.fromkeys(row["name"] for row in facts["rows"]):
            rows[name] = [row for row in facts["rows"] if row["name"] == name]
    against_length(
        rows["bptt"], "SMT", "BPTT", "microseconds a token", DOCS / "performance-time.png"
    )
    against_length(rows["memory"], "SMT", "BPTT", "MiB a step", DOCS / "performance-memory.png")
    text = (DOCS / "performance.in.md").read_text()
    text = text.replace("{hardware}", hardware(usual["hardware"]))
    text = text.replace("{long-hardware}", hardware(slow["hardware"]))
    text = text.replace("{again-hardware}", hardware(resume_command["hardware"]))
    text = text.replace("{parts-hardware}", hardware(parts))
    lines = (RESULTS / "onpolicy.jsonl").read_text().splitlines()
    trials = [json.loads(line) for line in lines]
    text = text.replace("{staleness}", "\n".join(staleness(trials)))
    text = text.replace("{cost-model}", "\n".join(cost_model(parts)))
    for name in BENCHES:
        text = text.replace(f"{{{name}}}", "\n".join(table(rows.get(name, []))).rstrip())
    (DOCS / "performance.md").write_text(text)
    print(f"Page: {DOCS / 'performance.md'}")


if __name__ == "__main__":
    main()
