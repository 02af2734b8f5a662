"""Data has an identity: a run knows what it was trained on, and refuses other data in one line."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from cli.command_line import QUICK, call, refused

import pastforward as pf
from pastforward.data import DataConfig, ImageConfig, LabelledConfig
from pastforward.data.codec import ForecastCodec, TextCodec
from pastforward.data.opening import open_data, open_known
from pastforward.data.series import SeriesSource
from pastforward.data.source import require_known
from pastforward.data.text import text_source
from pastforward.errors import UsageError
from pastforward.student_file import read_description

EIGHT = ["--sequences", "8"]
TINY = ["--student.slots", "2", "--student.width", "8", "--teacher.width", "24"]
FAST = [*QUICK, *TINY, "--method", "smt"]
WALK = np.random.default_rng(0).normal(size=(600, 2)).round(4)
IMAGES = np.random.default_rng(0).integers(0, 200, (60, 4, 4), np.uint8)


def text(path, content="abcd " * 2000):
    path.write_text(content)


def walk(path, rows=WALK):
    path.write_text("\n".join(["a,b", *(f"{a},{b}" for a, b in rows.tolist())]))


def images(path, array=IMAGES):
    np.save(path, array)


def labelled(path, x=None, y=None):
    x = np.random.default_rng(0).normal(size=(60, 5)) if x is None else x
    np.savez(path, x=x, y=np.arange(len(x)) % 3 if y is None else y)


def bent(array, by=1):
    array = array.copy()
    array[len(array) // 2] += array.dtype.type(by)
    return array


X = np.random.default_rng(0).normal(size=(60, 5))
DATA = {
    "t.txt": (text, lambda path: text(path, "abcd " * 999 + "dbca " + "abcd " * 1000)),
    "w.csv": (walk, lambda path: walk(path, bent(WALK))),
    "i.npy": (images, lambda path: images(path, bent(IMAGES, 100))),
    "l.npz": (labelled, lambda path: labelled(path, bent(X))),
}
"""Writers of data, and of the same with one value changed."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory, request):
    """A folder with data of every kind and a run on each."""
    here = tmp_path_factory.mktemp("trained")
    before = os.getcwd()
    os.chdir(here)
    try:
        for name, (write, _) in DATA.items():
            write(here / name)
            assert pf_main("train", name, *FAST, "--name", name[0]) == 0
    finally:
        os.chdir(before)
    return here


def pf_main(*words):
    from pastforward.cli.main import main

    return main(list(words))


@pytest.fixture
def here(trained, tmp_path, monkeypatch):
    place = tmp_path / "here"
    shutil.copytree(trained, place)
    for config in place.rglob("config.json"):  # as if it had been trained here
        config.write_text(config.read_text().replace(str(trained), str(place)))
    monkeypatch.chdir(place)
    return place


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("command", ["eval", "doctor", "report", "analyse", "label", "train"])
def test_one_changed_value_is_refused_everywhere(name, command, here, capsys):
    DATA[name][1](here / name)
    run = name[0]
    before = {p: p.read_bytes() for p in (here / "runs").rglob("*") if p.is_file()}
    words = [command, run] if command != "train" else ["train", name, *FAST, "--name", run]
    if command == "train":
        (here / "runs" / run / "evaluation.json").unlink()
        before.pop(here / "runs" / run / "evaluation.json")
        words.append("--resume")
    line = refused(capsys, *words)
    assert f"{name}' is not what runs/{run} was trained on" in line or "read otherwise" in line, (
        line
    )
    assert {p: p.read_bytes() for p in (here / "runs").rglob("*") if p.is_file()} == before


def test_other_symbols_are_named(here, capsys):
    text(here / "t.txt", "abce " * 2000)
    for command in ("eval", "doctor", "report"):
        line = refused(capsys, command, "t")
        assert "characters that the text trained on did not: ['e']" in line
    (here / "runs/t/evaluation.json").unlink()
    line = refused(capsys, "train", "t.txt", *FAST, "--name", "t", "--resume")
    assert "did not: ['e']" in line


def test_sizes_are_told(here, capsys):
    walk(here / "w.csv", WALK[:500])
    line = refused(capsys, "eval", "w")
    assert "it holds train 400, valid 50, test 50, not train 480, valid 60, test 60" in line
    assert "--allow-new-data" in line


@pytest.mark.parametrize("name", DATA)
def test_the_same_data_is_opened(name, here, capsys):
    said = call(capsys, "eval", name[0], "--json")
    assert said.code == 0, said
    os.utime(here / name)
    assert json.loads(call(capsys, "eval", name[0], "--json").out) == json.loads(said.out)


def test_grown_data_by_the_saved_scaler(here, capsys):
    codec = pf.open_run("w").codec
    assert isinstance(codec, ForecastCodec)
    grown = np.concatenate([WALK, 44 + np.random.default_rng(1).normal(size=(800, 2))])
    walk(here / "w.csv", grown)
    refused(capsys, "eval", "w")
    said = call(capsys, "eval", "w", "--allow-new-data")
    assert said.code == 0, said
    source = pf.open_run("w", allow_new_data=True).source
    assert source.codec == codec
    mean, std = np.array(codec.mean[0]), np.array(codec.std[0])
    np.testing.assert_allclose(source.encoded[0].z, (grown - mean) / std)
    for words in (["doctor"], ["report"], ["label", *EIGHT]):
        assert call(capsys, *words, "w", "--allow-new-data").code in (0, 1), words


def test_grown_text_by_the_saved_symbols(here, capsys):
    text(here / "t.txt", "abcd " * 2000 + "dcba " * 500)
    assert call(capsys, "eval", "t", "--allow-new-data").code == 0
    text(here / "t.txt", "bd" * 3000)  # fewer symbols keep their codes
    source = pf.open_run("t", allow_new_data=True).source
    assert source.codec == TextCodec(" abcd")
    assert source.splits.train[:2].tolist() == [2, 4]
    assert source.signature == pf.open_run("t").student.signature
    text(here / "t.txt", "abcde" * 2000)
    assert "['e']" in refused(capsys, "eval", "t", "--allow-new-data")


def test_grown_labels_by_the_saved_classes(here, capsys):
    x = np.concatenate([X, X + 9])
    labelled(here / "l.npz", x, np.arange(120) % 2)  # the third class is missing
    assert "was trained on" in refused(capsys, "eval", "l")
    source = pf.open_run("l", allow_new_data=True).source
    assert source.codec == pf.open_run("l").codec
    assert source.codec.classes == ("0", "1", "2")
    assert call(capsys, "eval", "l", "--allow-new-data").code == 0
    labelled(here / "l.npz", x, np.arange(120) % 4)
    assert "class '3', which the data trained on had not" in refused(
        capsys, "eval", "l", "--allow-new-data"
    )


def test_images_of_another_scale_are_refused(tmp_path):
    small = IMAGES % 4
    images(tmp_path / "i.npy", small)
    config = DataConfig(str(tmp_path / "i.npy"), options=ImageConfig(4))
    known = open_data(config).identity
    images(tmp_path / "i.npy", np.concatenate([small, IMAGES]))
    with pytest.raises(UsageError, match=r"scale 'values 0..255 .*, not 'values taken as 4 levels"):
        open_known(config, known, "the run", allow_new=True)
    images(tmp_path / "i.npy", np.concatenate([small, small]))
    assert open_known(config, known, "the run", allow_new=True).codec.levels == 4


def test_a_resumed_run_goes_on_with_grown_data(here, capsys):
    (here / "runs/w/evaluation.json").unlink()
    codec = pf.open_run("w").codec
    walk(here / "w.csv", np.concatenate([WALK, WALK + 44]))
    words = ["train", "w.csv", *FAST, "--name", "w", "--resume"]
    assert "is not what runs/w was trained on" in refused(capsys, *words)
    assert call(capsys, *words, "--allow-new-data").code == 0
    run = pf.open_run("w")
    assert run.source.codec == run.codec == codec
    assert sum(run.source.identity.sizes.values()) == 1200
    assert read_description(run.folder.student)["extra"]["data"]["sizes"]["train"] == 960


def test_a_run_and_its_student_say_what_they_were_trained_on(here):
    identity = json.loads((here / "runs/w/data.json").read_text())
    assert identity == read_description("runs/w/student.safetensors")["extra"]["data"]
    assert identity["sizes"] == {"train": 480, "valid": 60, "test": 60}
    assert len(identity["checksum"]) == 64
    assert identity["codec"]["columns"] == ["a", "b"]
    wrong = [identity | {"codec": codec} for codec in (
        {}, {"kind": "series"}, {"kind": []}, {"kind": "labels", "inputs": 3},
        {"kind": "text", "x": 1}, {"kind": "forecast", "columns": 3, "mean": ["a"], "std": []},
    )]  # fmt: skip
    for codec in wrong:
        (here / "runs/w/data.json").write_text(json.dumps(codec))
        with pytest.raises(UsageError, match="is no codec of pastforward"):
            _ = pf.open_run("w").source
    for damaged in ("", "{}", '{"checksum": 3}'):
        (here / "runs/w/data.json").write_text(damaged)
        with pytest.raises(UsageError, match="what data the run was trained on, can't be read"):
            _ = pf.open_run("w").source


def test_labels_are_of_their_data(here, capsys):
    assert call(capsys, "label", "w", *EIGHT).code == 0
    store = pf.open_labels("runs/w/labels")
    assert store.facts.identity == pf.open_run("w").source.identity
    walk(here / "w.csv", bent(WALK))
    quick = ["--steps", "2", "--fit.batch", "4", "--fit.evaluations", "1"]
    line = refused(capsys, "train", "--labels", "runs/w/labels", *quick)
    assert "is not what runs/w/labels was trained on" in line or "labels" in line
    walk(here / "more.csv", WALK * 3 + 44)
    walk(here / "w.csv")
    assert call(capsys, "label", "w", "--data", "more.csv", "--out", "more", *EIGHT).code == 0
    codec = pf.open_run("w").codec
    assert pf.open_labels("more").facts.identity.codec["mean"] == [list(codec.mean[0])]
    assert call(capsys, "train", "--labels", "more", *quick, "--name", "own").code == 0
    assert pf.open_run("own").codec == codec


def test_data_in_memory_has_an_identity_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = replace(
        pf.RunConfig(),
        data=DataConfig("memory:walk"), stages=(pf.Stage("bptt", 1.0, 1e-3),),
        budget=pf.Budget(steps=2),
    )  # fmt: skip
    source = SeriesSource("walk", WALK, ("a", "b"), 8)
    pf.train(source, "bptt", name="m", budget=config.budget)
    assert pf.open_run("m", source=SeriesSource("walk", WALK, ("a", "b"), 8)).source
    other = SeriesSource("walk", bent(WALK), ("a", "b"), 8, codec=source.codec)
    with pytest.raises(UsageError, match="of the same size, but another content"):
        _ = pf.open_run("m", source=other).source
    assert pf.open_run("m", source=other, allow_new_data=True).source is other
    with pytest.raises(UsageError, match="is read otherwise than that of runs/m: mean"):
        _ = pf.open_run("m", source=SeriesSource("walk", WALK + 1, ("a", "b"), 8)).source
    with pytest.raises(UsageError, match="has the columns a, c, not those of the codec given"):
        SeriesSource("walk", WALK, ("a", "c"), 8, codec=source.codec)


@pytest.mark.parametrize("name", ["copy:8", "digits", "pydoc"])
def test_names_have_an_identity(name):
    one, other = (open_data(DataConfig(name)).identity for _ in range(2))
    assert one == other
    with pytest.raises(UsageError):
        require_known(open_data(DataConfig("copy:8,symbols=3")), one, "the run")


def test_every_part_of_labelled_data_counts():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 6)), rng.integers(0, 2, (40, 6))
    mask = np.ones((40, 6), bool)
    base = pf.labelled(x, y, mask=mask).identity
    assert pf.labelled(x.copy(), y.copy(), mask=mask.copy()).identity == base
    fewer = mask.copy()
    fewer[3, 2] = False
    for changed in (
        pf.labelled(bent(x), y, mask=mask), pf.labelled(x, 1 - y, mask=mask),
        pf.labelled(x, y, mask=fewer), pf.labelled(x, y, mask=mask, lengths=np.full(40, 5)),
    ):  # fmt: skip
        assert changed.identity.checksum != base.checksum
    texts = pf.labelled(["ab", "ba"] * 20, [0, 1] * 20, options=LabelledConfig())
    assert texts.identity != pf.labelled(["ab", "bc"] * 20, [0, 1] * 20).identity


def test_evaluate_refuses_symbols_and_channels_that_the_student_does_not_know():
    known = text_source("known", [b"abcd" * 900], length=16)
    more = text_source("more", [b"abcde" * 900], length=16)
    student = pf.Student(known.signature, pf.wrap(Still())(pf.MemoryShape(1, 8), 4))
    assert pf.evaluate(student, None, known, limit=4).student.nats > 0
    with pytest.raises(UsageError, match=r"'more' .*Tokens\(size=5\).*Tokens\(size=4\)"):
        pf.evaluate(student, None, more, limit=4)
    series = SeriesSource("w", WALK, ("a", "b"), 8)
    with pytest.raises(UsageError, match=r"'w' .*Vectors\(width=2\)"):
        pf.evaluate(student, None, series, limit=4)


class Still(pf.Student.__mro__[1]):
    """A cell that leaves the memory as it is."""

    def forward(self, e, state):
        return state + 0 * e.sum()
