"""What a file is, is found by its content, whatever its name and however it is packed."""

import gzip
import os
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest
from cli.command_line import QUICK, refused

from pastforward.data import DataConfig, ImageConfig, LabelledConfig
from pastforward.data.opening import kind_of, open_data, open_source
from pastforward.errors import UsageError

WALK = "a,b\n" + "\n".join(f"{i % 7},{i * i % 11}" for i in range(400))
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 4, 4), np.uint8)
MNIST = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")


def idx(array):
    head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.tobytes()


def write_mnist(folder, names=MNIST, packed=(False,)):
    folder.mkdir(parents=True, exist_ok=True)
    for name, images in zip(names, (IMAGES, IMAGES[:20]), strict=True):
        labels = (np.arange(len(images)) % 3).astype(np.uint8)
        for path, array in (
            (name, images),
            (name.replace("images", "labels").replace("idx3", "idx1"), labels),
        ):
            for gz in packed:
                content = gzip.compress(idx(array)) if gz else idx(array)
                (folder / (path + ".gz" * gz)).write_bytes(content)
    return folder


@pytest.mark.parametrize("name", ["V.CSV", "x.tsv", "X.Csv.GZ", "x.tsv.gz"])
def test_tables_by_any_suffix(tmp_path, name):
    text = WALK.replace(",", "\t") if "tsv" in name else WALK
    content = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name[-1] in "zZ" else content)
    source = open_source(str(tmp_path / name))
    assert source.describe()["kind"] == "series"
    assert source.codec.columns == ("a", "b")


def test_a_folder_with_one_table(tmp_path):
    (tmp_path / "walk.CSV").write_text(WALK)
    (tmp_path / "README.md").write_text("Where it is from.")
    assert open_source(str(tmp_path)).codec.columns == ("a", "b")
    (tmp_path / "other.csv").write_text(WALK)
    with pytest.raises(UsageError, match=r"holds 2 tables; name one of them: other.csv, walk.CSV"):
        open_source(str(tmp_path))
    (tmp_path / "notes.txt").write_text("Once upon a time. " * 60)
    assert open_source(str(tmp_path)).describe()["kind"] == "characters"


@pytest.mark.parametrize("name", ["a.NPY", "a.dat", "a.npz", "a.NPZ", "a.arrays"])
def test_arrays_by_content(tmp_path, name):
    with (tmp_path / name).open("wb") as file:
        np.save(file, IMAGES) if name in ("a.NPY", "a.dat") else np.savez(file, images=IMAGES)
    assert open_data(DataConfig(str(tmp_path / name), options=ImageConfig(256))).codec.height == 4


@pytest.mark.parametrize("name", ["w.NPZ", "w.waves"])
def test_labelled_arrays_by_content(tmp_path, name):
    with (tmp_path / name).open("wb") as file:
        np.savez(file, x=np.random.default_rng(0).normal(size=(30, 5)), y=np.arange(30) % 3)
    source = open_data(DataConfig(str(tmp_path / name)))
    assert source.codec.classes == ("0", "1", "2")
    asked = open_data(DataConfig(str(tmp_path / name), task="classify"))
    assert asked.codec == source.codec


def test_a_labelled_table_by_any_suffix(tmp_path):
    rows = [f"{s}\t{t}\t{s % 2}" for s in range(30) for t in range(3)]
    (tmp_path / "w.TSV").write_text("\n".join(["series\tx\ty", *rows]))
    options = LabelledConfig(target=("y",))
    source = open_data(DataConfig(str(tmp_path / "w.TSV"), options=options, task="classify"))
    assert source.codec.classes == ("0", "1")


@pytest.mark.parametrize(
    ("names", "packed"),
    [
        (MNIST, (False, True)),
        (MNIST, (True,)),
        (("train-images.idx3-ubyte", "t10k-images.idx3-ubyte"), (False,)),
        (
            ("emnist-letters-train-images-idx3-ubyte", "emnist-letters-test-images-idx3-ubyte"),
            (True,),
        ),
    ],
)
@pytest.mark.parametrize("nested", ["", "MNIST/raw"])
def test_mnist_folders_as_they_come(tmp_path, names, packed, nested):
    write_mnist(tmp_path / nested, names, packed)
    source = open_data(DataConfig(str(tmp_path), options=ImageConfig(256)))
    assert source.describe()["sequences"] == {"train": 36, "valid": 4, "test": 20}
    labelled = open_data(DataConfig(str(tmp_path), task="classify"))
    assert labelled.codec.classes == ("0", "1", "2")
    assert labelled.describe()["sequences"]["test"] == 20


def test_several_sets_of_images_are_named(tmp_path):
    for name in ("MNIST", "FashionMNIST"):
        write_mnist(tmp_path / name / "raw")
    with pytest.raises(UsageError, match=r"in several folders.*FashionMNIST/raw, MNIST/raw"):
        open_source(str(tmp_path))


def test_objects_beside_images_are_left_alone(tmp_path):
    class Planted:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/ran",)

    path = tmp_path / "i.npz"
    np.savez(path, images=IMAGES, names=np.array([Planted()], object), allow_pickle=True)
    assert open_source(str(path)).codec.height == 4
    np.savez(path, names=np.array([Planted()], object), allow_pickle=True)
    with pytest.raises(UsageError, match="holds nothing"):
        open_source(str(path))
    assert not (tmp_path / "ran").exists()


def test_a_named_pipe_is_refused_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    said = []
    ask = threading.Thread(target=lambda: said.append(refused(capsys, "train", "pipe", *QUICK)))
    ask.daemon = True
    ask.start()
    ask.join(30)
    assert said, "it waits for somebody to write"
    assert "pipe' is a pipe or a device" in said[0]
    with pytest.raises(UsageError, match="is a pipe or a device"):
        kind_of("/dev/null")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pipe"]


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="no /dev/fd here")
def test_process_substitution_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("Once upon a time. " * 200)
    command = f"{sys.executable} -m pastforward train <(cat notes.txt) --steps 3"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        check=False, env=os.environ | {"PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "is a pipe or a device" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_pipe_among_labels_is_refused_at_once(tmp_path):
    labels = write_mnist(tmp_path / "mnist") / "train-labels-idx1-ubyte"
    labels.unlink()
    os.mkfifo(labels)
    with pytest.raises(UsageError, match="train-labels-idx1-ubyte' is a pipe or a device"):
        open_data(DataConfig(str(tmp_path / "mnist"), None, LabelledConfig(), "classify"))


def test_a_header_of_an_array_that_is_no_python(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    content = (tmp_path / "images.npy").read_bytes()
    (tmp_path / "images.npy").write_bytes(content.replace(b"}", b" ", 1))
    with pytest.raises(UsageError, match="is no readable array"):
        open_source(str(tmp_path / "images.npy"))
