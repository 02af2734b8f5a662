"""`analyse` on runs of three steps: what it writes, says and refuses."""

import json

import pytest
from command_line import call, refused

FEW = ["--sequences", "24"]


def test_everything_that_suits(shop, capsys):
    said = call(capsys, "analyse", "both/smt+dmt", *FEW)
    assert said.code == 0, said.err
    for shown in ("compounding", "start, F = 1", "length 128", "first: student", "j = 7"):
        assert shown in said.out
    folder = shop / "runs" / "both" / "smt+dmt" / "analysis"
    names = {path.stem for path in folder.glob("*.png")}
    assert names >= {"gap", "credit", "lengths", "geometry-first", "probe-first", "future"}
    assert said.last == (
        "Page: runs/both/smt+dmt/analysis/analysis.html, with pictures and analysis.json beside it"
    )
    page = (folder / "analysis.html").read_text()
    assert page.count("<svg") == page.count("</svg>") == len(names)
    assert "compounding" in page
    kept = json.loads((folder / "analysis.json").read_text())
    assert kept.keys() == {"gap", "credit", "lengths", "geometry", "future"}
    assert call(capsys, "analyse", "both/smt+dmt", "gap", *FEW).code == 0
    assert json.loads((folder / "analysis.json").read_text()) == kept


def test_for_programs(shop, capsys):
    said = call(capsys, "analyse", "both/smt+dmt", "gap", "--json", *FEW)
    gap = json.loads(said.out)["gap"]
    assert sum(gap["parts"].values()) == pytest.approx(gap["total"])
    assert [row["steps"] for row in gap["after"]] == [0, 1, 2, 4, 8]


def test_what_does_not_suit_is_told_or_refused(shop, capsys):
    said = call(capsys, "analyse", "both/bptt", "--json", *FEW)
    assert said.code == 0
    assert json.loads(said.out).keys() == {"run", "credit", "lengths", "geometry", "future"}
    assert "gap left out: " in said.err
    assert "has no teacher" in refused(capsys, "analyse", "both/bptt", "gap")
    assert "have 16 steps" in refused(capsys, "analyse", "squares-bptt", "lengths", *FEW)
    assert "real vectors" in refused(capsys, "analyse", "walk-smt+dmt", "future", *FEW)


def test_text_ends_somewhere(shop, capsys):
    said = call(capsys, "analyse", "tale-smt+dmt", "lengths", *FEW)
    assert said.code == 0
    assert "length 32" in said.out


def test_bad_input(shop, capsys):
    assert "did you mean 'gap'" in refused(capsys, "analyse", "both/bptt", "gaps")
    assert "give 2 or more" in refused(capsys, "analyse", "both/bptt", "--sequences", "1")
    (shop / "runs" / "both" / "bptt" / "analysis").write_text("mine")
    assert "make room" in refused(capsys, "analyse", "both/bptt", "credit")
