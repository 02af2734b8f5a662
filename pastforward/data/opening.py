"""L1. From a name or a path to a source: what lies there is found by looking."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from pastforward.config import DataConfig
from pastforward.data.arrays import idx_images, is_idx, read_arrays
from pastforward.data.csv_files import open_csv
from pastforward.data.embedded import digits, pydoc
from pastforward.data.files import first_bytes
from pastforward.data.huggingface import open_huggingface
from pastforward.data.images import image_source
from pastforward.data.source import Source
from pastforward.data.tasks.naming import TASKS, build_task, whole
from pastforward.data.tasks.source import TaskSource
from pastforward.data.text_files import open_text
from pastforward.errors import UsageError, nearest


def open_source(name_or_path: str, length: int | None = None) -> Source:
    """A source by name or path, with T = `length` or one chosen from the data.

    Raises UsageError when there is no such data, or it cannot be read.
    """
    return open_data(DataConfig(source=name_or_path, length=length))


def open_data(config: DataConfig) -> Source:
    """The source that `config` describes; UsageError when there is none."""
    # What follows a comma are axes of a task; a path may hold commas too.
    head, *axes = config.source.split(",")
    name, _, suffix = head.partition(":")
    if name in TASKS:
        _only(config, "length")
        return TaskSource(build_task(name, _length(config, suffix), axes))
    name, _, suffix = config.source.partition(":")
    if name in _EMBEDDED:
        _only(config, "length")
        length = _length(config, suffix)
        return _fixed_length(_EMBEDDED[name](length), length)
    if name == "hf":
        return _open_hub(config, suffix)
    return _open_path(config, _existing(config.source))


def _open_path(config: DataConfig, path: Path) -> Source:
    if _holds_images(path):
        _only(config, "length", "levels", "pool")
        source = image_source(str(path), read_arrays(path), config.levels, config.pool)
        return _fixed_length(source, config.length)
    if path.is_file() and path.name.removesuffix(".gz").endswith(".csv"):
        _only(config, "length", "columns")
        return open_csv(path, config.columns, config.length)
    _only(config, "length", "unit")
    return open_text(path, config.unit, config.length)


def _existing(given: str) -> Path:
    """The path given, if something lies there and can be reached; UsageError otherwise."""
    try:
        path = Path(given).expanduser()
        # An empty name would mean the folder one happens to be in.
        if given and path.exists():
            return path
    except (OSError, RuntimeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error).rstrip(".")
        raise UsageError(
            f"'{given[:200]}' cannot be reached ({reason}); check the path and its permissions."
        ) from error
    looks_like_path = "/" in given or path.suffix
    known = [*_EMBEDDED, *TASKS, "hf:NAME"]
    way_out = "check the path" if looks_like_path else nearest(family(given), known)
    raise UsageError(f"There is no data '{given}', by path or by name; {way_out}.")


def _open_hub(config: DataConfig, name: str) -> Source:
    _only(config, "length", "unit", "columns")
    if not name or len(config.columns) > 1:
        raise UsageError(
            f"'{config.source}' was given with columns {config.columns}; give 'hf:NAME' and at "
            "most one column."
        )
    return open_huggingface(name, next(iter(config.columns), None), config.unit, config.length)


def _holds_images(path: Path) -> bool:
    if path.is_dir():
        return bool(idx_images(path))
    numpy = path.suffix in (".npy", ".npz") or first_bytes(path, 6) == b"\x93NUMPY"
    return numpy or is_idx(path)


def _only(config: DataConfig, *used: str) -> None:
    """Refuse options that this kind of data would ignore."""
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name not in ("source", *used) and value != field.default:
            raise UsageError(
                f"{field.name}={value!r} was given for '{config.source}', which has no use for "
                "it; leave it out."
            )


def _length(config: DataConfig, suffix: str) -> int | None:
    if not suffix:
        return config.length
    length = whole(suffix)
    if length is None or config.length not in (None, length):
        raise UsageError(
            f"Data '{config.source[:80]}' was given with length {config.length}; give one length, "
            "a number, as in 'copy:32'."
        )
    return length


def _fixed_length(source: Source, length: int | None) -> Source:
    """Images cannot be cut: refuse a length that is not theirs."""
    if length not in (None, source.signature.length):
        raise UsageError(
            f"Length {length} was given for '{source.name}', whose sequences have "
            f"{source.signature.length} steps; leave it out."
        )
    return source


_EMBEDDED: dict[str, Callable[[int | None], Source]] = {
    "digits": lambda length: digits(),
    "pydoc": pydoc,
}
"""Data that needs no file: how each is opened at a length, or at its usual one."""

NAMES = (*_EMBEDDED, *TASKS, "hf")
"""How names of data begin, before any colon or comma."""


def family(source: str) -> str:
    """What a name of data begins with: 'copy' of 'copy:32,symbols=4'."""
    return source.split(",", maxsplit=1)[0].partition(":")[0]
