"""L1. Tables in .csv and .tsv files, by pandas: delimiter, decimals, header and index by rules.

- The delimiter is a tab, semicolon or comma: the first of them by which all of the first rows have
  the same number of cells, two or more, or else the first that the first row has.
- Numbers have decimal commas where the delimiter is no comma and a cell of the first rows has one.
- The first row is a header where a cell of it is no number, or where its cells are whole numbers
  that rise by one (2019, 2020) and those of the second row are none such.
- A first column without a name is the index that pandas writes, and is left out; so are columns
  without a name and content, where rows end in a delimiter.
"""

import csv
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from typing_extensions import override

from pastforward.data.files import read_bytes
from pastforward.errors import UsageError
from pastforward.watching import counting

_DELIMITERS = {"\t": "tabs", ";": "semicolons", ",": "commas"}
_HEAD, _ROWS = 2**20, 100
"""Bytes and rows by which a file is recognised."""
_INDEX = ("", "Unnamed: 0")
_NUMBER = r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*|nan|[+-]?inf"


class Form(NamedTuple):
    """How a file is written."""

    delimiter: str
    decimal: str
    header: bool


class Table(NamedTuple):
    """A table as pandas read it, and how."""

    path: Path
    frame: Any
    """A `pandas.DataFrame`; columns with a cell that is no number hold strings."""
    form: Form
    how: str
    """How it was read, for people."""

    def numbers(self, column: str, missing: bool = False) -> np.ndarray:
        """A column `[N]`, float64; raises `UsageError` for the first cell that is no number.

        With `missing` empty cells and their likes (NA, nan) are NaN.
        """
        values = self.frame[column]
        absent = values.isna().to_numpy() if missing else np.zeros(len(values), bool)
        if values.dtype.kind not in "iuf":
            values = values.map(lambda cell: float(cell) if _is_number(cell, self.form) else np.nan)
        numbers = values.to_numpy(np.float64)
        wrong = np.flatnonzero(~np.isfinite(numbers) & ~absent)
        if len(wrong):
            row = int(wrong[0])
            # Of a frame in memory there is no file to read again.
            line, cell = (
                self._cell(row, column)
                if self.path.exists()
                else (row, str(self.frame[column].iloc[row]))
            )
            raise UsageError(
                f"'{self.path}' holds '{cell[:40]}' in row {line}, column '{column}', where a "
                "number belongs; mend it, or name the columns to read."
            )
        return numbers

    def _cell(self, row: int, column: str) -> tuple[int, str]:
        """Line in the file, and text, of a cell; the file is read again."""
        text = read_bytes(self.path).decode("utf-8-sig")
        records = list(_records(text, self.form.delimiter))
        names = [cell.strip() for cell in records[0][1]] if self.form.header else []
        place = names.index(column) if names else int(column) - 1
        line, cells = records[row + self.form.header]
        return line, cells[place] if place < len(cells) else ""


def read_delimited(path: Path, header: str = "auto", missing: bool = False) -> Table:
    """A .csv or .tsv file, packed by gzip or not; `header` is 'auto', 'yes' or 'no'.

    Columns without a header are named 1, 2, ... Words for missing numbers, such as NA, are read as
    NaN only where `missing` is True. Raises `UsageError` for what is no table in UTF-8.
    """
    import pandas  # takes a second

    data = read_bytes(path)
    form = None
    try:
        form, first = _form(data, header)
        names = [cell.strip() if form.header else str(i + 1) for i, cell in enumerate(first)]
        counted = counting("reading the table", len(data))
        with warnings.catch_warnings(), counted as done:
            # Of a first row that is shorter than the others.
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(
                _Counted(data, done), sep=form.delimiter, decimal=form.decimal, index_col=False,
                header=0 if form.header else None, names=range(len(names)), encoding="utf-8-sig",
                skipinitialspace=True, keep_default_na=missing, na_values=[""], low_memory=False,
                float_precision="round_trip",
            )  # fmt: skip
    except (pandas.errors.ParserError, pandas.errors.ParserWarning) as error:
        raise _uneven(path, data, form.delimiter if form else ",", error) from error
    except ValueError as error:
        reason = " ".join(str(error).split())[:100]
        raise UsageError(f"'{path}' is no CSV file in UTF-8 ({reason}); save it as one.") from error
    frame, dropped = _named(path, frame, names)
    return Table(path, frame, form, _told(form, dropped))


def frame_table(frame: Any, name: str) -> Table:
    """A `pandas.DataFrame` or `Series` in memory as a table; a named or dated index is a column."""
    import pandas

    if isinstance(frame, pandas.Series):
        frame = frame.to_frame(frame.name or "value")
    if isinstance(frame.index, pandas.PeriodIndex):
        frame = frame.set_axis(frame.index.to_timestamp())
    if isinstance(frame.index, pandas.DatetimeIndex) or frame.index.names != [None]:
        frame = frame.rename_axis(frame.index.names[0] or "date").reset_index()
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    return Table(Path(name), frame, Form(",", ".", True), "a frame in memory")


class _Counted(io.BytesIO):
    """Counts the bytes that are read of a text."""

    def __init__(self, data: bytearray, done: Callable[[int], object]) -> None:
        super().__init__(data)
        self._done = done

    @override
    def read1(self, size: int | None = -1, /) -> bytes:
        found = super().read1(size)
        self._done(len(found))
        return found


def _form(data: bytearray, header: str) -> tuple[Form, list[str]]:
    """How the file is written, by its first rows, and the first of them."""
    text = data[:_HEAD].decode("utf-8-sig", errors="ignore")
    found = {mark: _first(text, mark, len(data) > _HEAD) for mark in _DELIMITERS}
    even = [mark for mark, rows in found.items() if len({len(row) for row in rows}) == 1]
    wide = [mark for mark in _DELIMITERS if len(next(iter(found[mark]), [])) > 1]
    mark = next((mark for mark in wide if mark in even), next(iter(wide), ","))
    rows = found[mark]
    if not rows:
        raise ValueError("it holds no rows")
    comma = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
    commas = mark != "," and any(comma.fullmatch(cell) for row in rows for cell in row)
    form = Form(mark, "," if commas else ".", header == "yes")
    if header == "auto":
        form = form._replace(header=_is_header(rows, form))
    return form, rows[0]


def _first(text: str, delimiter: str, cut: bool) -> list[list[str]]:
    """The first rows of a text, without the last one where it was cut."""
    found = []
    for _, row in _records(text, delimiter):
        found.append(row)
        if len(found) == _ROWS:
            return found
    return found[:-1] if cut else found


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with the line at which each ends.

    Lines end where those of files do: str.splitlines would also end them at U+2028 and its like.
    Raises `ValueError` for what is no table.
    """
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            if len(row) > 1 or "".join(row).strip():
                yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(str(error)) from error


def _is_header(rows: list[list[str]], form: Form) -> bool:
    first = rows[0]
    named = [cell for cell in first if cell.strip() and not _is_number(cell, form)]
    index = len(first) > 1 and not first[0].strip() and all(cell.strip() for cell in first[1:])
    return bool(named) or index or (_counts(first) and not any(map(_counts, rows[1:2])))


def _counts(row: list[str]) -> bool:
    """Are these whole numbers that rise by one?"""
    if len(row) < 2 or not all(cell.strip().isdecimal() for cell in row):
        return False
    numbers = [int(cell) for cell in row]
    return numbers == list(range(numbers[0], numbers[0] + len(row)))


def _is_number(cell: object, form: Form) -> bool:
    text = str(cell).replace(form.decimal, ".") if form.decimal != "." else str(cell)
    return re.fullmatch(_NUMBER, text, re.IGNORECASE | re.ASCII) is not None


def _named(path: Path, frame: Any, names: list[str]) -> tuple[Any, list[str]]:
    """The frame with its columns named, without those that no one named; what was dropped."""
    kept, dropped = list(range(len(names))), []
    if names[0] in _INDEX and len(names) > 1:
        dropped.append("the first column, without a name, left out as an index")
        kept.remove(0)
    for place in [place for place in kept if not names[place]]:
        if not frame[place].isna().all():
            raise UsageError(
                f"Column {place + 1} of '{path}' has no name in the first row; give it one."
            )
        dropped.append(f"column {place + 1}, empty, left out")
        kept.remove(place)
    known = [names[place] for place in kept]
    twice = next((name for name in known if known.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"'{path}' has two columns named '{twice}'; rename one of them.")
    frame = frame[kept]
    frame.columns = known
    return frame, dropped


def _told(form: Form, dropped: list[str]) -> str:
    header = "columns named by its first row" if form.header else "no header, columns numbered"
    decimal = ["decimal commas"] if form.decimal == "," else []
    return ", ".join([f"separated by {_DELIMITERS[form.delimiter]}", *decimal, header, *dropped])


def _uneven(path: Path, data: bytearray, delimiter: str, error: Exception) -> UsageError:
    """What is wrong with rows that pandas refused."""
    records, first = _records(data.decode("utf-8-sig", errors="replace"), delimiter), 0
    with suppress(ValueError):  # then pandas says it
        for line, row in records:
            first = first or len(row)
            if len(row) > first:
                return UsageError(
                    f"'{path}' has {len(row)} cells in row {line} and {first} in its first row; "
                    "give every row as many."
                )
    reason = " ".join(str(error).split())[:100]
    return UsageError(f"'{path}' is no CSV file in UTF-8 ({reason}); save it as one.")
