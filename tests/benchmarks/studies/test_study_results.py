"""Results that pages cite: files are there, rows tell their origin, pages are made of them."""

import json
import re

import pytest

from benchmarks.faults.page import filled as reliability
from benchmarks.paths import DOCS, RESULTS, ROOT
from benchmarks.studies import performance
from benchmarks.studies.__main__ import main
from benchmarks.studies.comparisons import (
    BITS,
    COMPARISONS,
    CURVES,
    MEMORY_SIZES,
    WITH_MLP,
    WITH_OTHERS,
)
from benchmarks.studies.files import FACTS, append, path_of, read, read_lines, rows_of
from benchmarks.studies.page import filled, made_from, templates

FILES = sorted(path for path in RESULTS.iterdir() if path.suffix in (".json", ".jsonl"))
PAGES = [
    ROOT / "README.md", DOCS / "performance.md", DOCS / "reliability.md", DOCS / "ship.md",
    *map(made_from, templates()),
]  # fmt: skip


def rows_in(path):
    return read_lines(path) if path.suffix == ".jsonl" else json.loads(path.read_text())["rows"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_row_has_its_origin(path):
    rows = rows_in(path)
    assert rows
    assert all({"command", *FACTS} <= row.keys() for row in rows)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_cited_by_a_page(path):
    assert any(path.name in page.read_text() for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_that_a_page_cites_is_there(page):
    cited = set(re.findall(r"benchmarks/results/[\w.+-]+?\.jsonl?", page.read_text()))
    assert [name for name in sorted(cited) if not (ROOT / name).exists()] == []


def test_groups_hold_names_of_comparisons():
    groups = {*BITS, *CURVES, *MEMORY_SIZES, *WITH_MLP, *WITH_OTHERS}
    assert groups <= COMPARISONS.keys()


@pytest.mark.parametrize("template", templates(), ids=lambda path: path.name)
def test_the_pages_of_results_are_made_of_the_rows(template):
    assert made_from(template).read_text() == filled(template.read_text())


def test_the_page_of_performance_is_made_of_the_rows():
    text = (DOCS / "performance.in.md").read_text()
    assert (DOCS / "performance.md").read_text() == performance.filled(text)


def test_the_page_of_reliability_is_made_of_the_rows():
    text = (DOCS / "reliability.in.md").read_text()
    assert (DOCS / "reliability.md").read_text() == reliability(text)


def test_all_places_of_the_pages_are_filled():
    for page in PAGES[1:]:
        assert re.findall(r"^\{[\w -]+\}$", page.read_text(), re.MULTILINE) == []
        assert "not run yet" not in page.read_text()


def test_rows_of_a_comparison():
    (row,) = (row for row in rows_of("retrieval") if (row.strategy, row.seed) == ("smt+dmt", 0))
    assert (row.task, row.cell, row.T) == ("retrieval:512", "mlp", 512)
    assert row.references["uniform"] == pytest.approx(2.0794, abs=1e-4)
    assert path_of("retrieval") in FILES
    assert read("no such comparison") == []


def test_appended_rows_have_their_origin(tmp_path, capsys):
    append(tmp_path / "rows.jsonl", "a command", {"nats": 1.0})
    append(tmp_path / "rows.jsonl", "a command", {"nats": 2.0})
    rows = read_lines(tmp_path / "rows.jsonl")
    assert [row["nats"] for row in rows] == [1.0, 2.0]
    assert all(row["command"] == "a command" and {*FACTS} <= row.keys() for row in rows)
    assert read_lines(tmp_path / "nothing.jsonl") == []


def test_an_unknown_study_is_refused(capsys):
    assert main(["retrievel"]) == 2
    assert "no study 'retrievel'; did you mean 'retrieval'" in capsys.readouterr().err
    assert main(["--help"]) == 0
    assert "python -m benchmarks.studies" in capsys.readouterr().out
