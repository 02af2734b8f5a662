"""Runs on labelled sequences in files: opened again they read alike; others are refused."""

import numpy as np
import pytest
from data.label_samples import waves, write_csv

from pastforward.config import Budget
from pastforward.data import DataConfig, LabelledConfig
from pastforward.data.codec import LabelCodec
from pastforward.errors import UsageError
from pastforward.runs.opening import open_run
from pastforward.runs.request import TrainOptions
from pastforward.runs.training import train

QUICK = {"fit.batch": 4, "student.slots": 2, "student.width": 8, "teacher.width": 16}


def trained(name: str, **given):
    options = TrainOptions(changes=QUICK, data=DataConfig(**given))
    return train(name, budget=Budget(steps=6), name="run", options=options)


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, y = waves()
    np.savez("a.npz", x=x, y=np.array(["slow", "fast"])[y])
    trained("a.npz")
    run = open_run("run")
    assert isinstance(run.codec, LabelCodec)
    assert run.codec.classes == ("fast", "slow")
    assert run.source.codec == run.codec
    for other in ({"x": x, "y": np.array(["slow", "quick"])[y]}, {"x": 2 * x, "y": y},
                  {"x": x[:, :9], "y": np.array(["slow", "fast"])[y]}):  # fmt: skip
        np.savez("a.npz", **other)
        with pytest.raises(UsageError, match="put back the data that it was trained on"):
            _ = open_run("run").source


def test_a_task_and_its_options_are_kept_with_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "waves.csv")
    columns = {"target": ("speed",), "time": "t", "columns": ("sin", "cos")}
    trained("waves.csv", task="classify", options=LabelledConfig(**columns))
    run = open_run("run")
    assert run.config.data.task == "classify"
    assert run.source.signature == run.student.signature
    run.analyse("geometry", "future")  # of buckets of several lengths
    assert {path.name for path in (run.path / "analysis").glob("*.png")} >= {"geometry.png"}
