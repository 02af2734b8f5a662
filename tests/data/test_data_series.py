import numpy as np
import pytest

from pastforward.data import DataConfig, SeriesConfig
from pastforward.data.opening import open_data, open_source
from pastforward.data.series import SeriesSource
from pastforward.errors import UsageError
from pastforward.types import Vectors

VALUES = np.random.default_rng(0).normal([5.0, -2.0, 100.0], [1.0, 3.0, 20.0], (800, 3))


def write(path, rows=VALUES, header="a,b, c"):
    lines = [",".join(map(repr, r)) for r in rows.tolist()]
    path.write_text("\n".join([header, *lines] if header else lines) + "\n")
    return str(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s.csv"


def test_rows_by_brute_force():
    source = SeriesSource("walk", VALUES, ("a", "b", "c"), 10)
    assert source.signature.inputs == source.signature.outputs == Vectors(3)
    x, y, mask = source.batch(0, 0, 50)
    assert mask.all()
    assert mask.shape == (50, 10)
    mean, std = source.codec.scale("", VALUES)
    for history, future in zip(x.numpy(), y.numpy(), strict=True):
        rows = np.concatenate([history[:1], future]) * std + mean
        start = int(np.abs(VALUES - rows[0]).sum(1).argmin())
        assert start + 10 < 640
        np.testing.assert_allclose(history[1:], future[:-1])
        np.testing.assert_allclose(rows, VALUES[start : start + 11], rtol=1e-4, atol=1e-4)


def test_held_out_rows_count_once_and_what_is_read_before_them_does_not():
    source = SeriesSource("walk", VALUES, ("a", "b", "c"), 14)
    mean, std = source.codec.scale("", VALUES)
    for split, start in (("valid", 640), ("test", 720)):
        batches = list(source.held_out(split, 3, 10**6))
        counted = np.concatenate([b.y.numpy()[b.mask.numpy()] for b in batches])
        expected = (VALUES[start : start + 80] - mean) / std
        np.testing.assert_allclose(counted, expected, rtol=1e-4, atol=1e-5)


def test_standardised_by_the_training_rows_alone(path):
    codec = open_source(write(path)).codec
    assert codec.columns == ("a", "b", "c")
    np.testing.assert_allclose(codec.mean, VALUES[None, :640].mean(1))
    np.testing.assert_allclose(codec.std, VALUES[None, :640].std(1))


def test_gaussian_reference_by_brute_force():
    source = SeriesSource("walk", VALUES, ("a", "b", "c"), 13)
    mean, std = source.codec.scale("", VALUES)
    train, test = ((rows - mean) / std for rows in (VALUES[1:640], VALUES[720:]))
    density = np.exp(-0.5 * ((test - train.mean(0)) / train.std(0)) ** 2) / np.sqrt(2 * np.pi)
    expected = -np.log(density / train.std(0)).sum(1).mean()
    assert source.references() == {"gaussian": pytest.approx(expected, 1e-5)}


def test_columns_are_chosen_by_name_and_order(path):
    source = open_data(DataConfig(write(path), options=SeriesConfig(("c", "a"))))
    assert source.codec.columns == ("c", "a")
    np.testing.assert_allclose(source.codec.mean[0], VALUES[:640, [2, 0]].mean(0))
    with pytest.raises(UsageError, match="no column 'd'; choose one of a, b, c"):
        open_data(DataConfig(str(path), options=SeriesConfig(("d",))))


def test_without_a_header_columns_are_numbered(path):
    source = open_source(write(path, header=""))
    assert source.codec.columns == ("1", "2", "3")
    assert source.describe()["rows"] == {"train": 640, "valid": 80, "test": 80}


def test_words_in_columns_not_read_do_no_harm(path):
    rows = "\n".join(f"day{i},{i % 7}" for i in range(400))
    path.write_text("date,value\n" + rows)
    config = DataConfig(str(path), options=SeriesConfig(("value",)))
    assert open_data(config).signature.outputs == Vectors(1)
    with pytest.raises(UsageError, match="holds 'day0' in row 2, column 'date'"):
        open_source(str(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3,x\n", "holds 'x' in row 3, column 'b', where a number belongs"),
        ("a,b\n1,2\n3,4,5\n", "3 cells in row 3 and 2 in its first row; give every row"),
        ("a\n" + "1e308\n" * 400, "holds 1e.308 in row 0, column 'a', .* below 1e.100"),
        ("a,b\n1,nan\n", "holds no value in the training rows of some column"),
        ("1,2\n3,4\n", "2 rows long, too short for windows of 4 steps in its first 80%"),
        ("a,b\n", "holds no value"),
        ("\n\n", "holds no rows"),
        ("", "is empty"),
        ("a\n" + "1\n" * 400, "Column 'a' of .* never changes"),
    ],
)
def test_bad_csv(path, text, said):
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        open_source(str(path))


def test_csv_in_another_encoding(path):
    path.write_bytes("a,é\n1,2\n".encode("utf-16"))
    with pytest.raises(UsageError, match="no CSV file in UTF-8"):
        open_source(str(path))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (VALUES[:, 0], r"of shape \(800,\) with 2 names"),
        (VALUES, r"of shape \(800, 3\) with 2 names of columns; give numbers as \[N, C\]"),
        (VALUES[:, :2].astype(str), "an array of <U"),
        (np.where(VALUES[7, 1] == VALUES, np.nan, VALUES)[:, :2], "holds nan in row 7, column 'b'"),
        (np.where(VALUES[799, 0] == VALUES, -np.inf, VALUES)[:, :2], "holds -inf in row 799"),
    ],
)
def test_bad_rows(rows, said):
    with pytest.raises(UsageError, match=said):
        SeriesSource("walk", rows, ("a", "b"), 8)
