"""A wheel and an sdist are built, hold what they need, run elsewhere and have types for others."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMOKE = """
import pathlib, sys
import pastforward as pf
here = pathlib.Path(pf.__file__).parents[1]
assert str(here) == sys.argv[1], here
run = pf.train("copy:8", budget=pf.Budget(steps=3), name="smoke")
print(run.report())
"""
TYPED = """
import pastforward as pf
student: pf.Student = pf.open_run("a").student
score: float = pf.SequenceClassifier(seconds=1.0).score([[0]], [0])
wrong: str = pf.Budget(seconds=1.0)
"""


def run(*words: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)], cwd=cwd, env=os.environ | env, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the wheel and the sdist, built from a copy of what git tracks."""
    names = subprocess.run(
        ["git", "ls-files", "pastforward", "pyproject.toml", "README.md", "LICENSE"], cwd=ROOT,
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    done = run("-m", "build", "--no-isolation", "--outdir", out, cwd=source)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> Path:
    """The wheel, installed alone into a folder of its own; what it needs is there already."""
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("site")
    done = run("-m", "pip", "install", "--no-deps", "-q", "--target", folder, wheel, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_wheel_and_sdist_hold_what_they_need(built):
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    assert {"pastforward/py.typed", "pastforward/__init__.pyi"} <= set(names)
    templates = {path.name for path in (ROOT / "pastforward").rglob("*.html")}
    assert templates <= {name.rpartition("/")[2] for name in names}
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]
    with tarfile.open(sdist) as file:
        assert any(name.endswith("pyproject.toml") for name in file.getnames())


def test_the_installed_wheel_trains(installed, tmp_path):
    done = run("-c", SMOKE, installed, cwd=tmp_path, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / done.stdout.splitlines()[-1]).exists()


def test_types_reach_those_who_import_it(installed, tmp_path):
    (tmp_path / "typed.py").write_text(TYPED)
    settings = {"extraPaths": [str(installed)], "include": ["typed.py"]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    done = run("-m", "pyright", "--outputjson", cwd=tmp_path)
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = [one for one in found if one["severity"] == "error"]
    assert [one["range"]["start"]["line"] for one in errors] == [4], errors
