"""Trackers get figures, samples and answers of a finished run; without one nothing is drawn."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from pastforward.config import Budget, RunConfig
from pastforward.data.labelled import labelled
from pastforward.errors import Stopped
from pastforward.runs.request import TrainOptions
from pastforward.runs.tracking import tracked
from pastforward.runs.training import train
from pastforward.training.callbacks import Callback, TensorBoard, Tracker

CHANGES = {"fit.batch": 4, "fit.evaluations": 1, "student.width": 8}
X = np.random.default_rng(0).normal(size=(90, 6, 2)).astype(np.float32)
DRAWN = "pastforward.report.pictures"


def classes(here):
    return labelled(X, np.array(["cat", "dog", "cow"])[X[:, 0, 0].argsort().argsort() % 3])


def numbers(here):
    return labelled(X, X[:, 0, 0])


def images(here):
    np.save(here / "images.npy", np.random.default_rng(0).integers(0, 256, (60, 6, 5)))
    return "images.npy"


def series(here):
    np.savetxt(here / "walk.csv", X.reshape(-1, 2)[:400].cumsum(0), delimiter=",")
    return "walk.csv"


def text(here):
    (here / "notes.txt").write_text("Once upon a time there was a memory. " * 60)
    return "notes.txt"


def trained(what, *callbacks, steps=2, name="one"):
    options = TrainOptions(changes=CHANGES, callbacks=callbacks)
    return train(what, "bptt", name=name, budget=Budget(steps=steps), options=options)


def events(folder):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = reader.EventAccumulator(str(folder))
    found.Reload()
    return found


@pytest.mark.parametrize(
    ("write", "names", "figure"),
    [
        (classes, ["confusion_matrix"], "macro_f1"),
        (numbers, ["predicted_against_true"], "r2"),
        (images, ["samples"], "accuracy"),
        (series, ["forecast/0"], "loss"),
    ],
)
def test_tensorboard_gets_what_the_page_shows(write, names, figure, here):
    pytest.importorskip("tensorboard", reason="needs the extra pastforward[tensorboard]")
    trained(write(here), TensorBoard("board"))
    found = events("board")
    assert found.Tags()["images"] == names
    (image,) = found.Images(names[0])
    assert image.step == 2
    assert min(image.width, image.height) > 100
    assert image.encoded_image_string.startswith(b"\x89PNG")
    (value,) = found.Scalars(f"test/{figure}")
    assert (value.step, np.isfinite(value.value)) == (2, True)


def test_tensorboard_gets_text_as_it_is(here):
    pytest.importorskip("tensorboard", reason="needs the extra pastforward[tensorboard]")
    run = trained(text(here), TensorBoard("board"))
    (written,) = events("board").Tensors("samples/text_summary")
    lines = written.tensor_proto.string_val[0].decode().split("\n")
    assert all(line.startswith("    ") for line in lines)
    assert "\n".join(line[4:] for line in lines) == run.summary.samples


@pytest.mark.parametrize("package", ["trackio", "wandb"])
def test_trackers_get_tables_and_images_before_the_end(package, here, monkeypatch):
    heard = []
    tracker = SimpleNamespace(
        init=lambda **given: None,
        log=lambda row, step: heard.append((step, row)),
        finish=lambda: heard.append("finished"),
        Table=lambda columns, data: (columns, data),
        Image=lambda pixels: pixels,
    )
    monkeypatch.setitem(sys.modules, package, tracker)
    run = trained(text(here), Tracker(package, "notes"))
    figures, shown, end = heard[-3:]
    assert figures[1]["test/loss"] == run.summary.evaluation["student"]["nats"]
    assert shown == (2, {"samples": (["text"], [[run.summary.samples]])})
    assert end == "finished"
    heard.clear()
    trained(images(here), Tracker(package, "images"), name="two")
    pixels = heard[-2][1]["samples"]
    assert (pixels.dtype, pixels.ndim, pixels.shape[-1]) == (np.uint8, 3, 3)


def test_nothing_is_drawn_without_a_tracker(here, monkeypatch):
    monkeypatch.delitem(sys.modules, DRAWN, raising=False)
    trained(classes(here), *tracked(None, "one", RunConfig()))
    assert DRAWN not in sys.modules


def test_a_run_that_is_stopped_is_not_evaluated(here, monkeypatch):
    heard = []

    class Told(Callback):
        def on_step(self, fit, terms, valid):
            monkeypatch.setattr("pastforward.training.callbacks.StopRequest.signal", 2)

        def on_evaluated(self, summary):
            heard.append("evaluated")

        def on_end(self):
            heard.append("end")

    with pytest.raises(Stopped):
        trained("copy:8", Told(), steps=9)
    assert heard == ["end"]
