"""L0. Files as a whole or not at all; frozen dataclasses to JSON and back."""

import dataclasses
import hashlib
import json
import os
import types
import typing
from contextlib import suppress
from pathlib import Path
from typing import Any

from pastforward.errors import UsageError


def write_atomically(path: Path | str, content: bytes) -> None:
    """Put `content` in `path` as a whole or not at all; raises `UsageError` when it can't."""
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        _remove(part)
        raise UsageError(
            f"'{path}' could not be written ({error.strerror or error}); "
            "free some space or choose a place that you may write to."
        ) from error
    except BaseException:
        _remove(part)
        raise


def write_json(path: Path, content: Any) -> None:
    """Write JSON as a whole or not at all."""
    write_atomically(path, json.dumps(content, indent=1).encode())


def from_json(kind: Any, value: Any) -> Any:
    """Rebuild (nested) dataclasses and tuples from what `dataclasses.asdict` gave."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        unknown = set(value) - set(hints)
        if unknown:
            raise ValueError(f"unknown entries {sorted(unknown)}")
        return kind(**{name: from_json(hints[name], item) for name, item in value.items()})
    if typing.get_origin(kind) is tuple:
        return tuple(from_json(typing.get_args(kind)[0], item) for item in value)
    if typing.get_origin(kind) in (types.UnionType, typing.Union) and value is not None:
        options = [k for k in typing.get_args(kind) if k is not type(None)]
        return from_json(next((k for k in options if _has_fields(k, value)), options[0]), value)
    return value


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has_fields(kind: Any, value: Any) -> bool:
    return dataclasses.is_dataclass(kind) and {f.name for f in dataclasses.fields(kind)} == {*value}


def _remove(part: Path) -> None:
    with suppress(OSError):  # the error that brought us here is the one to report
        part.unlink(missing_ok=True)
