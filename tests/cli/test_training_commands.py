"""What `train` and `compare` do, in three steps."""

import errno
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas
import pytest
import torch
from command_line import QUICK, TINY, call, refused

import pastforward.training.trainer as trainer_module
from pastforward.errors import UsageError

PARTS = {
    "config.json",
    "data.json",
    "metrics.jsonl",
    "student.safetensors",
    "checkpoints",
    "evaluation.json",
}


def test_train_leaves_a_whole_run(shop):
    found = {p.name for p in (shop / "runs" / "tale-smt+dmt").iterdir()}
    assert found == PARTS | {"teacher.safetensors", "report.html"}
    found = {p.name for p in (shop / "runs" / "squares-bptt").iterdir()}
    assert found == PARTS | {"report.html", "samples.png"}
    assert [p.name for p in (shop / "runs" / "tale-smt+dmt" / "checkpoints").iterdir()] == [
        "last.safetensors"
    ]


def test_train_shows_table_samples_and_place(here, capsys):
    said = call(capsys, "train", "copy:8", "--name", "mine", *QUICK, *TINY)
    assert said.code == 0
    for shown in ("nats", "bits", "teacher of", "unigram", "best possible", "predicted"):
        assert shown in said.out
    assert said.last == "Report: runs/mine/report.html"
    assert "stage 4 of 4: dmt" in said.err


def test_train_is_quiet_and_tracked_where_asked(here, capsys, monkeypatch):
    heard = []
    tracker = SimpleNamespace(
        init=lambda **given: heard.append(given["name"]),
        log=lambda row, step: heard.append((step, *row)),
        Table=lambda columns, data: data,
        Image=None,
        finish=lambda: heard.append("finished"),
    )
    monkeypatch.setitem(sys.modules, "trackio", tracker)
    said = call(
        capsys, "train", "copy:8", "--name", "mine", *QUICK, *TINY, "--quiet", "--track", "trackio",
        "--method", "bptt",
    )  # fmt: skip
    assert said.code == 0
    assert said.err == ""
    assert said.last == "Report: runs/mine/report.html"
    evaluated = (3, "test/loss", "test/accuracy"), (3, "samples")
    assert heard == ["mine", (3, "valid"), *evaluated, "finished"]
    said = call(capsys, "report", "mine", "--csv", "losses.csv")
    assert said.last == "Metrics: losses.csv"
    table = pandas.read_csv("losses.csv")
    assert set(table.run) == {"runs/mine"}
    assert {"stage", "step", "tokens", "valid"} <= set(table.columns)


def test_a_log_has_plain_lines(here):
    words = "train", "copy:8", "--name", "a-name-that-is-rather-long", *QUICK, *TINY
    with open("log", "w") as log:
        command = [sys.executable, "-m", "pastforward", *words]
        env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=True, env=env)
    said = Path("log").read_text(encoding="utf-8")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said)  # no colours, no bars
    lines = [line.strip() for line in said.splitlines()]
    stages = [line for line in lines if line.startswith("stage ")]
    assert stages[-1] == "stage 4 of 4: dmt"
    assert len(set(stages)) == len(stages)  # those that have a step
    assert len(lines) < 50
    run = "a-name-that-is-rather-long"
    for name in (run, f"teacher of {run}", "unigram reference"):
        assert sum(line.startswith(name) and line.endswith(("-", "8")) for line in lines) == 1
    assert lines[-1] == f"Report: runs/{run}/report.html"


def test_train_on_a_task_with_axes(here, capsys):
    name = "recency:9,symbols=3,half=1"
    said = call(capsys, "train", name, *QUICK, *TINY)
    assert said.code == 0
    for shown in ("best possible", "unigram", "reference", "predicted"):
        assert shown in said.out
    assert said.last == "Report: runs/recency9-symbols3-half1-smt+dmt/report.html"
    config = json.loads((here / "runs" / "recency9-symbols3-half1-smt+dmt/config.json").read_text())
    assert config["data"]["source"] == name


def test_train_refuses_resumes_and_overwrites(shop, capsys):
    words = ["train", "copy:8", "--name", "one", *QUICK, *TINY]
    assert call(capsys, *words).code == 0
    folder = shop / "runs" / "one"
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert "--resume" in refused(capsys, *words)
    assert "another seed" in refused(capsys, *words, "--resume", "--seed", "1")
    longer = ["--steps", "30", *words[6:]]
    assert "is finished" in refused(capsys, *words[:4], *longer, "--resume")
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    resume_command = call(capsys, *words, "--resume")
    assert (resume_command.code, resume_command.last) == (0, "Report: runs/one/report.html")
    assert "is finished" in resume_command.err
    assert call(capsys, *words, "--overwrite", "--seed", "1").code == 0
    assert (folder / "student.safetensors").read_bytes() != before[folder / "student.safetensors"]


def test_a_folder_of_my_own_stays(here, capsys):
    (here / "runs" / "mine").mkdir(parents=True)
    (here / "runs" / "mine" / "notes").write_text("years of work")
    for option in ([], ["--overwrite"]):
        words = ["train", "copy:8", "--name", "mine", *QUICK, *TINY, *option]
        assert "made by no run" in refused(capsys, *words)
    assert (here / "runs" / "mine" / "notes").exists()


def test_compare_makes_a_run_of_each_method(shop, capsys):
    root = shop / "runs" / "both"
    pages = {"grid.json", "results.json", "report.html"}
    assert {p.name for p in root.iterdir()} == {"bptt", "smt+dmt"} | pages
    words = ["compare", "copy:8", "--name", "both", "--methods", "bptt", "smt+dmt", *QUICK, *TINY]
    assert "already holds" in refused(capsys, *words)
    shutil.rmtree(root / "smt+dmt")
    before = (root / "bptt" / "student.safetensors").stat().st_mtime_ns
    said = call(capsys, *words, "--resume")
    assert said.code == 0
    assert "runs/both/bptt is finished" in said.err
    assert (root / "bptt" / "student.safetensors").stat().st_mtime_ns == before
    assert said.last == "Report: runs/both/report.html"
    rows = [line.split() for line in said.out.splitlines()]
    assert [row[0] for row in rows if row and row[0] in ("bptt", "smt+dmt")][:2] == [
        "bptt", "smt+dmt",
    ]  # fmt: skip
    assert "already holds a single run" in refused(
        capsys, "compare", "copy:8", "--name", "tale-smt+dmt", *QUICK
    )


def test_methods_of_a_comparison_differ_in_their_stages_alone(shop):
    configs = [
        json.loads((shop / "runs" / "both" / strategy / "config.json").read_text())
        for strategy in ("bptt", "smt+dmt")
    ]
    stages = [config.pop("stages") for config in configs]
    assert configs[0] == configs[1]
    assert [s["method"] for s in stages[0]] == ["bptt"]
    assert [s["method"] for s in stages[1]] == ["teacher", "smt", "teacher-forced", "dmt"]


def test_a_loss_that_is_not_finite_is_exit_code_1(here, capsys):
    words = ["train", "copy:8", "--method", "bptt", "--stages.0.lr", "1e38", "--fit.warmup", "0"]
    said = call(capsys, *words, "--steps", "20", *TINY)
    assert said.code == 1
    line = said.err.splitlines()[-1]
    assert line.startswith("pastforward: 'readout' is nan at step")
    assert "Traceback" not in said.err


def test_a_compiler_that_fails_is_a_warning(here, capsys, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no compiler found")

    monkeypatch.setattr(torch, "compile", broken)
    words = ["train", "copy:8", "--method", "bptt", *QUICK, *TINY]
    with pytest.warns(UserWarning, match=r"torch.compile failed \(no compiler found\)"):
        said = call(capsys, *words, "--fit.compile", "on", "--name", "one")
    assert (said.code, said.last) == (0, "Report: runs/one/report.html")
    assert call(capsys, *words, "--fit.compile", "off", "--name", "other").code == 0
    one, other = ((here / "runs" / n / "student.safetensors") for n in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_at_the_start_leaves_nothing_and_takes_nothing(here, capsys, monkeypatch):
    words = ["train", "copy:8", "--name", "one", *QUICK, *TINY]
    for option in ([], ["--overwrite"]):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            assert "No space left" in refused(capsys, *words, *option)
        assert [p.name for p in (here / "runs").iterdir()] == ["one"] * bool(option)
        assert call(capsys, *words, *option).code == 0  # for want of space alone it failed


def test_a_full_disk_later_says_how_to_go_on(here, capsys, monkeypatch):
    words = ["train", "copy:8", *QUICK, *TINY]
    monkeypatch.setattr(trainer_module, "save_tensors", no_room)
    said = call(capsys, *words)
    assert said.code == 2
    line = said.err.splitlines()[-1]
    assert "No space left" in line
    assert line.endswith(f"Then go on with: {shlex.join(['pastforward', *words, '--resume'])}")
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert call(capsys, *words, "--resume").code == 0


def no_room(*_):
    raise UsageError("'last.safetensors' could not be written (No space left on device).")
