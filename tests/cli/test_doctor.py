"""What `doctor` says of runs: table, page, JSON and exit code."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from command_line import QUICK, TINY, call, refused
from markupsafe import escape
from safetensors.torch import load_file, save_file

import pastforward.training.trainer as trainer_module
from pastforward.analysis import checks as doctor
from pastforward.analysis.checks.table import CHECKS
from pastforward.cli.main import main

WELL = [
    "train", "copy:6", "--method", "bptt", "--steps", "120", "--stages.0.lr", "1e-2", "--fit.batch",
    "32", "--cell", "gru", "--student.slots", "1", "--student.width", "32",
]  # fmt: skip


def found(said) -> dict[str, str]:
    return {f["check"]: f["level"] for f in json.loads(said.out)["checks"]}


def test_a_run_of_three_steps_has_faults(shop, capsys):
    said = call(capsys, "doctor", "tale-smt+dmt")
    assert said.code == 1
    assert said.err == ""
    assert said.last == "Page: runs/tale-smt+dmt/doctor.html"
    for name in CHECKS:
        assert name in said.out
    for shown in ("failed", "Usual cause:", "Try:", "--seconds"):
        assert shown in said.out
    assert max(map(len, said.out.splitlines())) <= 80


@pytest.mark.parametrize("run", ["squares-bptt", "walk-smt+dmt", "both/bptt", "both/smt+dmt"])
def test_every_kind_of_data(run, shop, capsys):
    said = call(capsys, "doctor", run, "--json", "--sequences", "32")
    assert said.code in (0, 1)
    levels = found(said)
    assert list(levels) == list(CHECKS)
    assert levels["student: no future"] == "ok"
    assert levels["targets: no future"] == ("skipped" if "bptt" in run else "ok")
    verdict = "failed" if "failed" in levels.values() else "warning"
    assert json.loads(said.out)["verdict"] == verdict
    assert said.code == (verdict == "failed")
    assert said.err == f"Page: runs/{run}/doctor.html\n"


def test_a_healthy_run_is_exit_code_0(here, capsys):
    assert main(WELL) == 0
    said = call(capsys, "doctor", "copy6-bptt", "--json")
    assert said.code == 0, said.out
    assert "failed" not in found(said).values()


def test_the_page_loads_nothing_and_says_all(shop, capsys):
    folder = Path("runs/tale-smt+dmt")
    said = call(capsys, "doctor", "tale-smt+dmt", "--json")
    page = (folder / "doctor.html").read_text("utf-8")
    assert "http:" not in page
    assert "https:" not in page
    assert not re.search(r"<(script|link|iframe|img)\b|@import", page)
    assert "url(" not in re.sub(r"url\(#\w+\)", "", page)
    assert page.count("<svg") == page.count("</svg>") == 3
    for result in json.loads(said.out)["checks"]:
        assert result["check"] in page
        assert escape(result["measured"]) in page
    assert call(capsys, "doctor", "both/bptt", "--json").code in (0, 1)
    assert Path("runs/both/bptt/doctor.html").read_text("utf-8").count("<svg") == 2


def test_weights_that_are_not_finite(shop, capsys):
    path = Path("runs/both/bptt/student.safetensors")
    edited = load_file(path)
    edited["readout.net.up.weight"][0, 0] = float("nan")
    facts = json.dumps(described(path))
    save_file(edited, path, {"pastforward.student": facts})
    said = call(capsys, "doctor", "both/bptt", "--json")
    assert said.code == 1
    assert found(said)["finite weights"] == "failed"
    assert found(said)["student beats reference"] == "skipped"
    assert call(capsys, "doctor", "both/bptt").code == 1


def described(path: Path) -> dict:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["pastforward.student"])


def test_a_stopped_run_is_examined_as_it_was_saved(shop, capsys):
    whole = call(capsys, "doctor", "tale-smt+dmt", "--json")
    for name in ("student.safetensors", "teacher.safetensors", "evaluation.json"):
        (shop / "runs" / "tale-smt+dmt" / name).unlink()
    said = call(capsys, "doctor", "tale-smt+dmt", "--json")
    assert said.code == 1
    levels = found(said)
    assert levels.pop("run finished") == "warning"
    # The checkpoint of the end holds the best student and its teacher: the same figures.
    expected = found(whole)
    assert expected.pop("run finished") == "ok"
    assert levels == expected


def test_nothing_was_saved_yet(here, capsys, monkeypatch):
    def full(*_):
        raise OSError("no room")

    monkeypatch.setattr(trainer_module, "save_student", full)
    assert main(["train", "copy:8", "--method", "bptt", *QUICK, *TINY]) == 2
    assert "(no room); check the path" in capsys.readouterr().err
    assert "finish it with --resume" in refused(capsys, "doctor", "copy8-bptt")
    assert not Path("runs/copy8-bptt/doctor.html").exists()


def test_a_damaged_checkpoint(shop, capsys):
    run = shop / "runs" / "tale-smt+dmt"
    (run / "student.safetensors").unlink()
    other = shop / "runs" / "both" / "bptt" / "checkpoints" / "last.safetensors"
    shutil.copy(other, run / "checkpoints" / "last.safetensors")
    assert "does not fit" in refused(capsys, "doctor", "tale-smt+dmt")
    (run / "checkpoints" / "last.safetensors").write_bytes(b"no")
    assert "cut short" in refused(capsys, "doctor", "tale-smt+dmt")


def test_a_student_of_stored_labels_is_compared_with_the_teacher_that_wrote_them(shop, capsys):
    assert main(["label", "both/smt+dmt", "--sequences", "16"]) == 0
    words = ["train", "--labels", "runs/both/smt+dmt/labels", *QUICK, "--name", "stored"]
    assert main(words) == 0
    assert found(call(capsys, "doctor", "stored", "--json"))["targets: no future"] == "ok"
    os.rename("runs/both", "runs/elsewhere")
    assert found(call(capsys, "doctor", "stored", "--json"))["targets: no future"] == "skipped"


def test_bad_input(shop, capsys):
    assert "no run 'tail'" in refused(capsys, "doctor", "tail")
    assert "choose one of" in refused(capsys, "doctor", "both")
    assert "--sequences is 1" in refused(capsys, "doctor", "tale-smt+dmt", "--sequences", "1")
    assert "see pastforward doctor --help" in refused(capsys, "doctor")
    assert not Path("runs/tale-smt+dmt/doctor.html").exists()


def test_advice_names_options_that_exist(capsys):
    text = "".join(p.read_text("utf-8") for p in Path(doctor.__file__).parent.glob("*.py"))
    # Adjacent strings of a sentence that was broken over lines.
    advised = set(re.findall(r"--[a-z][\w.-]*\w", re.sub(r'"\s*\n\s*"', "", text)))
    advised = {option.replace("stages.N", "stages.0") for option in advised}
    assert {"--smt.uniformity", "--stages.0.share", "--dmt.window"} <= advised
    words = (["train", "copy32", "--cell", "gru", "--help"], ["compare", "copy32", "--help"])
    known = "".join(call(capsys, *line).out for line in words)
    assert not [option for option in advised if option not in known]
