"""What finished runs of the comparisons are asked: `pastforward analyse` and `generate`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.paths import ROOT, RUNS
from benchmarks.studies.files import FACTS, write
from benchmarks.studies.memory_maps import draw_maps

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
"""Runs that are asked all questions."""

WRITERS = tuple(f"stories/{strategy}" for strategy in ("bptt", "smt+dmt", "smt+dmt+bptt"))
"""Runs that write samples."""
PROMPT, SYMBOLS, TEMPERATURE = "Once upon a time", 220, 0.7


def analyse() -> None:
    """Ask finished runs; those that are not there are left out."""
    rows = []
    for question in QUESTIONS:
        for run in ASKED:
            if not trained(run):
                continue
            if question == "gap" and "bptt/" in run:
                continue  # it has no teacher
            words = ("analyse", f"runs/evidence-{run}", question)
            pastforward(*words)
            facts = found_of(run, "analysis/analysis.json")[question]
            kept = ends(facts) if question == "credit" else without_curves(facts)
            rows.append({"question": question, "run": run, "facts": kept} | origin(run, words))
    write("analyses", {"rows": rows})
    draw_maps(ASKED)


def samples() -> None:
    """Let students continue the same prompt; those that are not there are left out."""
    rows, out = [], RUNS / "sample.txt"
    for run in WRITERS:
        if not trained(run):
            continue
        options = f"--tokens {SYMBOLS} --temperature {TEMPERATURE} --seed 0 --out {out}".split()
        words = ("generate", f"runs/evidence-{run}", "--prompt", PROMPT, *options)
        pastforward(*words)
        text = out.read_text()
        out.unlink()
        rows.append({"run": run, "temperature": TEMPERATURE, "text": text} | origin(run, words))
    write("samples", {"rows": rows})


def trained(run: str) -> bool:
    """Is the run there?"""
    there = (folder(run) / "student.safetensors").exists()
    if not there:
        print(f"{run} is left out: not trained yet")
    return there


def folder(run: str) -> Path:
    return RUNS / f"evidence-{run}"


def found_of(run: str, file: str) -> dict[str, Any]:
    """The content of a JSON file in the folder of a run."""
    return json.loads((folder(run) / file).read_text())


def origin(run: str, words: tuple[str, ...]) -> dict[str, Any]:
    """The command, and where and when the run that it asks was trained."""
    facts = found_of(run, "evaluation.json")["facts"]
    command = " ".join(["pastforward", *words]).replace(f"{ROOT}/", "")
    return {"command": command} | {key: facts.get(key) for key in FACTS}


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


def pastforward(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pastforward", *words], cwd=ROOT, check=True)
