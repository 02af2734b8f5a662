"""Damaged files that were once a traceback, or were waited for, are one line."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli.command_line import QUICK, TINY, call, refused

from pastforward.files import read_json, read_tensors, write_atomically
from pastforward.runs.comparison.record import read_record
from pastforward.training.folder import MetricsLog

RUN = ["train", "copy:8", "--method", "smt", "--name", "one", *QUICK, *TINY]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A folder with a finished run, and a comparison of two."""
    folder, before = tmp_path_factory.mktemp("files"), os.getcwd()
    os.chdir(folder)
    try:
        from pastforward.cli.main import main

        assert main(RUN) == 0
        words = ["compare", "copy:8", "--methods", "bptt", "--seeds", "0", "1", "--name", "two"]
        assert main([*words, *QUICK, *TINY[:4]]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def home(first, tmp_path, monkeypatch):
    shutil.copytree(first, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


ROWS = [
    "[]", "3", "null", '{"step": 1}', '{"step": 1, "seconds": "2"}',
    '{"step": 1, "seconds": null}', '{"step": 1, "seconds": 2, "valid": [1]}',
    '{"step": 1, "seconds": 2, "stage": 3}', f'{{"step": {10**400}, "seconds": 2}}', "[" * 99_999,
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_rows_that_are_no_metrics(row, home, capsys):
    path = home / "runs/one/metrics.jsonl"
    path.write_text(row + "\n")
    assert "remove the damaged line" in refused(capsys, "report", "one")


@pytest.mark.parametrize(
    "change",
    [
        lambda saved: saved["evaluation"].pop("student"),
        lambda saved: saved["evaluation"]["student"].update(nats="much"),
        lambda saved: saved["evaluation"].update(references=[1]),
        lambda saved: saved["evaluation"]["student"].update(by_position=3),
        lambda saved: saved["facts"].update(seconds="long"),
        lambda saved: saved["facts"].update(serial_calls={"bptt": [8]}),
        lambda saved: saved["facts"].update(config={"data": 3}),
        lambda saved: saved.update(facts=[]),
    ],
)
def test_figures_that_are_none(change, home, capsys):
    path = home / "runs/one/evaluation.json"
    saved = json.loads(path.read_text())
    change(saved)
    path.write_text(json.dumps(saved))
    assert "make it anew with: pastforward eval" in refused(capsys, "report", "one")
    assert call(capsys, "eval", "one", "--sequences", "4").code == 0
    assert call(capsys, "report", "one").code == 0


def test_losses_that_are_not_finite_stay_figures(home, capsys):
    path = home / "runs/one/evaluation.json"
    saved = json.loads(path.read_text())
    saved["evaluation"]["student"] |= {"nats": None, "error": None, "by_position": [None, 1.0]}
    path.write_text(json.dumps(saved))
    assert call(capsys, "report", "one").code == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan.update(sources=3),
        lambda plan: plan.pop("command"),
        lambda plan: plan["grid"].update(seeds=[]),
        lambda plan: plan["grid"].update(tasks=["copy:8", "copy:8"]),
    ],
)
def test_plans_that_are_none(change, home, capsys):
    path = home / "runs/two/grid.json"
    plan = json.loads(path.read_text())
    assert read_record(path.parent).command == plan["command"]
    change(plan)
    path.write_text(json.dumps(plan))
    assert "begin the comparison again" in refused(capsys, "report", "two")


@pytest.mark.parametrize("name", ["student.safetensors", "teacher.safetensors", "config.json"])
def test_a_pipe_is_not_waited_for(name, home, capsys):
    path = home / "runs/one" / name
    path.unlink()
    os.mkfifo(path)
    assert name in refused(capsys, "eval", "one")
    for read in (read_json, read_tensors):
        with pytest.raises(OSError, match="no file"):
            read(path)


def test_metrics_that_are_a_folder_are_none(tmp_path):
    (tmp_path / "metrics.jsonl").mkdir()
    assert MetricsLog(tmp_path / "metrics.jsonl").read() == []


def test_a_device_is_written_to_and_stays():
    master, slave = os.openpty()
    try:
        path = Path(os.ttyname(slave))
        write_atomically(path, b"drawn")
        assert os.read(master, 5) == b"drawn"
        assert path.is_char_device()
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    "content",
    ["a,b\n" + "1,2\n" * 20 + "x" * 140_000 + ",1\n", "a,b\n1,2\n1,2,3\n" + "9" * 140_000],
)
def test_a_table_with_an_endless_cell(content, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(content)
    refused(capsys, "train", "t.csv", "--steps", "1")


@pytest.mark.parametrize("name", ["waves.parquet", "waves.csv"])
def test_a_folder_that_is_named_as_a_table(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    words = ["--data.task", "classify", "--data.target", "y", "--steps", "1"]
    refused(capsys, "train", name, *words)


@pytest.mark.parametrize("name", ["x", "y", "mask", "lengths"])
def test_arrays_of_a_single_number(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arrays = {"x": np.zeros((40, 4)), "y": np.arange(40) % 2} | {name: np.array(3)}
    np.savez("a.npz", **arrays)
    refused(capsys, "compare", "a.npz", "--plan", "--steps", "1")


@pytest.mark.parametrize(
    "words",
    [["train", "~nobody"], ["train", "--labels", "~nobody"], ["compare", "~nobody/x.csv", "--plan"],
     ["report", "one", "--out", ""], ["train", "pipe"]],
)  # fmt: skip
def test_places_that_are_none(words, home, capsys):
    (home / "pipe").mkdir()
    os.mkfifo(home / "pipe" / "train-labels-idx1-ubyte")
    refused(capsys, *words)
