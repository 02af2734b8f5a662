"""Every command and program of docs/ship.md runs, and its tables are those of the rows."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from benchmarks.paths import DOCS
from benchmarks.studies.ship import filled, ship_table, torch_cells_table
from pastforward.cli.main import main
from pastforward.config import Budget
from pastforward.inference.export import EXPORTS

PAGE = (DOCS / "ship.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```\n(pastforward .*?)```", PAGE, re.S)
COMMANDS = [shlex.split(line)[1:] for line in BLOCKS[0].splitlines()]
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.S)


def test_the_page_is_made_from_the_rows():
    assert filled((DOCS / "ship.in.md").read_text(encoding="utf-8")) == PAGE


def test_the_page_has_a_command_for_every_format():
    assert {"torch", "onnx", "pt2"} <= {words[words.index("--to") + 1] for words in COMMANDS[1:]}
    for name, row in EXPORTS.items():
        assert f"| `{name}` |" in PAGE or row.extra == "hf"


def test_commands_and_programs_run(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    train, *exports = COMMANDS
    assert main([*train, "--steps", "3", "--fit.batch", "4"]) == 0
    for words in exports:
        if "pt2" not in words:  # compiled in a process of its own, tests/inference
            assert main(words) == 0
    folder = Path("runs/sent/torch")
    monkeypatch.syspath_prepend(str(folder))
    for name in ("config.json", "model.safetensors"):
        Path(name).symlink_to(folder / name)
    known = {"tokens": torch.tensor([[0, 1, 2, 3]]), "budget": Budget(steps=2)}
    found = []
    for program in PROGRAMS:
        exec(program, known)
        found.append(known.get("outputs"))
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-5)
    assert known["drawn"].shape == (1, 8)


ROW = {
    "case": "gru: ONNX, step by step", "ours": 12.3, "rival": 120.0,
    "facts": {"difference": 1.2e-6, "steps": 1000, "bytes": 412_000},
}  # fmt: skip
TRAINED = {"task": "digits", "seconds": 60.0, "nats": 1.3, "accuracy": 0.6, "teacher_nats": 1.2,
           "steps": 9}  # fmt: skip


def test_tables_of_rows():
    other = ROW | {"case": "gru: nn.GRU, step by step", "ours": 88.0, "facts": {}}
    lines = list(ship_table([ROW, other]))
    assert lines[2] == "| gru | ONNX, step by step | 1.2e-06 | 1,000 | 412 | 12.3 | 120 |"
    assert "88 to 88 us" in lines[-1]
    for nats, accuracy, said in ((1.32, 0.5, "met"), (1.4, 0.59, "met"), (1.4, 0.5, "**no**")):
        worse = {"cell": "torch-gru", "nats": nats, "accuracy": accuracy}
        rows = [TRAINED | {"cell": "gru"}, TRAINED | worse]
        assert list(torch_cells_table(rows))[-1].endswith(f"| {said} |")
