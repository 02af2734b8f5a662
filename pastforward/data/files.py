"""L0. Reading files and recognising their formats. Imports no torch.

Every fault of a path becomes one `UsageError`.
"""

import gzip
import importlib
import os
import zipfile
import zlib
from pathlib import Path
from types import ModuleType

from pastforward.errors import UsageError

IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""NumPy's name of a number, by the third byte of an IDX file."""

_CHUNK = 2**20
_ABOUT = ("readme", "license", "licence")
"""Names of files that tell about data beside them."""
_GZIP = b"\x1f\x8b"
_NUMPY = b"\x93NUMPY"

MNIST = (
    "put MNIST's four IDX files (train-images-idx3-ubyte, train-labels-idx1-ubyte and both of "
    "t10k, packed by gzip or not) there or into mnist/ of the folder that PASTFORWARD_DATA names; "
    "nothing is downloaded"
)
"""What to do where the folder 'mnist' is missing or empty."""


def read_bytes(path: Path) -> bytearray:
    """All bytes of a file, unpacked if it is gzip; the array is the caller's own.

    Raises `UsageError` if it can't be read or is empty.
    """
    require_no_pipe(path)
    data = bytearray()
    try:
        with path.open("rb") as file:
            packed = file.peek(len(_GZIP)).startswith(_GZIP)
            content = gzip.GzipFile(fileobj=file) if packed else file
            while chunk := content.read(_CHUNK):
                data += chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(
            f"'{path}' is a damaged gzip file ({error}); fetch or pack it again."
        ) from error
    except OSError as error:
        raise UsageError(
            f"'{path}' cannot be read ({error.strerror}); check the path and its permissions."
        ) from error
    require_content(path, len(data))
    return data


def require_no_pipe(path: Path) -> None:
    """Raise `UsageError` for what can be read only once, or never ends; data is opened again."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UsageError(
            f"'{path}' is a pipe or a device, no file; write its content to a file and name that."
        )


def require_content(path: Path, size: int | None = None) -> None:
    """Raise `UsageError` where `size`, that of the file when None, is 0."""
    if not (path.stat().st_size if size is None else size):
        raise UsageError(f"'{path}' is empty; give a file with data in it.")


def is_gzip(path: Path) -> bool:
    """Whether it is packed by gzip, by its first bytes; raises `OSError` where it can't be read."""
    with path.open("rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def visible_files(folder: Path) -> list[Path]:
    """The files in a folder and the folders below it, sorted, without hidden ones."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "."]
        found += [Path(place, name) for name in names if name[0] != "."]
    return sorted(path for path in found if path.is_file())


def idx_images(folder: Path) -> list[Path]:
    """The IDX files of images in a folder, or in those below it, each once: plain or packed.

    Those below count only where no .txt file does: a folder of text may hold anything besides.
    """
    files = visible_files(folder)
    found = [p for p in files if "idx3-ubyte" in p.name.replace(".", "-")]
    found = [p for p in found if p.suffix != ".gz" or p.with_suffix("") not in found]
    top = [p for p in found if p.parent == folder]
    return top or ([] if any(suffix(p) == ".txt" for p in files) else found)


def is_idx(path: Path) -> bool:
    """Whether the name or the first bytes are those of an IDX file."""
    head = _first_bytes(path, 4)
    magic = len(head) == 4 and head[:2] == b"\0\0" and head[2] in IDX_TYPES and 1 <= head[3] <= 4
    return magic or "-ubyte" in path.name


def holds_images(path: Path) -> bool:
    """Whether it is an IDX, .npy or .npz file, or a folder with IDX files of images."""
    return bool(idx_images(path)) if path.is_dir() else is_arrays(path) or is_idx(path)


def is_arrays(path: Path) -> bool:
    """Whether it is a .npy or .npz file, by its content or name."""
    return suffix(path) in (".npy", ".npz") or is_npy(path) or bool(_members(path))


def is_npy(path: Path) -> bool:
    """Whether the first bytes, unpacked, are those of a .npy file."""
    return _first_bytes(path, len(_NUMPY)) == _NUMPY


def holds_labels(path: Path) -> bool:
    """Whether it holds labels beside sequences: .ts files, or .npz with x and y."""
    if path.is_dir():
        return any(suffix(file) == ".ts" for file in path.glob("*"))
    names = _members(path)
    known = {"x", "y"} <= names or {"x_train", "y_train"} <= names
    return known or suffix(path) == ".ts"


def _members(path: Path) -> set[str]:
    """Names of the arrays in a .npz file, in lower case; none of any other file."""
    if not zipfile.is_zipfile(path):
        return set()
    try:
        with zipfile.ZipFile(path) as file:
            names = [Path(name) for name in file.namelist()]
    except (zipfile.BadZipFile, OSError):
        return set()
    return {name.stem.lower() for name in names if name.suffix == ".npy"}


def suffix(path: Path) -> str:
    """In lower case, as systems and cameras write some in capitals; without .gz."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def optional_package(module: str, extra: str, what: str) -> ModuleType:
    """A package that an extra installs, imported when data needs it; `UsageError` without it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UsageError(
            f"'{what}' needs the {package} package, which is not installed; run "
            f"pip install pastforward[{extra}]."
        ) from error


def is_csv(path: Path) -> bool:
    """Whether it is a .csv or .tsv file, packed by gzip or not."""
    return path.is_file() and suffix(path) in (".csv", ".tsv")


def holds_table(path: Path) -> bool:
    """Whether it is such a file, or a folder that holds nothing else to be read."""
    return is_csv(path) or (path.is_dir() and bool(_tables(path)))


def table_at(path: Path) -> Path:
    """The table at a path, or the only one in a folder; `UsageError` where it holds several."""
    found = [path] if path.is_file() else _tables(path)
    if len(found) > 1:
        names = ", ".join(str(p.relative_to(path)) for p in found[:6])
        raise UsageError(
            f"The folder '{path}' holds {len(found)} tables; name one of them: {names}."
        )
    if not found:
        raise UsageError(f"The folder '{path}' holds no table; name a .csv or .parquet file.")
    return found[0]


def _tables(folder: Path) -> list[Path]:
    """The tables in a folder where all other files only tell about them."""
    files = visible_files(folder)
    tables = [p for p in files if is_csv(p)]
    about = {p for p in files if p.stem.lower() in _ABOUT}
    return tables if set(files) <= {*tables, *about} else []


def _first_bytes(path: Path, count: int) -> bytes:
    """The first bytes, unpacked; fewer or none where the file is short or damaged."""
    if not path.is_file():  # a pipe would be waited for
        return b""
    try:
        with path.open("rb") as file:
            packed = file.peek(len(_GZIP)).startswith(_GZIP)
            return (gzip.GzipFile(fileobj=file) if packed else file).read(count)
    except (EOFError, zlib.error, OSError):
        return b""
