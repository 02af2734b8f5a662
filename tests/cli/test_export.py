"""`pastforward export`: what it writes, says and refuses."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from command_line import QUICK, call
from torch import nn

import pastforward as pf
from pastforward.cells.build import wrap
from pastforward.runs import exporting


def test_onnx_of_a_run_with_weights_of_eight_bits(shop, capsys):
    pytest.importorskip("onnxscript")
    said = call(capsys, "export", "tale-smt+dmt", "--to", "onnx", "--int8")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith("PyTorch ")
    assert "step.onnx" in lines[1]
    assert "differs by" in lines[1]
    assert "step.int8.onnx" in lines[2]
    assert "held-out loss" in lines[2]
    assert lines[-1] == "Exported: runs/tale-smt+dmt/onnx"
    stream = pf.OnnxStream("runs/tale-smt+dmt/onnx")
    run = pf.open_run("tale-smt+dmt")
    codes = stream.codec.encode("Once upon")
    _, parameters = stream.feed(stream.start(1), np.array([codes]))
    expected = run.student(torch.tensor([codes]))[0][:, -1]
    torch.testing.assert_close(torch.from_numpy(parameters), expected, rtol=0, atol=1e-5)


def test_plain_torch_of_a_run_and_of_its_file(shop, capsys):
    words = ["train", "copy:4", "--cell", "torch-lstm", "--name", "plain", *QUICK]
    assert call(capsys, *words).code == 0
    for name, out in (("plain", "runs/plain/torch"), ("runs/plain/student.safetensors", "here")):
        said = call(capsys, "export", name, "--to", "torch", "--out", out)
        assert said.code == 0, said.err
        assert "torch.nn.LSTM, whole sequence" in said.out
        assert said.out.splitlines()[-1] == f"Exported: {out}"
        names = {path.name for path in (shop / out).iterdir()}
        assert names == {"model.py", "model.safetensors", "config.json", "codec.json"}
        assert (shop / out / "model.py").read_text().startswith('"""A recurrent network of plain')
    assert json.loads((shop / "here" / "config.json").read_text())["kind"] == "LSTM"


BAD = {
    "There is no export 'onx'; did you mean 'onnx'": "export tale-smt+dmt --to onx",
    "has no weights of 8 bits": "export tale-smt+dmt --to torch --int8",
    "which torch.nn has no module of": "export tale-smt+dmt --to torch",
    "exists; give --overwrite": "export tale-smt+dmt --to torch --out runs",
    "There is no folder 'no/such'": "export tale-smt+dmt --to torch --out no/such/place",
    "There is no run 'nothing'": "export nothing --to torch",
    "is no student file": "export tale.txt --to torch",
    "--to": "export tale-smt+dmt",
}


@pytest.mark.parametrize("expected", BAD)
def test_bad_words_are_answered_in_a_line(expected, shop, capsys):
    said = call(capsys, *BAD[expected].split())
    assert said.code == 2
    assert expected in said.err
    assert len(said.err.splitlines()) == 1
    assert not list((shop / "runs" / "tale-smt+dmt").glob(".*"))


@pytest.fixture
def quick(monkeypatch):
    """Compares ten steps."""
    monkeypatch.setattr(exporting, "agreement", partial(exporting.agreement, steps=10))


def student() -> pf.Shipment:
    cell = wrap(nn.GRUCell(4, 8))(pf.MemoryShape(2, 4), 4)
    return pf.Shipment(pf.Student(pf.Signature(pf.Tokens(5), pf.Tokens(5), 9), cell), None)


def fake(monkeypatch, offset: float) -> None:
    """An exporter whose files do what the student does, `offset` apart."""
    from pastforward.inference.export import Exported

    def export(shipment, folder):
        (folder / "file").write_text("content")

        def replay(x):
            with torch.inference_mode():
                return shipment.student(torch.from_numpy(x))[0].numpy() + offset

        return Exported({"all at once": replay}, hint="see {place}")

    monkeypatch.setattr(exporting, "import_target", lambda target: export)


def test_what_differs_is_refused_and_nothing_is_left(here, quick, monkeypatch):
    request = pf.ExportRequest("pt2", here / "out")
    fake(monkeypatch, 1e-3)
    with pytest.raises(pf.UsageError, match=r"'all at once' differs from PyTorch by 1\.0e-03"):
        pf.export(student(), request)
    assert not list(here.iterdir())


def test_what_was_there_stays_or_is_replaced(here, quick, monkeypatch):
    fake(monkeypatch, 0.0)
    found = pf.export(student(), pf.ExportRequest("pt2", here / "out"))
    assert found.agreements[0].difference == 0.0
    assert found.agreements[0].microseconds > 0
    assert found.files == {"file": 7}
    assert found.lines()[-1] == f"see {here / 'out'}"
    (here / "out" / "more").write_text("of mine")
    with pytest.raises(pf.UsageError, match="exists; give --overwrite"):
        pf.export(student(), pf.ExportRequest("pt2", here / "out"))
    again = pf.ExportRequest("pt2", here / "out", overwrite=True)
    with pytest.raises(pf.UsageError, match="holds more, which this export doesn't write"):
        pf.export(student(), again)
    assert (here / "out" / "more").read_text() == "of mine"
    (here / "out" / "more").unlink()
    pf.export(student(), again)
    assert [path.name for path in here.rglob("*")] == ["out", "file"]
    (here / "out" / "mine").mkdir()
    (here / "notes").write_text("of mine")
    for place in (here / "out", here / "notes", here):
        with pytest.raises(pf.UsageError, match="which this export doesn't write"):
            pf.export(student(), pf.ExportRequest("pt2", place, overwrite=True))
    assert (here / "notes").read_text() == "of mine"


def test_a_missing_extra_is_told(here, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(pf.UsageError, match=r"onnxscript package.*pip install pastforward\[onnx\]"):
        pf.export(student(), pf.ExportRequest("onnx", here / "out"))
