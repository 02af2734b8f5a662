"""Kinds of files: whole ones to be damaged, and the commands that read them."""

import csv
import gzip
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.faults import damage
from benchmarks.faults.children import Watch, call
from benchmarks.faults.damage import Damage

TINY = "--fit.batch 2 --fit.evaluations 1 --student.slots 1 --student.width 4"
SMT = f"{TINY} --teacher.width 8 --method smt --steps 1"
MADE = (
    "train tale.txt --data.length 8 --name one " + SMT,
    "label one --sequences 12 --out labels",
    f"train --labels labels --name own --steps 1 {TINY}",
    f"compare tale.txt --data.length 8 --methods bptt --steps 1 --name two {TINY}",
    f"compare copy:8 --methods bptt --cells mlp gru --steps 1 --name grid {TINY}",
)
"""Commands that make whole runs."""


@dataclass(frozen=True)
class Kind:
    """Files that are damaged alike."""

    files: tuple[str, ...]
    """Which are damaged, one at a time."""
    commands: tuple[str, ...]
    """Of which one reads it."""
    damages: tuple[Damage, ...]
    needs: tuple[str, ...] = ()
    """What else must lie there."""


def _data(name: str, options: str, *damages: Damage, file: str = "") -> Kind:
    """Data is planned with, which reads it, or trained on."""
    plan = f"compare {name} --plan --steps 1 --methods bptt {options}"
    train = f"train {name} --method bptt --name new --steps 1 {TINY} {options}"
    return Kind((file or name,), (plan, plan, train), (*damage.BYTES, *damages), (name,))


_SERIES = "--data.task classify --data.target speed --data.time t --data.columns sin cos"
_RUN = ("tale.txt", "runs/one")
_ASK = (
    "eval one --sequences 4", "report one", "generate one --tokens 3 --prompt a", "list",
    "doctor one --sequences 4", "label one --sequences 4 --out new",
    f"train tale.txt --data.length 8 --name one --resume {SMT}",
)  # fmt: skip
_STUDENT = f"train --labels labels --name new --steps 1 {TINY}"
_STORE = (_STUDENT, _STUDENT, "label one --sequences 12 --out labels --resume", "doctor own")
_STORED = (*_RUN, "runs/own", "labels")

KINDS = {
    "text": _data("tale.txt", "--data.length 8", *damage.TEXT),
    "folder of text": _data("texts", "--data.length 8", *damage.TEXT, file="texts/b.txt"),
    "table": _data("walk.csv", "--data.length 8", *damage.TEXT, *damage.TEXT),
    "labelled table": _data("waves.csv", _SERIES, *damage.TEXT, *damage.TEXT),
    "parquet": _data("waves.parquet", _SERIES, *damage.PARQUET),
    "npy": _data("images.npy", "", *damage.NPY, *damage.NPY),
    "npz": _data("waves.npz", "", *damage.NPZ, *damage.NPZ),
    "idx": _data("images.idx", "", *damage.IDX),
    "idx, gzip": _data("images.idx.gz", "", *damage.inside(*damage.IDX, damage.flip, damage.cut)),
    "labelled idx": _data(
        "mnist", "--data.task classify", *damage.IDX, file="mnist/train-labels-idx1-ubyte"
    ),
    ".ts": _data("waves.ts", "", *damage.TEXT, *damage.TEXT),
    "config.json": Kind(("runs/one/config.json",), _ASK, (*damage.BYTES, *damage.JSON * 4), _RUN),
    "data.json": Kind(("runs/one/data.json",), _ASK, (*damage.BYTES, *damage.JSON * 4), _RUN),
    "evaluation.json": Kind(
        ("runs/one/evaluation.json",), _ASK, (*damage.BYTES, *damage.JSON * 4), _RUN
    ),
    "metrics.jsonl": Kind(
        ("runs/one/metrics.jsonl",), _ASK, (*damage.BYTES, *damage.LINES * 4), _RUN
    ),
    "student": Kind(
        ("runs/one/student.safetensors",),
        (*_ASK[:5], "generate runs/one/student.safetensors --tokens 3"),
        (*damage.BYTES, *damage.TENSORS),
        _RUN,
    ),
    "teacher": Kind(
        ("runs/one/teacher.safetensors",), _ASK, (*damage.BYTES, *damage.TENSORS), _RUN
    ),
    "checkpoint": Kind(
        ("runs/own/checkpoints/last.safetensors",),
        (f"train --labels labels --name own --resume --steps 1 {TINY}", "eval own", "list"),
        (*damage.BYTES, *damage.TENSORS),
        _STORED,
    ),
    "label store": Kind(("labels/store.json",), _STORE, (*damage.BYTES, *damage.JSON * 4), _STORED),
    "labels": Kind(
        ("labels/chunk-00000.safetensors", "labels/readout.safetensors"),
        _STORE,
        (*damage.BYTES, *damage.TENSORS),
        _STORED,
    ),
    "comparison": Kind(
        ("runs/two/grid.json", "runs/two/results.json", "runs/grid/grid.json",
         "runs/grid/results.json"),
        ("report two", "report grid", "list",
         f"compare tale.txt --data.length 8 --methods bptt --steps 1 --name two {TINY} --resume"),
        (*damage.BYTES, *damage.JSON * 4),
        ("tale.txt", "runs/two", "runs/grid"),
    ),
}  # fmt: skip


def write_whole(home: Path, watch: Watch) -> None:
    """All whole files of all kinds; runs and labels are made by the commands themselves."""
    text = "Once upon a time there was a memory, and it was small. " * 12
    (home / "tale.txt").write_text(text)
    (home / "texts").mkdir()
    for name in "abc":
        (home / "texts" / f"{name}.txt").write_text(text)
    random = np.random.default_rng(0)
    _write_series(home, random)
    images = random.integers(0, 256, (40, 4, 4), np.uint8)
    np.save(home / "images.npy", images)
    (home / "images.idx").write_bytes(_idx(images))
    (home / "images.idx.gz").write_bytes(gzip.compress(_idx(images)))
    (home / "mnist").mkdir()
    for part in ("train", "t10k"):
        (home / "mnist" / f"{part}-images-idx3-ubyte").write_bytes(_idx(images))
        labels = (np.arange(40) % 2).astype(np.uint8)
        (home / "mnist" / f"{part}-labels-idx1-ubyte").write_bytes(_idx(labels))
    (home / "planted.py").write_text(damage.MODULE)
    for words in MADE:
        ended = call(words.split(), watch)
        if ended.code:
            raise RuntimeError(f"{words} ended with {ended.code}: {ended.err[-500:]}")


def _write_series(home: Path, random: np.random.Generator) -> None:
    import pandas

    walk = random.normal(size=(300, 2)).cumsum(0)
    np.savetxt(home / "walk.csv", walk, "%.4f", ",", header="north,east", comments="")
    x = random.normal(size=(24, 6, 2)).astype(np.float32)
    y = np.arange(24) % 2
    np.savez(home / "waves.npz", x=x, y=y)
    rows = [
        [f"s{i}", t, *(f"{v:.4f}" for v in x[i, t]), ["slow", "fast"][y[i]]]
        for i in range(24)
        for t in range(6 - i % 2)
    ]
    with (home / "waves.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["series", "t", "sin", "cos", "speed"], *rows])
    pandas.read_csv(home / "waves.csv").to_parquet(home / "waves.parquet")
    head = "@problemName w\n@timeStamps false\n@missing false\n@univariate true\n"
    lines = [",".join(f"{v:.3f}" for v in x[i, :, 0]) + f":{y[i]}" for i in range(24)]
    (home / "waves.ts").write_text(head + "@classLabel true 0 1\n@data\n" + "\n".join(lines) + "\n")


def _idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def lay_out(kind: Kind, whole: Path, home: Path) -> None:
    """Only what a kind needs, in a fresh folder."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    for name in ("planted.py", *kind.needs):
        source, to = whole / name, home / name
        to.parent.mkdir(parents=True, exist_ok=True)
        copy: Callable[[Path, Path], object] = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, to)
