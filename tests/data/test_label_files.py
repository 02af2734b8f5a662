"""Labelled sequences in files: what each format reads as, and what is wrong with bad ones."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from data.label_samples import WRITERS, waves, write_csv, write_sounds, write_ts
from scipy.io import wavfile

from pastforward.data import DataConfig, LabelledConfig
from pastforward.data.codec import PixelCodec, SymbolCodec, TextCodec
from pastforward.data.opening import kind_of, open_data, open_source
from pastforward.errors import UsageError
from pastforward.types import Quantiles, Tokens, Vectors


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    for name, write in WRITERS.items():
        write(folder / name)
    return folder


def opened(path: Path | str, task: str | None = "classify", **options):
    return open_data(DataConfig(str(path), options=LabelledConfig(**options), task=task))


def only(source, split="test"):
    return next(source.held_out(split, 1000, 1000))


def test_kinds_by_content_and_by_task(files):
    by_content = {name: kind_of(str(files / name)) for name in ("waves.npz", "archive", "mnist")}
    assert by_content == {"waves.npz": "labelled", "archive": "labelled", "mnist": "images"}
    assert kind_of(str(files / "waves.csv")) == "table"
    assert {kind_of(str(files / name), "classify") for name in WRITERS} == {"labelled"}
    assert kind_of("digits", "classify") == kind_of("hf:a", "regress") == "labelled"
    with pytest.raises(
        UsageError, match=r"--data\.task classify was given for 'copy:8', which says"
    ):
        kind_of("copy:8", "classify")
    with pytest.raises(UsageError, match=r"--data\.task is 'clasify'; did you mean 'classify'"):
        DataConfig("digits", task="clasify")


@pytest.mark.parametrize("name", ["waves.npz", "waves", "archive"])
def test_a_file_reads_alike_each_time_and_needs_no_task(files, name):
    one, other = (opened(files / name) for _ in range(2))
    assert (one.signature, one.codec) == (other.signature, other.codec)
    if name != "waves":
        found = open_source(str(files / name))
        assert (found.signature, found.codec) == (one.signature, one.codec)


def test_npz_with_parts(files):
    source = opened(files / "waves.npz")
    assert source.describe()["sequences"] == {"train": 36, "valid": 4, "test": 10}
    x, y = waves(1, 10)
    batch = only(source)
    np.testing.assert_allclose(source.codec.inputs.decode(batch.x.numpy()), x, atol=1e-5)
    assert batch.y[:, -1].tolist() == y.tolist()


def test_npz_with_everything(tmp_path):
    x, _ = waves()
    y = np.where(x[..., :1] > 0, 2.0, 1.0)
    lengths, mask = np.arange(40) % 12 + 1, np.ones((40, 12), bool)
    mask[:, 1] = False
    np.savez(tmp_path / "a.npz", X=x, rate=y, mask=mask, lengths=lengths)
    source = opened(tmp_path / "a.npz", "regress", target=("rate",), quantiles=(0.1, 0.9))
    assert source.signature.outputs == Quantiles(1, (0.1, 0.9))
    assert source.describe()["steps"] == {"min": 1, "median": 6.0, "max": 12}
    for batch in source.held_out("test", 1, 4):
        assert not batch.mask[0, 1]
        assert batch.mask[0, 0]


def test_npy_files_stay_on_disk(files):
    source = opened(files / "waves" / "x.npy")
    assert isinstance(source.parts[0].whole.x.arrays.base, np.memmap)
    assert source.codec == opened(files / "waves").codec


def test_task_decides_between_classes_and_numbers(files, tmp_path):
    assert opened(files / "waves.npz", "classify").signature.outputs == Tokens(2)
    numbers = opened(files / "waves.npz", "regress")
    assert numbers.signature.outputs == Vectors(1)
    assert numbers.codec.mean == (0.5,)
    x, y = waves()
    np.savez(tmp_path / "floats.npz", x=x, y=y.astype(float))
    assert opened(tmp_path / "floats.npz", None).signature.outputs == Vectors(1)
    assert opened(tmp_path / "floats.npz", "classify").codec.classes == ("0", "1")
    np.savez(tmp_path / "halves.npz", x=x, y=y + 0.5)
    with pytest.raises(UsageError, match=r"targets such as \[0.5\], .* --data.task regress"):
        opened(tmp_path / "halves.npz", "classify")
    np.savez(tmp_path / "names.npz", x=x, y=np.array(["a", "b"])[y])
    with pytest.raises(UsageError, match=r"that are no numbers .* --data\.task classify"):
        opened(tmp_path / "names.npz", "regress")


def test_colour_images(files):
    source = opened(files / "colours.npz")
    assert source.signature.inputs == Vectors(3)
    assert source.signature.length == 16
    assert source.codec.inputs.columns == ("red", "green", "blue")
    assert (source.describe()["height"], source.describe()["width"]) == (4, 4)
    assert opened(files / "colours.npz", pool=2).signature.length == 4
    with pytest.raises(UsageError, match="have 3 channels; leave levels out"):
        opened(files / "colours.npz", levels=4)


def test_ts_files_in_pairs(files):
    source = opened(files / "archive", None)
    assert source.describe()["origin"].endswith("waves_TRAIN.ts and waves_TEST.ts")
    assert source.describe()["sequences"] == {"train": 36, "valid": 4, "test": 40}
    assert source.codec.classes == ("fast", "slow")
    assert source.signature.length == 12
    assert source.describe()["steps"]["min"] == 9
    x, y = waves(1)
    seen = 0
    for batch in source.held_out("test", 1, 40):
        steps = int(batch.mask.nonzero()[0, 1]) + 1
        own = source.codec.inputs.decode(batch.x[0, :steps].numpy())
        near = [
            i
            for i in range(40)
            if len(own) == 12 - i % 4 and np.allclose(x[i, :steps], own, atol=1e-3)
        ]
        assert [["slow", "fast"][y[i]] for i in near] == [
            source.codec.classes[batch.y[0, steps - 1]]
        ]
        seen += 1
    assert seen == 40
    assert opened(files / "archive" / "waves_TRAIN.ts", None).codec == source.codec


@pytest.mark.parametrize("name", ["waves.csv", "waves.parquet"])
def test_tables_in_long_form(files, name):
    options = dict(target=("speed",), time="t", columns=("sin", "cos"))
    source = opened(files / name, **options)
    x, y = waves()
    assert source.codec.inputs.columns == ("sin", "cos")
    assert source.codec.classes == ("fast", "slow")
    assert source.describe()["sequences"] == {"train": 32, "valid": 4, "test": 4}
    whole = source.parts[0].whole
    assert {len(one) for one in whole.x.arrays} == {9, 10, 11, 12}
    found = {one.tobytes(): name for one, name in zip(whole.x.arrays, whole.y, strict=True)}
    for i in range(40):
        assert found[x[i, : 12 - i % 4].tobytes()] == ["slow", "fast"][y[i]]


@pytest.mark.parametrize("name", ["waves.csv", "waves.parquet"])
def test_a_column_of_splits(tmp_path, name):
    import pandas

    write_csv(tmp_path / "waves.csv")
    table = pandas.read_csv(tmp_path / "waves.csv")
    number = table["series"].str[1:].astype(int)
    table["part"] = np.select([number < 6, number < 16], ["test", "val"], "train")

    def read(task="classify", **changes):
        if name.endswith("csv"):
            table.to_csv(tmp_path / name, index=False)
        else:
            table.to_parquet(tmp_path / name)
        named = dict(target=("speed",), time="t", columns=("sin", "cos"))
        return opened(tmp_path / name, task, **(named | changes))

    source = read(split="part")
    assert source.describe()["sequences"] == {"train": 24, "valid": 10, "test": 6}
    assert source.describe()["splits"] == "as given"
    x, y = waves()
    test = source.parts[2].whole
    shown = {one.tobytes(): name for one, name in zip(test.x.arrays, test.y, strict=True)}
    expected = {x[i, : 12 - i % 4].tobytes(): ["slow", "fast"][y[i]] for i in range(6)}
    assert shown == expected
    each = read("regress", split="part", target=("cos",), columns=("sin",))  # one a step
    assert len(each.targets("test")) == sum(map(len, test.x.arrays))
    table = table.rename(columns={"part": "split"})
    assert read().describe()["sequences"] == source.describe()["sequences"]
    assert read(columns=(), target=("speed",)).codec.inputs.columns == ("sin", "cos", "sum")
    assert read(split="").describe()["sequences"] == {"train": 32, "valid": 4, "test": 4}
    table.loc[number == 7, "split"] = "dev"
    with pytest.raises(UsageError, match="holds dev for a sequence; give one of train"):
        read()
    table.loc[number == 7, "split"] = np.where(table["t"][number == 7] < 3, "train", "test")
    with pytest.raises(UsageError, match="holds test, train for a sequence"):
        read()
    table["split"] = "test"
    with pytest.raises(UsageError, match=r"No sequence of .* has the split 'train'"):
        read()


def test_a_target_that_changes_is_one_a_step(files):
    source = opened(
        files / "waves.csv", "regress", target=("cos", "sum"), time="t", columns=("sin",)
    )
    assert source.signature.outputs == Vectors(2)
    assert source.describe()["targets"] == "numbers, one a step"
    one = opened(files / "waves.csv", "regress", target=("sum",), columns=("sin",))
    assert one.describe()["targets"] == "numbers, at the end"
    rows = dict(target=("cos",), columns=("sin",), time="t")
    last = opened(files / "waves.csv", "regress", at="end", **rows)
    assert last.describe()["targets"] == "numbers, at the end"
    x = {float(row[12 - i % 4 - 1, 1]) for i, row in enumerate(waves()[0])}
    np.testing.assert_allclose(sorted(last.parts[0].whole.y), sorted(x), atol=1e-6)
    each = opened(files / "waves.csv", "regress", at="steps", **(rows | {"target": ("sum",)}))
    assert each.describe()["targets"] == "numbers, one a step"


def test_images_with_labels(files):
    source = opened(files / "mnist")
    assert source.signature.inputs == Vectors(1)
    assert source.signature.length == 24
    assert source.describe()["sequences"] == {"train": 36, "valid": 4, "test": 10}
    assert source.parts[0].whole.x.arrays.base is not None  # a view of the bytes that were read
    symbols = opened(files / "mnist", levels=4)
    assert symbols.codec.inputs == PixelCodec(4, 6, 4)
    assert opened(files / "mnist", pool=2).signature.length == 6


def test_pixels_in_another_order(files):
    plain, mixed = opened(files / "mnist", levels=8), opened(files / "mnist", levels=8, permute=3)
    assert mixed.codec.inputs == SymbolCodec(8)
    order = np.random.default_rng(3).permutation(24)
    assert (only(mixed).x == only(plain).x[:, order]).all()
    assert (order != np.arange(24)).any()
    again = opened(files / "mnist", levels=8, permute=3)
    assert (only(again).x == only(mixed).x).all()
    assert "height" not in mixed.describe()


def test_digits_with_labels():
    source = opened("digits")
    assert source.signature.outputs == Tokens(10)
    assert source.signature.length == 64
    assert sum(source.describe()["sequences"].values()) == 1797


def test_sounds_by_class(files):
    source = opened(files / "sounds", pool=10)
    assert source.codec.classes == ("high", "low")
    assert source.describe()["steps"] == {"min": 20, "median": 24.5, "max": 29}
    first = source.parts[0].whole.x.arrays[0]
    _, samples = wavfile.read(files / "sounds" / "high" / "0.wav")
    means = samples.reshape(20, 10).mean(1) / 2**15
    np.testing.assert_allclose(first[:, 0], means, atol=1e-6)


def hub(monkeypatch, **splits):
    asked = []

    def load_dataset(*names):
        asked.append(names)
        return splits

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    return asked


class Split(dict):
    column_names = property(list)

    def __init__(self, features=(), **columns):
        super().__init__(columns)
        self.features = dict(features)


def test_hub_with_columns_named(monkeypatch):
    names = SimpleNamespace(names=["bad", "good"])
    texts = Split({"mood": names}, words=["ab", "abc", "b"] * 4, mood=[0, 1, 1] * 4)
    asked = hub(monkeypatch, train=texts, test=texts)
    source = opened("hf:some/set:small", columns=("words",), target=("mood",))
    assert asked == [("some/set", "small")]
    assert source.codec.inputs == TextCodec("abc")
    assert source.codec.classes == ("bad", "good")
    assert source.describe()["sequences"] == {"train": 11, "valid": 1, "test": 12}
    numbers = Split(text=[[1.0, 2.0], [3.0]] * 6, label=[1.5, 2.5] * 6)
    hub(monkeypatch, train=numbers)
    assert opened("hf:some/set", "regress").signature.outputs == Vectors(1)
    with pytest.raises(UsageError, match="'hf:some/set' has no column 'txt'; did you mean 'text'"):
        opened("hf:some/set", columns=("txt",))


def test_only_its_own_length_may_be_asked_for(files):
    path = str(files / "waves.npz")
    assert open_data(DataConfig(path, 12)).signature.length == 12
    with pytest.raises(
        UsageError, match=r"Length 8 .* longest sequence has 12 steps; leave it out"
    ):
        open_data(DataConfig(path, 8))


def test_options_without_a_use_are_refused(files):
    for name, option in (("waves.npz", {"series": "id"}), ("sounds", {"permute": 1}),
                         ("archive", {"target": ("y",)}), ("waves.csv", {"pool": 2})):  # fmt: skip
        with pytest.raises(UsageError, match=rf"--data\.{next(iter(option))} has no use "):
            opened(files / name, **option)
    with pytest.raises(
        UsageError, match=r"x of shape \(40, 12, 2\), no images, .*; leave them out"
    ):
        opened(files / "waves.npz", permute=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {},
            "is a table, and no column was named as its target; give --data.target with one of se",
        ),
        (
            {"target": ("sped",)},
            "has no column 'sped' among series, t, sin, .*; did you mean 'speed'",
        ),
        ({"target": ("speed",), "series": "seris"}, "has no column 'seris' .* mean 'series'"),
        ({"target": ("sped",), "series": "seris"}, "has no column 'sped' among series, t, sin"),
        ({"target": ("speed",), "split": "part"}, "has no column 'part' among series"),
        ({"target": ("speed",), "time": "tme"}, "no column 'tme'"),
        ({"target": ("sum",), "columns": ("speed",)}, "Column 'speed' of .* holds '.*', no number"),
        ({"target": ("sin", "cos", "speed", "sum", "t")}, "holds no columns besides sin, cos"),
    ],
)
def test_bad_columns_of_tables(files, options, said):
    with pytest.raises(UsageError, match=said):
        opened(files / "waves.csv", **options)


def test_bad_files(files, tmp_path):
    def refused(path, said, **options):
        with pytest.raises(UsageError, match=said) as error:
            opened(path, **options)
        assert "\n" not in str(error.value)

    x, y = waves()
    np.savez(tmp_path / "objects.npz", x=np.array([x[0], None], object), y=y[:2], allow_pickle=True)
    refused(
        tmp_path / "objects.npz", "holds y but not x, or only as objects, which are not unpickled"
    )
    np.savez(tmp_path / "no_y.npz", x=x, label=y)
    refused(tmp_path / "no_y.npz", "holds x but not y, .*; it holds x, label")
    np.savez(tmp_path / "no_train.npz", x_test=x, y_test=y)
    refused(tmp_path / "no_train.npz", "give x and y, or x_train and y_train")
    np.savez(tmp_path / "short.npz", x=x, y=y[:-1])
    refused(tmp_path / "short.npz", "x holds 40 sequences and y 39 targets")
    write_ts(tmp_path / "unlabelled", "false")
    refused(tmp_path / "unlabelled", "says of itself that it has no labels")
    write_ts(tmp_path / "broken")
    broken = tmp_path / "broken" / "waves_TEST.ts"
    broken.write_text(broken.read_text().replace("@data\n", "@data\nx,y:1,2:slow\n"))
    refused(tmp_path / "broken", "is no readable .ts file")
    (tmp_path / "archive").mkdir()
    for name in ("a_TRAIN.ts", "b_TRAIN.ts"):
        (tmp_path / "archive" / name).write_text("@data\n")
    refused(tmp_path / "archive", "of 2 data sets; name one of them: a_TRAIN.ts, b_TRAIN.ts")
    (tmp_path / "empty.csv").write_text("series,t,y\n")
    refused(tmp_path / "empty.csv", "holds no rows", target=("y",))
    (tmp_path / "gap.csv").write_text("series,a,y\n1,2,u\n1,,u\n2,1,v\n2,3,v\n" * 1)
    refused(tmp_path / "gap.csv", "training needs|nan in sequence", target=("y",))
    (tmp_path / "fake.parquet").write_text("PAR")
    refused(tmp_path / "fake.parquet", "is no readable table", target=("y",))
    write_sounds(tmp_path / "one", ("only",))
    refused(tmp_path / "one", "are of the class 'only'; give sequences of two classes")
    write_sounds(tmp_path / "rates")
    wavfile.write(tmp_path / "rates" / "low" / "x.wav", 16_000, np.zeros(300, np.int16))
    refused(tmp_path / "rates", "1 channels at 8000 Hz, but .*x.wav' 1 at 16000 Hz")
    (tmp_path / "rates" / "low" / "x.wav").write_bytes(b"RIFF")
    refused(tmp_path / "rates", "x.wav' is no readable .wav file")
    write_sounds(tmp_path / "short")
    refused(tmp_path / "short", "has 200 samples, too few for one mean over 300", pool=300)
    (tmp_path / "notes.txt").write_text("All happy families")
    refused(
        tmp_path / "notes.txt",
        "holds no labels that can be read; give one of: digits; acsf1, .* hf:NAME",
    )


def test_idx_without_labels(files, tmp_path):
    for file in (files / "mnist").glob("*images*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(
        UsageError, match=r"has no labels beside it; put 'train-labels-idx1-ubyte.gz'"
    ):
        opened(tmp_path)


def test_without_an_optional_package(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "sktime.datasets", None)
    with pytest.raises(UsageError, match=r"package, which is not installed; run pip install pastf"):
        opened(files / "archive")


def test_mnist_with_labels():
    folder = os.environ.get("PASTFORWARD_DATA")
    if not folder:
        pytest.skip("PASTFORWARD_DATA names no folder with mnist/")
    source = opened(Path(folder) / "mnist", pool=2)
    assert source.signature.length == 196
    assert source.describe()["sequences"] == {"train": 54000, "valid": 6000, "test": 10000}
    assert source.describe()["classes"]["1"]["test"] == 1135


def test_a_table_of_gaps_may_be_read_as_means(tmp_path):
    write_csv(tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    cells = lines[5].split(",")
    lines[5] = ",".join([*cells[:2], "", *cells[3:]])
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError, match=r"nan in sequence .* --data\.missing mean"):
        opened(tmp_path / "a.csv", target=("speed",))
    filled = opened(tmp_path / "a.csv", target=("speed",), missing="mean")
    assert filled.describe()["missing values"] == 1
