"""Rows, means and pages from run folders as training leaves them, whole grids and halves."""

import io
import json
import math
import re
from dataclasses import replace

import pytest
from rich.console import Console

from pastforward.analysis.evaluate import Evaluation
from pastforward.analysis.labels import ClassScore
from pastforward.analysis.meters import Score
from pastforward.errors import UsageError
from pastforward.runs.comparison.grid import Grid, Setting
from pastforward.runs.comparison.page import write_page
from pastforward.runs.comparison.record import (
    Record,
    State,
    folder_of,
    holds_grid,
    read_record,
    state,
)
from pastforward.runs.comparison.results import (
    Row,
    Spread,
    aggregate,
    best_of,
    collect,
    spread,
    write_results,
)
from pastforward.runs.comparison.table import grid_table

GRID = Grid(("copy:8", "copy:12"), ("mlp",), ("bptt", "smt+dmt"), (0, 1, 2), (0.3, 1.0))
SOURCES = {"copy:8": "copy:8", "copy:12": "copy:12"}
RECORD = Record("pastforward compare copy --lengths 8 12", GRID, SOURCES)


def score(nats):
    return Score(nats, None, nats, 1 / (1 + nats), [])


def finish(folder, nats, strategy, length, select="loss", **labels):
    teacher = None if strategy == "bptt" else score(0.25)
    stages = [{"method": "bptt", "share": 0.5, "lr": lr} for lr in (0.5, 0.25)]
    facts = {
        "seconds": 8.0, "tokens": 64, "steps": 4, "calls": 32, "parameters": 1234,
        "length": length, "commit": "abc", "clean": True, "torch": "2.13.0",
        "hardware": "2 test cores", "threads": 1, "date": "2026-01-02",
        "config": {"stages": stages, "fit": {"select": select}},
    }  # fmt: skip
    references = {"uniform": 2.0794, "unigram": 2.0794}
    student = replace(score(nats), **labels)
    evaluation = Evaluation("test", 4, 4, student, teacher, references, None, {}).to_json()
    begin(folder)
    folder.evaluation.write_text(json.dumps({"evaluation": evaluation, "facts": facts}))


def begin(folder):
    folder.path.mkdir(parents=True)
    folder.config.write_text("{}")
    for step in (10, 20):
        point = {"step": step, "seconds": step / 10, "tokens": 9 * step, "calls": 3 * step}
        folder.metrics.append(point | {"valid": 2.0 - step / 20})


@pytest.fixture
def root(tmp_path):
    """Seed 0 is finished, of seed 1 a run failed and one is under way."""
    root = tmp_path / "five"
    RECORD.write(root)
    trials = GRID.trials()
    for nats, trial in zip((0.5, 1.5, 0.75, 0.25), trials[:4], strict=True):
        length = int(trial.setting.task.partition(":")[2])
        finish(folder_of(root, GRID, trial), nats, trial.setting.strategy, length)
    finish(folder_of(root, GRID, trials[4]), 1.0, "bptt", 8)
    begin(folder_of(root, GRID, trials[5]))
    folder_of(root, GRID, trials[5]).failure.write_text('{"error": "\'dynamics\' is nan"}')
    begin(folder_of(root, GRID, trials[6]))
    return root


def test_the_record_comes_back(root):
    assert holds_grid(root)
    assert read_record(root) == RECORD
    assert not holds_grid(root.parent)
    (root / "grid.json").write_text("{}")
    with pytest.raises(UsageError, match="can't be read"):
        read_record(root)


def test_how_far_each_run_is(root):
    found = [state(folder_of(root, GRID, trial)) for trial in GRID.trials()]
    assert found[:8] == [
        *[State.FINISHED] * 5, State.FAILED, State.BEGUN, State.WAITING,
    ]  # fmt: skip
    assert set(found[8:]) == {State.WAITING}


def test_every_planned_run_has_a_row(root):
    rows = collect(root, RECORD)
    assert len(rows) == 12
    first, failed, waiting = rows[0], rows[5], rows[11]
    assert (first.T, first.lr, first.nats, first.calls) == (8, [0.5, 0.25], 0.5, 32)
    assert (first.teacher_nats, rows[1].teacher_nats) == (None, 0.25)
    assert first.folder == "copy8/mlp/bptt/seed0"
    assert (failed.state, failed.error, failed.nats) == ("failed", "'dynamics' is nan", None)
    assert (waiting.state, waiting.nats, waiting.seed) == ("not begun", None, 2)


def test_results_are_whole_json(root):
    path = write_results(root, RECORD, collect(root, RECORD))
    found = json.loads(path.read_text())
    assert found["command"] == RECORD.command
    assert len(found["rows"]) == 12
    wanted = {
        "task", "T", "cell", "strategy", "seed", "lr", "nats", "accuracy", "teacher_nats",
        "references", "seconds", "tokens", "steps", "calls", "parameters", "commit", "clean",
        "torch", "hardware", "threads", "date", "command", "state",
    }  # fmt: skip
    assert wanted <= found["rows"][0].keys()


def test_means_and_deviations_against_their_definition():
    values = [0.5, 1.0, 3.0]
    mean = sum(values) / 3
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / 2)
    found = spread([None, *values])
    assert found is not None
    assert found.mean == pytest.approx(mean)
    assert found.deviation == pytest.approx(deviation)
    assert spread([2.0]) == Spread(2.0, None)
    assert spread([None]) is None


def test_seeds_are_taken_together(root):
    lines = aggregate(collect(root, RECORD))
    assert [line.setting for line in lines] == GRID.settings()
    bptt, smt = lines[:2]
    assert bptt.nats == (pytest.approx(0.75), pytest.approx(math.sqrt(2) / 4))
    assert (bptt.planned, bptt.finished, bptt.failed) == (3, 2, 0)
    assert smt.nats == Spread(1.5, None)
    assert (smt.finished, smt.failed) == (1, 1)
    assert best_of(lines) == {
        Setting("copy:8", "mlp", "bptt"), Setting("copy:12", "mlp", "smt+dmt"),
    }  # fmt: skip


def test_nothing_is_best_where_nothing_is_finished():
    rows = [Row("a", "mlp", strategy, 0, "not begun", "f", "c") for strategy in ("bptt", "smt")]
    lines = aggregate(rows)
    assert len(lines) == 2
    assert best_of(lines) == set()


def test_the_table_shows_losers_and_fits_a_console(root):
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(grid_table(aggregate(collect(root, RECORD))))
    text = console.export_text()
    for shown in (
        "0.7500 ± 0.3536",
        "1.5000",
        "0.2500",
        "2 of 3",
        "1 of 3",
        "smt+dmt (1)",
        "2.0794",
    ):
        assert shown in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_page_of_half_a_grid(root):
    rows = collect(root, RECORD)
    text = write_page(root, RECORD, rows, root / "report.html").read_text()
    for shown in ("5 finished", "1 failed", "1 under way", "5 not begun", "0.7500 ± 0.3536"):
        assert shown in text
    assert "&#39;dynamics&#39; is nan" in text
    assert RECORD.command in text
    # Accuracy against T once, three pictures for each task.
    assert text.count("<svg") == text.count("</svg>") == 1 + 2 * 3
    assert "http:" not in text
    assert "https:" not in text
    assert not re.search(r"<(script|link|iframe|object|embed)\b", text)


def test_a_page_before_the_first_run(tmp_path):
    root = tmp_path / "five"
    RECORD.write(root)
    text = write_page(root, RECORD, collect(root, RECORD), root / "report.html").read_text()
    assert "12 not begun" in text
    assert "<svg" not in text


def rows_of(strategy: str, *nats: float) -> list[Row]:
    return [
        Row("a", "gru", strategy, seed, "finished", "f", "c", nats=one)
        for seed, one in enumerate(nats)
    ]


SHORT_FIRST = rows_of("bptt-curriculum", 0.50, 0.60, 0.70)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            [*rows_of("smt+dmt", 0.4, 0.4, 0.4), *SHORT_FIRST],
            "a: best opponent gru bptt-curriculum (0.6000 ± 0.1000 nats); from target memories "
            "gru smt+dmt (0.4000 ± 0.0000 nats), 0.2000 nats better, a win, as that is more than "
            "the spread of 0.1000 over 3 seeds.",
        ),
        (
            [*rows_of("two-stage", 0.55, 0.55, 0.55), *SHORT_FIRST],
            "0.0500 nats better, no win: no more than the spread over seeds.",
        ),
        (
            [*rows_of("smt", 0.4, 0.4), *SHORT_FIRST],
            "0.2000 nats better, no win: 2 of the 3 seeds that it takes.",
        ),
        (
            [*rows_of("smt+dmt+bptt", 0.8, 0.8, 0.8), *SHORT_FIRST],
            "0.2000 nats worse, no win: the opponent is as good or better.",
        ),
        (
            [*rows_of("smt+dmt", 0.4, 0.4, 0.4), *rows_of("bptt", 0.6, 0.6, 0.6)],
            "0.2000 nats better, no win: bptt-curriculum was not run.",
        ),
        (
            [*rows_of("smt+dmt", 0.4, 0.4, 0.4), *SHORT_FIRST, *rows_of("parallel", 0.1, 0.1, 0.1)],
            "a: best opponent gru parallel (0.1000",
        ),
    ],
)
def test_a_win_has_its_grounds_beside_the_best_opponent(rows, says):
    (verdict,) = grid_table(aggregate(rows)).notes
    assert says in verdict


@pytest.mark.parametrize("rows", [SHORT_FIRST, rows_of("smt", 0.4, 0.4, 0.4)])
def test_one_side_alone_has_no_verdict(rows):
    assert not grid_table(aggregate(rows)).notes


def test_the_best_opponent_is_named_on_the_page(root):
    text = write_page(root, RECORD, collect(root, RECORD), root / "report.html").read_text()
    assert text.count("Best opponent: mlp bptt.") == 2 * 3
    assert "copy:8: best opponent mlp bptt (0.7500" in text


def test_figures_that_can_not_be_read(root):
    folder = folder_of(root, GRID, GRID.trials()[0])
    for content in ("{", "{}"):
        folder.evaluation.write_text(content)
        with pytest.raises(UsageError, match="can't be read"):
            collect(root, RECORD)


def test_the_metric_that_chose_the_student_is_shown(root, tmp_path):
    assert "selected by" not in grid_table(aggregate(collect(root, RECORD))).head
    grid = Grid(("mine",), ("mlp",), ("bptt",), (0, 1), ())
    record = Record("pastforward compare mine", grid, {"mine": "mine"})
    other = tmp_path / "labelled"
    for trial, value in zip(grid.trials(), (0.5, 0.75), strict=True):
        classes = ClassScore(["a"], 0.5, 0.5, 0.5, value, [None], [None], [None], [4], None)
        finish(folder_of(other, grid, trial), 1.0, "bptt", 8, "macro_f1", classes=classes)
    rows = collect(other, record)
    assert [(row.select, row.selected) for row in rows] == [("macro_f1", 0.5), ("macro_f1", 0.75)]
    table = grid_table(aggregate(rows))
    assert table.lines[0].cells[table.head.index("selected by")] == "macro F1 0.625 ± 0.177"
    page = write_page(other, record, rows, tmp_path / "page.html").read_text("utf-8")
    assert "macro F1 0.625 ± 0.177" in page
