"""Bars while files of labelled data are read: all of what there is to read is counted."""

import pytest
from data.label_samples import WRITERS

from pastforward.data import DataConfig, LabelledConfig
from pastforward.data.opening import open_data
from pastforward.watching import shown_on

TABLE = {"target": ("speed",), "time": "t"}


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("sounds", {}, {"reading sounds": 20}),
        ("archive", {}, {"reading .ts files": 2}),
        ("mnist", {}, {"reading IDX files": 4}),
        ("mnist", {"pool": 2}, {"reading IDX files": 4, "converting images": 1}),
        ("colours.npz", {"pool": 2}, {"converting images": 1}),
        ("waves.csv", TABLE, {"reading the table": None}),
        ("waves.parquet", TABLE | {"columns": ("sin", "cos")}, {"reading the table": None}),
    ],
)
def test_every_format_counts_what_it_reads(name, options, expected, tmp_path, shown):
    WRITERS[name](tmp_path / name)
    config = DataConfig(str(tmp_path / name), options=LabelledConfig(**options), task="classify")
    with shown_on():
        source = open_data(config)
    assert shown.keys() == expected.keys()
    for title, total in expected.items():
        if total is not None:
            assert shown[title] == [total, total]
    if name == "waves.csv":
        size = (tmp_path / name).stat().st_size
        assert shown["reading the table"] == [size, size]
    shown.clear()
    assert open_data(config).codec == source.codec
    assert not shown


def test_images_are_converted_in_chunks(tmp_path, shown, monkeypatch):
    WRITERS["mnist"](tmp_path / "mnist")
    config = DataConfig(str(tmp_path / "mnist"), options=LabelledConfig(levels=4), task="classify")
    whole = open_data(config)
    monkeypatch.setattr("pastforward.data.label_files.images._CHUNK", 7)
    with shown_on():
        chunked = open_data(config)
    assert shown["converting images"][0] > 1
    for one, other in zip(
        whole.held_out("test", 99, 99), chunked.held_out("test", 99, 99), strict=True
    ):
        assert (one.x == other.x).all()
