"""A run finds its data from any folder, and says how to be pointed at data that was moved."""

import json
import shutil

import numpy as np
import pytest
from cli.command_line import QUICK, call, refused

import pastforward as pf
from pastforward.data import DataConfig
from pastforward.data.opening import located
from pastforward.recipes import RECIPES

TINY = ["--student.slots", "2", "--student.width", "8", "--teacher.width", "24"]
FAST = [*QUICK, *TINY, "--method", "smt"]
FEW = {"label": ("--sequences", "8"), "analyse": ("--sequences", "8")}
TEXT = "Once upon a time there was a memory. " * 60


@pytest.fixture
def home(tmp_path, monkeypatch, capsys):
    home = tmp_path / "A"
    home.mkdir()
    monkeypatch.chdir(home)
    (home / "notes.txt").write_text(TEXT)
    np.save(home / "i.npy", np.random.default_rng(0).integers(0, 256, (40, 4, 4), np.uint8))
    assert call(capsys, "train", "notes.txt", *FAST, "--name", "t").code == 0
    assert call(capsys, "train", "i.npy", *FAST, "--name", "i").code == 0
    return home


def test_from_any_folder(home, tmp_path, monkeypatch, capsys):
    run = str(home / "runs" / "t")
    expected = json.loads(call(capsys, "eval", run, "--json").out)
    config = json.loads((home / "runs/t/config.json").read_text())
    assert config["data"]["source"] == str(home / "notes.txt")
    other = tmp_path / "B"
    other.mkdir()
    for folder in ("/", other):
        monkeypatch.chdir(folder)
        found = json.loads(call(capsys, "eval", run, "--json").out)
        assert found["student"] == expected["student"]
        (other / "notes.txt").write_text("Another text of the same name. " * 60)
    for command in ("report", "doctor", "analyse", "label"):
        assert call(capsys, command, run, *FEW.get(command, ())).code in (0, 1), command
    store = json.loads((home / "runs/t/labels/store.json").read_text())
    assert store["run"] == run


def test_labels_from_any_folder(home, monkeypatch, capsys):
    assert call(capsys, "label", "t", "--sequences", "8").code == 0
    words = ["--steps", "2", "--fit.batch", "4", "--fit.evaluations", "1", "--name", "own"]
    assert call(capsys, "train", "--labels", "runs/t/labels", *words).code == 0
    config = json.loads((home / "runs/own/config.json").read_text())
    assert config["label_store"] == str(home / "runs/t/labels")
    monkeypatch.chdir("/")
    assert call(capsys, "doctor", str(home / "runs/own")).code in (0, 1)


def test_moved_data_is_pointed_at(home, capsys):
    (home / "new").mkdir()
    shutil.move(home / "notes.txt", home / "new" / "text.md")
    for command in ("eval", "report", "doctor", "analyse", "label"):
        line = refused(capsys, command, "t")
        assert f"The data of runs/t, '{home}/notes.txt', is not there; say where it lies" in line
        assert "--source PATH" in line
        words = "t", "--source", "new/text.md", *FEW.get(command, ())
        assert call(capsys, command, *words).code in (0, 1), command
    assert pf.open_run("t", source="new/text.md").evaluate(sequences=4).student.nats > 0
    (home / "runs/t/evaluation.json").unlink()
    words = ["train", "new/text.md", *FAST, "--name", "t", "--resume"]
    assert call(capsys, *words).code == 0
    assert call(capsys, "eval", "t").code == 0  # the resumed run knows the new place


def test_a_place_with_other_data_is_refused(home, capsys):
    (home / "other.txt").write_text(TEXT.replace("memory", "murmur"))
    assert "was trained on" in refused(capsys, "eval", "t", "--source", "other.txt")


@pytest.mark.parametrize("name", ["t", "i"])
def test_a_student_alone_generates(home, name, tmp_path, monkeypatch, capsys):
    lone = tmp_path / "lone"
    lone.mkdir()
    shutil.copy(home / "runs" / name / "student.safetensors", lone / "s.safetensors")
    shutil.rmtree(home)
    monkeypatch.chdir(lone)
    words = ["--tokens", "9"] if name == "t" else []
    said = call(capsys, "generate", "s.safetensors", *words)
    assert said.code == 0, said
    if name == "i":
        assert (lone / "generated.png").read_bytes().startswith(b"\x89PNG")
        assert "Rows: new images." in said.out


def test_a_run_of_images_completes_some_and_checks_its_data(home, capsys):
    assert "completed ones" in call(capsys, "generate", "i").out
    np.save(home / "i.npy", np.zeros((40, 4, 4), np.uint8))
    assert "was trained on" in refused(capsys, "generate", "i")


@pytest.mark.parametrize("source", ["copy:8", "digits", "pydoc", "memory:x", "hf:a/b", "mod:Name"])
def test_names_are_no_paths(source):
    assert located(DataConfig(source)).source == source


def test_recipes_of_files_are_located(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PASTFORWARD_DATA", raising=False)
    data = RECIPES.load("smnist")("bptt", "gru").data
    assert located(data).source == str(tmp_path / "mnist")
