"""What `eval`, `generate`, `report` and `list` do with runs of three steps."""

import json
import math
import re
import shutil

import pytest
from command_line import QUICK, TINY, call, refused

from pastforward.student_file import load_student

PARTS = {"config.json", "metrics.jsonl", "student.safetensors", "checkpoints", "evaluation.json"}


def test_eval_for_people(shop, capsys):
    said = call(capsys, "eval", "tale-smt+dmt")
    assert said.code == 0
    for shown in ("nats", "unigram", "reference", "Drift", "t=16", "Targets", "similarity"):
        assert shown in said.out
    assert said.last == "Figures: runs/tale-smt+dmt/evaluation.json"


def test_eval_for_programs(shop, capsys):
    said = call(capsys, "eval", "runs/both/smt+dmt", "--json")
    found = json.loads(said.out)
    for part in (found["student"], found["teacher"], found["references"]["unigram"]):
        assert part["bits"] == pytest.approx(part["nats"] / math.log(2))
    assert len(found["drift"]["mse"]) == 8  # m_0..m_7: no y_8 counts in copy:8
    assert found["collapse"].keys() == {"student", "targets"}
    assert found["facts"]["serial_calls"] == {
        "teacher": 0, "smt": 1, "teacher-forced 4": 4, "dmt": 8,
    }  # fmt: skip
    assert found["facts"]["steps"] == 3
    assert found["references"]["best"] == {
        "nats": 0.0, "bits": 0.0, "bits_per_byte": None,
    }  # fmt: skip
    alone = json.loads(call(capsys, "eval", "both/bptt", "--json").out)
    assert (alone["teacher"], alone["drift"]) == (None, None)


def test_what_programs_find_in_an_evaluation(shop, capsys):
    said = call(capsys, "eval", "tale-smt+dmt", "--json", "--sequences", "8")
    found = json.loads(said.out)
    assert {"run", "student", "teacher", "references", "drift", "collapse", "facts"} <= found.keys()
    assert found["run"] == "tale-smt+dmt"
    assert found["references"].keys() == {"unigram", "uniform"}
    for part in (found["student"], found["teacher"], *found["references"].values()):
        assert part["nats"] > 0
        assert part["bits"] == pytest.approx(part["nats"] / math.log(2))
    assert len(found["student"]["by_position"]) == 16
    # Drift and memories are given for t = 0..T; all numbers are finite.
    assert len(found["drift"]["mse"]) == len(found["drift"]["relative"]) == 17
    assert all(math.isfinite(value) for value in found["drift"]["relative"])
    for meter in found["collapse"].values():
        assert meter["rank"] >= 1.0
        assert -1.0 <= meter["similarity"] <= 1.0
    assert said.err == "Figures: runs/tale-smt+dmt/evaluation.json\n"


def test_eval_is_what_training_found(shop, capsys):
    path = shop / "runs" / "tale-smt+dmt" / "evaluation.json"
    before = json.loads(path.read_text())
    assert call(capsys, "eval", "tale-smt+dmt").code == 0
    after = json.loads(path.read_text())
    assert after["facts"] == before["facts"]
    assert after["evaluation"]["student"]["nats"] == pytest.approx(
        before["evaluation"]["student"]["nats"], rel=1e-5
    )


def test_eval_of_another_split_is_not_kept(shop, capsys):
    path = shop / "runs" / "tale-smt+dmt" / "evaluation.json"
    before = path.read_bytes()
    said = call(capsys, "eval", "tale-smt+dmt", "--split", "valid", "--sequences", "2")
    assert said.code == 0
    assert path.read_bytes() == before
    assert "did you mean 'valid'" in refused(capsys, "eval", "tale-smt+dmt", "--split", "val")
    refused(capsys, "eval", "tale-smt+dmt", "--sequences", "0")


def test_a_comparison_is_no_single_run(shop, capsys):
    assert "choose one of both/bptt, both/smt+dmt" in refused(capsys, "eval", "both")


def test_generate_text_needs_the_student_alone(shop, capsys):
    folder = shop / "runs" / "tale-smt+dmt"
    lone = shop / "lone.safetensors"
    shutil.copy(folder / "student.safetensors", lone)
    shutil.rmtree(shop / "runs")
    (shop / "tale.txt").unlink()
    words = ["generate", "lone.safetensors", "--prompt", "Once", "--tokens", "20"]
    said = call(capsys, *words)
    text, last = said.out[:-1].rsplit("\n", 1)
    assert said.code == 0
    assert text.startswith("Once")
    assert len(text) == 24
    assert last == "Drawn by: lone.safetensors"
    assert call(capsys, *words).out == said.out
    assert call(capsys, *words, "--seed", "1").out != said.out


def test_generate_options(shop, capsys):
    words = ["generate", "tale-smt+dmt", "--tokens", "12"]
    greedy = call(capsys, *words, "--temperature", "0").out
    assert call(capsys, *words, "--temperature", "0", "--seed", "5").out == greedy
    assert call(capsys, *words, "--top-k", "1").out == greedy
    said = call(capsys, *words, "--prompt", "Once", "--out", "drawn.txt")
    assert said.last == "Text: drawn.txt"
    assert len((shop / "drawn.txt").read_text()) == 16
    assert "'#'" in refused(capsys, *words, "--prompt", "#")
    assert "empty prompt" in refused(capsys, *words, "--prompt", "")
    assert "top_k 0" in refused(capsys, *words, "--top-k", "0")
    refused(capsys, *words, "--temperature", "-1")
    refused(capsys, "generate", "tale-smt+dmt", "--tokens", "0")
    refused(capsys, *words, "--out", "no/such/folder/drawn.txt")


def test_generate_symbols(shop, capsys):
    words = ["generate", "both/smt+dmt", "--prompt", "1 2 3 4", "--tokens", "4"]
    shown = call(capsys, *words).out.splitlines()[0].split()
    assert shown[:4] == ["1", "2", "3", "4"]
    assert len(shown) == 8
    assert "no symbol" in refused(capsys, *words, "--prompt", "one two")


def test_generate_images(shop, capsys):
    said = call(capsys, "generate", "squares-bptt", "--out", "drawn.png")
    assert said.last == "Picture: drawn.png"
    assert (shop / "drawn.png").read_bytes().startswith(b"\x89PNG")
    assert call(capsys, "generate", "squares-bptt").last == (
        "Picture: runs/squares-bptt/generated.png"
    )
    assert "--prompt" in refused(capsys, "generate", "squares-bptt", "--prompt", "x")


def test_generate_of_a_series_says_where_to_go(shop, capsys):
    assert "pastforward forecast walk-smt+dmt" in refused(capsys, "generate", "walk-smt+dmt")


def test_report(shop, capsys):
    assert call(capsys, "report", "both").last == "Report: runs/both/report.html"
    one = call(capsys, "report", "tale-smt+dmt", "--out", "page.html")
    assert one.last == "Report: page.html"
    assert "<svg" in (shop / "page.html").read_text()
    many = call(capsys, "report", "walk-smt+dmt", "both", "squares-bptt")
    assert many.last == "Report: runs/report.html"
    refused(capsys, "report", "tale-smt+dmt", "nothing-like-it")


def test_list(shop, capsys):
    said = call(capsys, "list")
    assert said.code == 0
    tables = ("copy64", "two-stage", "transformer", "registers", "teacher-forced", "mamba2")
    for shown in (*tables, "both/smt+dmt", "tale-smt"):
        assert shown in said.out
    assert re.search(r"\n  key_values +pairs are shown", said.out)
    assert "T = 64, pairs=8 (pairs shown), symbols=16 (different symbols)" in said.out
    assert said.last == "Runs lie in: runs/"
    shutil.rmtree(shop / "runs")
    assert "train one" in call(capsys, "list").last


def test_the_nearest_run_is_named(shop, capsys):
    assert "did you mean 'tale-smt+dmt'" in refused(capsys, "eval", "tale-smt")


@pytest.mark.parametrize("damage", [b"", b"\x80" * 300, None])
def test_weights_that_are_no_weights(damage, shop, capsys):
    folder = shop / "runs" / "tale-smt+dmt"
    for name in ("student", "teacher"):
        path = folder / f"{name}.safetensors"
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
        assert f"{name}.safetensors" in refused(capsys, "eval", "tale-smt+dmt")
        path.write_bytes(whole)
    shutil.copy(shop / "runs/both/smt+dmt/teacher.safetensors", folder / "teacher.safetensors")
    assert "does not fit" in refused(capsys, "eval", "tale-smt+dmt")
    shutil.copy(folder / "teacher.safetensors", folder / "student.safetensors")
    for command in ("eval", "generate", "report"):
        assert "student.safetensors" in refused(capsys, command, "tale-smt+dmt")


def test_data_that_changed_since(shop, capsys):
    (shop / "tale.txt").write_text("XYZ " * 300)
    line = refused(capsys, "eval", "tale-smt+dmt", "--source", "tale.txt")
    assert "put back the data that it was trained on" in line


def test_damaged_json(shop, capsys):
    folder = shop / "runs" / "tale-smt+dmt"
    (folder / "evaluation.json").write_text("{}")
    assert "pastforward eval" in refused(capsys, "report", "tale-smt+dmt")
    assert "can't be read" in call(capsys, "list").out
    assert call(capsys, "eval", "tale-smt+dmt").code == 0
    words = ["train", "tale.txt", "--data.length", "16", *QUICK, *TINY]
    for content in ("{", "[1]", '{"data": 3}', "", "null"):
        (folder / "config.json").write_text(content)
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert "config.json" in refused(capsys, "eval", "tale-smt+dmt")
        assert "config.json" in refused(capsys, *words, "--resume")
        assert {path: path.read_bytes() for path in before} == before


def test_a_run_that_is_not_finished(shop, capsys):
    folder = shop / "runs" / "tale-smt+dmt"
    for name in ("student.safetensors", "evaluation.json"):
        (folder / name).unlink()
    for command in ("eval", "generate"):
        assert "--resume" in refused(capsys, command, "tale-smt+dmt")
    assert "not finished" in call(capsys, "list").out
    words = ["train", "tale.txt", "--data.length", "16", *QUICK, *TINY, "--resume"]
    assert call(capsys, *words).code == 0
    assert load_student(folder / "student.safetensors")
