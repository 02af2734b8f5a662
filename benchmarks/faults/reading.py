"""Files read by the library alone: a tenth of the time of a command, for most of many trials."""

import sys
from collections.abc import Callable
from pathlib import Path

from pastforward.data import DataConfig
from pastforward.errors import meaning
from pastforward.runs.comparison.comparing import open_comparison
from pastforward.runs.opening import open_run
from pastforward.student_file import load_network
from pastforward.teacher.label_store import open_labels
from pastforward.training.folder import load_tensors

_SERIES = {"target": ["speed"], "time": "t", "columns": ["sin", "cos"]}


def _data(name: str, length: int | None = None, task: str | None = None, options=None):
    """Open it, sum it up, and read of each split."""

    def read() -> None:
        from pastforward.data.opening import open_data
        from pastforward.runs.describing import data_lines
        from pastforward.types import checked_batch

        source = open_data(DataConfig(name, length, task=task, options=options))
        like = _empty()
        for batch in (source.batch(0, 0, 2), *source.held_out("test", 2, 2)):
            checked_batch(source.signature, batch, like)
        source.references()
        assert source.identity
        assert list(data_lines(source))

    return read


def _empty():
    import torch

    return torch.empty(0)


def _evaluation() -> None:
    from pastforward.report.tables import results_table

    results_table([open_run("one").summary])


def _student() -> None:
    network, codec = load_network("runs/one/student.safetensors")
    open_run("one").samples()
    assert codec
    assert network.signature


def _metrics() -> None:
    open_run("one").folder.metrics.read()


def _labels() -> None:
    store = open_labels("labels")
    store.batch(0, 0, 4)
    store.readout()


def _comparisons() -> None:
    for name in ("two", "grid"):
        found = open_comparison(name)
        assert found is None or (found.table and found.lines)


READS: dict[str, Callable[[], object]] = {
    "text": _data("tale.txt", 8),
    "folder of text": _data("texts", 8),
    "table": _data("walk.csv", 8),
    "labelled table": _data("waves.csv", None, "classify", _SERIES),
    "parquet": _data("waves.parquet", None, "classify", _SERIES),
    "npy": _data("images.npy"),
    "npz": _data("waves.npz"),
    "idx": _data("images.idx"),
    "idx, gzip": _data("images.idx.gz"),
    "labelled idx": _data("mnist", None, "classify"),
    ".ts": _data("waves.ts"),
    "config.json": lambda: open_run("one").source,
    "data.json": lambda: open_run("one").source,
    "evaluation.json": _evaluation,
    "metrics.jsonl": _metrics,
    "student": _student,
    "teacher": lambda: open_run("one").teacher,
    "checkpoint": lambda: load_tensors(Path("runs/own/checkpoints/last.safetensors")),
    "label store": _labels,
    "labels": _labels,
    "comparison": _comparisons,
}
"""By kind, in the folder that holds it."""


def read(kind: str) -> int:
    """The exit code that a command would have; its line goes to stderr."""
    try:
        READS[kind]()
    except BaseException as error:
        code, line = meaning(error) if not isinstance(error, KeyboardInterrupt) else (130, "ended")
        print(f"pastforward: {line}", file=sys.stderr)
        return code
    return 0
