"""L1. Labelled tables in long form, .csv or .parquet: a row for each step of each sequence."""

from pathlib import Path
from typing import Any

import numpy as np

from pastforward.data import LabelledConfig
from pastforward.data.files import is_csv, read_bytes, table_at
from pastforward.data.label_files import PARTS, require_columns
from pastforward.data.labelled import Reading
from pastforward.data.tables import read_delimited
from pastforward.data.targets import Given
from pastforward.errors import UsageError
from pastforward.files import expanded
from pastforward.watching import counting


def read_table(source: str, options: LabelledConfig) -> Reading:
    """Rows grouped by the column `series`, in the order of the column `time`.

    A column `split` says which sequences are held out.

    A target that is the same in all rows of each sequence is one at the end, any other one for
    each step, where `at` doesn't say; at the end it is that of the last row. Raises `UsageError`
    for missing columns, and for channels that are no numbers.
    """
    path = expanded(source)
    table, read = _loaded(path)
    known = [str(c) for c in table.columns]
    if not options.target:
        raise UsageError(
            f"'{path}' is a table, and no column was named as its target; give --data.target with "
            f"one of {', '.join(known[:12])}."
        )
    # Without one every sequence is of 'train'; a name of the user's own must be there.
    absent = options.split == LabelledConfig.split and options.split not in known
    split = "" if absent else options.split
    named = (*options.target, options.series, *filter(None, [options.time, split]))
    require_columns(str(path), (*named, *options.columns), known)
    columns = options.columns or tuple(c for c in known if c not in named)
    if not columns:
        raise UsageError(f"'{path}' holds no columns besides {', '.join(named)}; add channels.")
    # Sequences come in the order of their first rows.
    series = table[options.series].map({s: i for i, s in enumerate(table[options.series].unique())})
    keys = [series.to_numpy()]
    if options.time:
        keys.insert(0, table[options.time].to_numpy())
    table = table.iloc[np.lexsort(keys)]
    ends = np.cumsum(np.bincount(keys[-1]))[:-1]
    x = np.split(_numbers(path, table, columns), ends)
    parts = {"train": Given(x, _targets(table, options, ends))}
    if split:
        parts = _divided(path, parts["train"], np.split(_plain(table[split]), ends))
    how = ", ".join(filter(None, [read, _told(options)]))
    return Reading(str(path), parts, columns=columns, targets=options.target, how=how)


def _divided(path: Path, whole: Given, values: list[np.ndarray]) -> dict[str, Given]:
    """The splits by the values of their column; `UsageError` for other values, and for several."""
    names = {word: name for name, words in PARTS.items() for word in words}
    for found in values:
        if found[0] not in names or (found != found[0]).any():
            raise UsageError(
                f"The column of splits of '{path}' holds {', '.join(map(str, np.unique(found)))} "
                "for a sequence; give one of train, valid and test, or leave the column out by "
                "--data.split ''."
            )
    of = np.array([names[found[0]] for found in values])
    rows = {name: np.flatnonzero(of == name) for name in PARTS if name in of}
    if "train" not in rows:
        raise UsageError(f"No sequence of '{path}' has the split 'train'; name some to train on.")
    return {
        name: Given([whole.x[i] for i in some.tolist()], [whole.y[i] for i in some.tolist()])
        for name, some in rows.items()
    }


def _loaded(path: Path) -> tuple[Any, str]:
    """The frame, and how it was read."""
    if path.is_dir() or is_csv(path):
        table = read_delimited(table_at(path), "yes", missing=True)
        frame, how = table.frame, table.how
    else:
        frame, how = _parquet(path), ""
    if not len(frame):
        raise UsageError(f"'{path}' holds no rows; give a row for each step of each sequence.")
    return frame, how


def _parquet(path: Path) -> Any:
    import pandas

    read_bytes(path)  # says what is wrong with the path
    try:
        with counting("reading the table", None):
            return pandas.read_parquet(path)
    except ImportError as error:
        raise UsageError(f"'{path}' needs pyarrow; run pip install pastforward[table].") from error
    except MemoryError:
        raise
    except Exception as error:  # pyarrow and pandas raise all kinds for damaged files
        reason = " ".join(str(error).split())[:100]
        raise UsageError(f"'{path}' is no readable table ({reason}); save it again.") from error


def _numbers(path: Path, table: Any, columns: tuple[str, ...]) -> np.ndarray:
    """`[M, C]`, float32."""
    for column in columns:
        if table[column].dtype.kind not in "biuf":
            raise UsageError(
                f"Column '{column}' of '{path}' holds {table[column].iloc[0]!r}, no number; name "
                "the channels by --data.columns."
            )
    return np.stack([table[c].to_numpy(np.float32) for c in columns], 1)


def _targets(table: Any, options: LabelledConfig, ends: np.ndarray) -> np.ndarray | list[Any]:
    y = np.stack([_plain(table[c]) for c in options.target], 1)
    parts = np.split(y[:, 0] if len(options.target) == 1 else y, ends)
    constant = options.at == "auto" and all((part == part[0]).all() for part in parts)
    if constant or options.at == "end":
        return np.stack([part[-1] for part in parts])
    return parts


def _plain(column: Any) -> np.ndarray:
    values = column.to_numpy()
    return values if values.dtype.kind in "biuf" else column.astype(str).to_numpy().astype(str)


def _told(options: LabelledConfig) -> str:
    order = f" in the order of '{options.time}'" if options.time else ""
    return f"a sequence for each '{options.series}'{order}, target {', '.join(options.target)}"
