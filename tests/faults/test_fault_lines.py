"""Whatever goes wrong, a command ends with one line: what happened and what to do."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pastforward.cli import main as main_module
from pastforward.cli.main import main
from pastforward.data.opening import open_source
from pastforward.errors import Stopped, UsageError, is_first_rank, meaning
from pastforward.runs.opening import open_run
from pastforward.training.distributed import connect

QUICK = ["--steps", "3", "--fit.batch", "4", "--fit.evaluations", "1"]
TINY = ["--student.slots", "2", "--student.width", "8", "--teacher.width", "16"]
TEXT = "Il était une fois une mémoire, et elle était petite. " * 60


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run on text that no ASCII terminal can show."""
    folder = tmp_path_factory.mktemp("lines")
    (folder / "tale.txt").write_text(TEXT, encoding="utf-8")
    words = ["train", "tale.txt", "--data.length", "16", "--name", "tale", *QUICK, *TINY]
    done = command(folder, *words, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    return folder, done


def command(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pastforward", *words], cwd=folder, capture_output=True, text=True,
        check=False, env=os.environ | environment,
    )  # fmt: skip


def line_of(capsys: pytest.CaptureFixture, code: int, *words: str) -> str:
    """The one line on stderr of a command that must end with `code`."""
    capsys.readouterr()
    assert main(list(words)) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("pastforward: ")
    assert said.err.count("\n") == 1
    return said.err


@pytest.fixture
def failing(monkeypatch):
    """`failing(error)` makes the command 'list' raise it."""

    def arrange(error: BaseException) -> None:
        def fail(argv):
            raise error

        monkeypatch.setattr(main_module, "import_target", lambda target: fail)

    return arrange


ALLOCATOR = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(f"{ALLOCATOR} memory: you tried to allocate 9 bytes.\nError code 12"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nGPU 0 has"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
        MemoryError("Unable to allocate 7 TiB for an array"),
    ],
)
def test_too_little_memory_names_what_to_lower(error, failing, capsys):
    failing(error)
    line = line_of(capsys, 2, "list")
    assert "There is not enough memory (" in line
    assert "--fit.batch" in line
    assert "--fit.accumulate" in line


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied", "/root/x"), r"'/root/x'.*\(Permission denied\)"),
        (OSError(28, "No space left on device"), r"\(No space left on device\); check the path"),
        (OSError("odd"), r"A file or device can't be read or written \(odd\)"),
    ],
)
def test_any_error_of_files_is_one_line(error, message, failing, capsys):
    failing(error)
    assert re.search(message, line_of(capsys, 2, "list"))


@pytest.mark.parametrize("error", [KeyError("é\nb"), RuntimeError("boo"), AssertionError()])
def test_a_fault_of_ours_is_one_line_with_a_log(error, failing, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(error)
    line = line_of(capsys, 3, "list")
    assert type(error).__name__ in line
    (log,) = tmp_path.glob("pastforward-*.log")
    assert str(log) in line
    text = log.read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in text
    assert "raise error" in text


def test_a_fault_of_ours_where_no_log_can_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    found = meaning(KeyError("x"))
    assert found.code == 3
    assert "KeyError: 'x'" in found.line
    assert "\n" not in found.line


def test_errors_that_say_what_to_do_keep_their_words_and_codes():
    assert meaning(Stopped("a\n b", 143)) == (143, "a b")
    assert meaning(UsageError("c")) == (2, "c")


def test_a_terminal_of_ascii_loses_no_report(trained):
    folder, done = trained
    assert (folder / "runs" / "tale" / "report.html").exists()
    assert done.stdout.rstrip().endswith("report.html")
    drawn = command(
        folder, "generate", "tale", "--prompt", "é", "--tokens", "5", PYTHONIOENCODING="ascii"
    )
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout.startswith("\\xe9")


@pytest.mark.parametrize("name", ["x[/y]", "n [draft]", "[bold]b"])
def test_names_are_shown_as_they_are(name, trained, capsys, monkeypatch):
    folder, _ = trained
    monkeypatch.chdir(folder)
    words = ["train", "tale.txt", "--data.length", "16", "--method", "bptt"]
    assert main([*words, "--name", name, *QUICK, *TINY]) == 0
    assert f"{Path(name).name} writes" in capsys.readouterr().out
    assert main(["eval", name]) == 0
    assert Path(name).name in capsys.readouterr().out


@pytest.mark.parametrize("word", ["eval", "doctor"])
def test_figures_are_shown_where_they_cannot_be_saved(word, trained, capsys, monkeypatch):
    folder, _ = trained
    monkeypatch.chdir(folder)
    run = open_run("tale")
    for path in (run.folder.evaluation, run.checks_page):  # root may write to any file
        path.unlink(missing_ok=True)
        path.mkdir()
    try:
        assert main([word, "tale", "--sequences", "8"]) in (0, 1)
        said = capsys.readouterr().out
        assert "could not be written" in said.splitlines()[-1]
        assert re.search("nats|check", said)
        assert run.evaluate(sequences=8).student.nats > 0
        assert "evaluation.json" in (run.unsaved or "")
    finally:
        for path in (run.folder.evaluation, run.checks_page):
            path.rmdir()
    assert main(["eval", "tale", "--sequences", "8"]) == 0


def test_a_variable_left_over_from_torchrun_is_no_group(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "3")
    assert connect().type in ("cpu", "cuda", "mps")
    assert is_first_rank()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="WORLD_SIZE is 2, but LOCAL_RANK, MASTER_ADDR"):
        connect()
    assert not is_first_rank()


def test_errors_of_the_hub_are_whole(monkeypatch):
    class DatasetError(Exception):
        pass

    def load_dataset(*names, streaming):
        raise DatasetError("Config name is missing.\nPlease pick one among ['a', 'b']\nExample")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(UsageError) as found:
        open_source("hf:some/set")
    assert "pick one among ['a', 'b']" in str(found.value)
    assert "give hf:NAME:CONFIG" in str(found.value)


def test_a_configuration_of_the_hub_can_be_named(monkeypatch):
    asked = []

    def load_dataset(*names, streaming):
        asked.append(names)
        return {"train": [{"text": "once upon a time " * 20}] * 3}

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    assert open_source("hf:some/set:small").name == "hf:some/set:small"
    assert asked == [("some/set", "small")]
