"""Points by budget and size, averaged over runs that differ in their seeds only."""

import pytest

from pastforward.analysis.lengths import memory_loss_curve
from pastforward.errors import UsageError
from pastforward.report.summary import RunSummary


def run(width: int, nats: float | None, *methods: str, **budget: float) -> RunSummary:
    config = {
        "data": {"source": "copy:8"}, "student": {"cell": "gru", "slots": 2, "width": width},
        "stages": [{"method": method} for method in methods or ("bptt",)],
        "budget": {"seconds": None, "steps": None, "tokens": None} | budget,
    }  # fmt: skip
    return RunSummary("run", {"student": {"nats": nats}}, facts={"config": config})


def test_runs_by_budget_and_size():
    runs = [
        run(8, 1.0, seconds=60.0), run(4, 2.0, seconds=60.0), run(8, 2.0, seconds=60.0),
        run(8, 0.5, seconds=600.0), run(8, 0.7, steps=2000), run(4, None, seconds=600.0),
    ]  # fmt: skip
    found = memory_loss_curve(runs)
    assert list(found) == ["60 s", "600 s", "2,000 steps"]
    assert [(p.size, p.nats, p.runs) for p in found["60 s"]] == [(8, 2.0, 1), (16, 1.5, 2)]
    assert found["60 s"][1].spread == pytest.approx(0.5**0.5)
    assert [(p.size, p.nats, p.spread) for p in found["600 s"]] == [(16, 0.5, 0.0)]


def test_other_methods_are_other_curves():
    found = memory_loss_curve(
        [run(8, 1.0, seconds=60.0), run(8, 3.0, "teacher", "smt", seconds=60.0)]
    )
    assert {name: of[0].nats for name, of in found.items()} == {
        "60 s, bptt": 1.0, "60 s, teacher+smt": 3.0,
    }  # fmt: skip


def test_no_run():
    with pytest.raises(UsageError, match="give at least one"):
        memory_loss_curve([run(4, None, seconds=1.0)])


def test_baselines_have_no_memory():
    baseline = run(4, 0.1, seconds=60.0)
    baseline.facts["config"]["baseline"] = {"name": "s4d"}
    found = memory_loss_curve([run(4, 1.0, seconds=60.0), baseline])
    assert [(p.nats, p.runs) for p in found["60 s"]] == [(1.0, 1)]
