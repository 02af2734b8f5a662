import os
import shutil

import numpy as np
import pytest
from command_line import QUICK, TEXT, TINY

from pastforward.cli.main import main


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    """A folder with finished runs on text, images, a series and a task."""
    folder = tmp_path_factory.mktemp("workshop")
    before = os.getcwd()
    os.chdir(folder)
    try:
        (folder / "tale.txt").write_text(TEXT)
        generator = np.random.default_rng(0)
        np.save(folder / "squares.npy", generator.integers(0, 256, (40, 4, 4)))
        rows = np.cumsum(generator.normal(size=(400, 2)), 0)
        np.savetxt(folder / "walk.csv", rows, delimiter=",", header="north,east", comments="")
        for words in (
            ["train", "tale.txt", "--data.length", "16"],
            ["train", "squares.npy", "--method", "bptt"],
            ["train", "walk.csv", "--data.length", "8"],
            ["compare", "copy:8", "--name", "both", "--methods", "bptt", "smt+dmt"],
        ):
            assert main([*words, *QUICK, *TINY]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def shop(workshop, tmp_path, monkeypatch):
    """The current folder is a copy of `workshop`."""
    shutil.copytree(workshop, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
