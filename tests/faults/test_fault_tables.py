"""Tables are read by rules: delimiter, decimals, header, index, numbers, rows of errors."""

import numpy as np
import pandas
import pytest

from pastforward.data import DataConfig, LabelledConfig, SeriesConfig
from pastforward.data.opening import open_data, open_source
from pastforward.errors import UsageError
from pastforward.runs.describing import data_lines

VALUES = np.random.default_rng(0).normal(size=(400, 2)).round(3)


def written(path, rows=VALUES, header="a,b", mark=",", decimal="."):
    lines = [mark.join(str(v).replace(".", decimal) for v in row) for row in rows.tolist()]
    path.write_text("\n".join([header.replace(",", mark), *lines] if header else lines) + "\n")
    return str(path)


def values_of(source):
    return source.panel.series[0].values


def told(source):
    return next(line for line in data_lines(source) if line.startswith("table:"))


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("header", ["a,b", ""])
def test_delimiters_and_decimals(tmp_path, mark, decimal, header):
    if (mark, decimal) == (",", ","):
        pytest.skip("can't be told apart by anybody")
    source = open_source(written(tmp_path / "s.csv", VALUES, header, mark, decimal))
    np.testing.assert_allclose(values_of(source), VALUES, atol=1e-12)
    assert source.codec.columns == (("a", "b") if header else ("1", "2"))
    assert {",": "commas", ";": "semicolons", "\t": "tabs"}[mark] in told(source)
    assert ("decimal commas" in told(source)) == (decimal == ",")
    assert ("no header" in told(source)) == (not header)


@pytest.mark.parametrize(
    ("first", "columns"), [("2019,2020", ("2019", "2020")), ("0,1", ("0", "1")), ("1.5,2", None)]
)
def test_a_header_of_numbers(tmp_path, first, columns):
    source = open_source(written(tmp_path / "s.csv", header=first))
    assert source.codec.columns == (columns or ("1", "2"))
    assert len(values_of(source)) == (400 if columns else 401)


@pytest.mark.parametrize(("header", "rows"), [("yes", 400), ("no", 401)])
def test_a_header_by_word(tmp_path, header, rows):
    path = written(tmp_path / "s.csv", header="1.5,2")
    source = open_data(DataConfig(path, options=SeriesConfig(header=header)))
    assert len(values_of(source)) == rows
    with pytest.raises(UsageError, match=r"--data\.header is 'none'; did you mean 'no'"):
        SeriesConfig(header="none")


def test_counted_rows_without_a_header(tmp_path):
    rows = [f"{i},{i + 1}" for i in range(400)]
    (tmp_path / "s.csv").write_text("\n".join(rows))
    assert len(values_of(open_source(str(tmp_path / "s.csv")))) == 400


@pytest.mark.parametrize("columns", [["a", "b"], [0, 1]])
@pytest.mark.parametrize("again", [False, True])
def test_the_index_of_pandas_is_left_out(tmp_path, columns, again):
    path = tmp_path / "s.csv"
    pandas.DataFrame(VALUES, columns=columns).to_csv(path)
    if again:
        pandas.read_csv(path).to_csv(path, index=False)
    source = open_source(str(path))
    assert source.codec.columns == tuple(map(str, columns))
    np.testing.assert_allclose(values_of(source), VALUES, atol=1e-12)
    assert "left out as an index" in told(source)


def test_rows_that_end_in_a_delimiter(tmp_path):
    (tmp_path / "s.csv").write_text("a,b,\n" + "\n".join(f"{i},{i % 5}," for i in range(400)))
    assert open_source(str(tmp_path / "s.csv")).codec.columns == ("a", "b")
    (tmp_path / "s.csv").write_text("a,,b\n" + "\n".join(f"{i},1,{i % 5}" for i in range(400)))
    with pytest.raises(UsageError, match=r"Column 2 of .* has no name"):
        open_source(str(tmp_path / "s.csv"))


@pytest.mark.parametrize("cell", ["1_000", "1 000", "0x10", "\uff11", "True", "high", "1,5", "inf"])
def test_what_is_no_number(tmp_path, cell):
    lines = ["a,b", *(f"{i},{i % 5}" for i in range(200)), f'7,"{cell}"']
    lines += [f"{i},{i % 5}" for i in range(200)]
    (tmp_path / "s.csv").write_text("\n".join(lines))
    with pytest.raises(UsageError, match=f"holds '{cell}' in row 202, column 'b'"):
        open_source(str(tmp_path / "s.csv"))


@pytest.mark.parametrize("odd", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\n"])
def test_rows_of_errors_are_lines_of_the_file(tmp_path, odd):
    """Quoted text may hold what some take for the end of a line."""
    lines = ["note,v", *(f'"a{odd}b",{i}' for i in range(50)), '"c",x']
    (tmp_path / "s.csv").write_text("\n".join(lines), encoding="utf-8")
    line = 52 if odd != "\n" else 102
    options = SeriesConfig(("v",))
    with pytest.raises(UsageError, match=f"holds 'x' in row {line}, column 'v'"):
        open_data(DataConfig(str(tmp_path / "s.csv"), options=options))
    (tmp_path / "s.csv").write_text("\n".join([*lines[:-1], "1,2,3"]), encoding="utf-8")
    with pytest.raises(UsageError, match=f"3 cells in row {line} and 2 in its first row"):
        open_source(str(tmp_path / "s.csv"))


def test_all_rows_longer_than_the_header(tmp_path):
    (tmp_path / "s.csv").write_text("a,b\n" + "1,2,3\n" * 300)
    with pytest.raises(UsageError, match="3 cells in row 2 and 2 in its first row"):
        open_source(str(tmp_path / "s.csv"))


def test_a_column_named_twice(tmp_path):
    with pytest.raises(UsageError, match="two columns named 'a'"):
        open_source(written(tmp_path / "s.csv", header="a,a"))


@pytest.mark.parametrize("content", [b"\x00\x01" * 99, b'a,"b\n1', b"\xff\xfe\x00", b",\n,\n"])
def test_no_table_at_all(tmp_path, content):
    (tmp_path / "s.csv").write_bytes(content)
    with pytest.raises(UsageError) as error:
        open_source(str(tmp_path / "s.csv"))
    assert "\n" not in str(error.value)


def test_a_labelled_table_by_the_same_rules(tmp_path):
    rows = [f"{2 * s + t};{s};{t / 2};{s % 2}" for s in range(30) for t in (0, 1)]
    text = "\n".join([";series;x;y", *rows]).replace(".", ",")
    (tmp_path / "w.csv").write_text(text)
    options = LabelledConfig(target=("y",))
    source = open_data(DataConfig(str(tmp_path / "w.csv"), options=options, task="classify"))
    assert source.codec.inputs.columns == ("x",)
    assert source.signature.length == 2
    assert "decimal commas" in source.describe()["origin"]
    assert "left out as an index" in source.describe()["origin"]


def test_a_table_whose_test_rows_are_all_missing(tmp_path):
    rows = [f"{i % 5},{i * i % 7}" for i in range(11)]
    (tmp_path / "walk.csv").write_text("\n".join(["north,east", *rows, "1,"]))
    with pytest.raises(UsageError, match="has no measured row among those of its test part"):
        open_source(str(tmp_path / "walk.csv"))


def test_a_damaged_parquet_file(tmp_path, monkeypatch):
    def damaged(path):
        raise KeyError("pandas_type")

    (tmp_path / "waves.parquet").write_bytes(b"PAR1 and more PAR1")
    monkeypatch.setattr("pandas.read_parquet", damaged)
    options = LabelledConfig(target="speed")
    with pytest.raises(UsageError, match=r"is no readable table \('pandas_type'\)"):
        open_data(DataConfig(str(tmp_path / "waves.parquet"), None, options, "classify"))
