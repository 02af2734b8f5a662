"""Tables of what `pastforward analyse` found in several runs, in Markdown."""

from collections.abc import Callable, Iterable
from typing import Any

Rows = list[dict[str, Any]]


def lengths_table(rows: Rows) -> Iterable[str]:
    """Symbols right at T, 2T, ... of runs that were trained at T, and of their teachers."""
    factors = (1, 2, 4, 8, 16)
    yield "| trained on | by | who | T | " + " | ".join(f"{n}T" for n in factors[1:]) + " |"
    yield "|---" * (3 + len(factors)) + "|"
    for row in rows:
        task, strategy = trained_by(row)
        for who in ("student", "teacher"):
            if row["facts"][0][who] is None:
                continue
            right = [f"{at[who]['accuracy']:.1%}" for at in row["facts"]]
            right += ["-"] * (len(factors) - len(right))
            yield f"| {task} | {strategy} | {who} | {' | '.join(right)} |"


def states_table(rows: Rows) -> Iterable[str]:
    """How well a linear probe reads the task's true state from memories."""
    yield "| task | trained by | state | student | targets | untrained | most frequent |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        task, strategy = trained_by(row)
        for state, probes in row["facts"].items():
            right = [f"{probes[who]['accuracy']:.1%}" if who in probes else "-"
                     for who in ("student", "targets", "untrained")]  # fmt: skip
            often = f"{probes['student']['majority']:.1%}"
            yield f"| {task} | {strategy} | {state} | {' | '.join(right)} | {often} |"


def gap_table(rows: Rows) -> Iterable[str]:
    """What a student loses against its teacher, and how much of it by what."""
    yield "| task | teacher nats | student nats | readout | one step | compounding | start |"
    yield "|---" * 7 + "|"
    for row in rows:
        facts = row["facts"]
        losses = [facts["teacher"]["nats"], facts["alone"]["nats"], *facts["parts"].values()]
        yield f"| {trained_by(row)[0]} | {' | '.join(f'{nats:.4f}' for nats in losses)} |"


def credit_table(rows: Rows) -> Iterable[str]:
    """How much of the last output's loss reaches a memory, of networks on retrieval."""
    yield "| trained by | credit by | network | first t | middle | last | a step back |"
    yield "|---" * 7 + "|"
    shown = set()  # untrained networks are the same for both strategies
    for row in rows:
        task, strategy = trained_by(row)
        for loss in ("BPTT", "SMT, all losses") if task.startswith("retrieval") else ():
            for name, found in row["facts"].get(loss, {}).items():
                if name != "trained" and (loss, name) in shown:
                    continue
                shown.add((loss, name))
                norms = " | ".join(f"{norm:.2g}" for norm in found["norms"])
                step = "-" if found["per_step"] is None else f"x {found['per_step']:.3f}"
                by = strategy if name == "trained" else "-"
                yield f"| {by} | {loss} | {name} | {norms} | {step} |"


def future_table(rows: Rows) -> Iterable[str]:
    """How well linear probes read outputs to come from memories."""
    farthest = (1, 2, 4, 8)
    yield "| task | trained by | memories | " + " | ".join(f"j = {j}" for j in farthest) + " |"
    yield "|---" * (3 + len(farthest)) + "|"
    for row in rows:
        task, strategy = trained_by(row)
        for who in ("student", "targets", "untrained"):
            if who in row["facts"]:
                found = row["facts"][who]
                right = [f"{found[j - 1]['accuracy']:.1%}" if j <= len(found) else "-"
                         for j in farthest]  # fmt: skip
                yield f"| {task} | {strategy} | {who} | {' | '.join(right)} |"


def trained_by(row: dict[str, Any]) -> tuple[str, str]:
    """Task and strategy of the run that was asked."""
    _, task, _, strategy, _ = row["run"].split("/")
    return task, strategy


ANALYSIS_TABLES: dict[str, Callable[[Rows], Iterable[str]]] = {
    "gap": gap_table,
    "credit": credit_table,
    "lengths": lengths_table,
    "geometry": states_table,
    "future": future_table,
}
"""By question."""
