"""L0. Files written as a whole or not at all; dataclasses to JSON and back; safetensors files."""

import errno
import hashlib
import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pastforward.errors import UsageError

if TYPE_CHECKING:
    from cattrs import Converter
    from torch import Tensor

T = TypeVar("T")


def expanded(path: Path | str) -> Path:
    """With the folder of a user in place of ~ or ~NAME; raises `UsageError` for an unknown one."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"'{path}' names the home folder of a user who is not known; give the whole path, or "
            "./ before a name that begins with ~."
        ) from error


def write_atomically(path: Path | str, content: bytes) -> None:
    """Replace `path` by `content`, or leave it as it was; raises `UsageError` when it can't.

    A device, such as /dev/null, is written to.
    """
    path = Path(path)
    if not path.name:
        raise UsageError(f"'{path}' is a folder, where a file was to be written; name a file.")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.is_char_device():
            path.write_bytes(content)
            return
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise UsageError(
            f"'{path}' could not be written ({error.strerror or error}); "
            "free some space or choose a place that you may write to."
        ) from error
    finally:
        with suppress(OSError):  # the error that was raised is the one to report
            part.unlink(missing_ok=True)


def json_text(content: Any, indent: int | None = None) -> str:
    """Strict JSON, in one line without `indent`: null for every number that is not finite."""
    return json.dumps(finite(content), indent=indent, allow_nan=False)


def finite(value: Any) -> Any:
    """The same value for JSON: None in place of every number that is not finite."""
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, content: Any) -> None:
    """Write JSON as a whole or not at all."""
    write_atomically(path, json_text(content, indent=1).encode())


def read_json(path: Path) -> Any:
    """The JSON in a file; raises `OSError` or `ValueError` where there is none."""
    _require_file(path)
    try:
        return json.loads(path.read_bytes())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _require_file(path: Path) -> None:
    """A pipe would be waited for, by safetensors even after Ctrl-C."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file", str(path))


def to_json(value: Any) -> Any:
    """Dataclasses, tuples and their likes as plain dicts and lists."""
    return _converter().unstructure(value)


def from_json(kind: type[T], value: Any) -> T:
    """What `to_json` gave, as `kind` again; raises `ValueError` for anything else."""
    return _structured(_converter(), kind, value)


def _structured(converter: "Converter", kind: type[T], value: Any) -> T:
    try:
        return converter.structure(value, kind)
    except Exception as error:  # cattrs raises groups and errors of many kinds
        reason = " ".join(str(error).split())
        raise ValueError(f"{type(error).__name__}: {reason}") from error


def figures_from_json(kind: type[T], value: Any) -> T:
    """As `from_json`, where null stands for a number that was not finite."""
    return _structured(_figures(), kind, value)


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack_tensors(tensors: "dict[str, Tensor]", metadata: dict[str, Any]) -> bytes:
    """The content of a safetensors file; `metadata` is kept as JSON."""
    from safetensors.torch import save

    # A clone of each: safetensors refuses tensors that share memory, as tied weights do.
    whole = {name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}
    return save(whole, {name: json_text(value) for name, value in metadata.items()})


def read_tensors(path: Path) -> "tuple[dict[str, Tensor], dict[str, Any]]":
    """Tensors and metadata of a safetensors file, nothing unpickled.

    Raises `OSError` where it can't be read and `ValueError` where it is damaged or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    _require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = {name: json.loads(v) for name, v in (file.metadata() or {}).items()}
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from error


@cache
def _converter() -> "Converter":
    # Late, because a tenth of a second is half of what `import pastforward` may take.
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True, detailed_validation=False)

    def tagged(value: Any) -> Any:
        return {"kind": type(value).__name__} | converter.unstructure(value)

    def untagged(content: Any, union: Any) -> Any:
        known = {one.__name__: one for one in get_args(union)}
        fields = {name: of for name, of in content.items() if name != "kind"}
        return converter.structure(fields, known[content["kind"]])

    # JSON has no infinity; `float` reads the word.
    converter.register_unstructure_hook(float, lambda x: x if math.isfinite(x) else str(x))
    converter.register_unstructure_hook_func(_is_choice, tagged)
    converter.register_structure_hook_func(_is_choice, untagged)
    return converter


@cache
def _figures() -> "Converter":
    converter = _converter().copy()
    converter.register_structure_hook(float, lambda x, _: math.nan if x is None else float(x))
    return converter


def _is_choice(kind: Any) -> bool:
    """Is it a union of dataclasses? Such values are named: some have the same fields."""
    return isinstance(kind, UnionType) and all(map(is_dataclass, get_args(kind)))
