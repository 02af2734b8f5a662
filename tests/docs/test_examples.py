"""Every example runs, on a budget of a few steps."""

import importlib.util
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from pastforward.config import Budget

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield tmp_path
    for name in SCRIPTS:
        sys.modules.pop(name, None)


def test_there_are_examples():
    assert len(SCRIPTS) == 6
    assert len(NOTEBOOKS) == 1


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs(name, here, capsys):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    module.main(budget=Budget(steps=5))
    assert capsys.readouterr().out.strip()
    assert list(here.rglob("student.safetensors")) or list(here.glob("digits.safetensors"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, here, monkeypatch):
    monkeypatch.setenv("PASTFORWARD_STEPS", "5")
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    notebook = nbformat.read(path, as_version=4)
    done = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(here)}})
    found = done.execute()
    pictures = [
        output
        for cell in found.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) >= 2
