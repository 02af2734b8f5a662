"""L1. From a name or a path to a source. Imports no torch until data is opened."""

import inspect
import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pastforward.data import EMBEDDED, LABELLED, SOURCES, DataConfig
from pastforward.data.files import MNIST, require_no_pipe
from pastforward.data.label_files import FORMATS
from pastforward.data.remote import is_url, local
from pastforward.data.tasks import TASKS
from pastforward.errors import UsageError, nearest
from pastforward.files import expanded
from pastforward.registry import NoConfig, import_target, is_foreign

if TYPE_CHECKING:
    from pastforward.data.codec import Codec
    from pastforward.data.source import Identity, Source

MEMORY = "memory:"
"""How the source of a run begins that was trained on a `Source` given in Python."""

_DIGITS = 9
"""No length or axis has more; and int() refuses numbers of thousands of digits."""


class Name(NamedTuple):
    """A name of data in its parts: 'copy:32,symbols=4' is 'copy', 32 and ['symbols=4']."""

    family: str
    length: int | None
    axes: list[str]


def open_source(name_or_path: str, length: int | None = None) -> "Source":
    """A source by name or path, with T = `length` or one chosen from the data.

    Raises `UsageError` when there is no such data, or it can't be read.
    """
    return open_data(DataConfig(source=name_or_path, length=length))


def open_data(config: DataConfig, codec: "Codec | None" = None) -> "Source":
    """The source that `config` describes; raises `UsageError` when there is none.

    With the `codec` that a network was trained with, files are read by its symbols and scale.
    """
    kind = kind_of(config.source, config.task)
    options = _options(config, kind)
    if is_foreign(kind):
        return _users_own(config, options)
    if is_url(config.source):
        config = replace(config, source=str(local(config.source)))
    return SOURCES.load(kind)(config, options, codec)


def open_known(
    config: DataConfig, known: "Identity", where: str, allow_new: bool = False
) -> "Source":
    """The data of `config` as `where` was trained on it, by the codec and scale of then.

    Raises `UsageError`, with what differs, where it is other data now; with `allow_new` its content
    may differ.
    """
    from pastforward.data.codec import ForecastCodec, TextCodec, TokenCodec, codec_from_json
    from pastforward.data.source import require_known

    require_there(config, where)
    codec = codec_from_json(known.codec)
    if isinstance(codec, TextCodec | TokenCodec | ForecastCodec):  # T is chosen if not given
        config = replace(config, length=known.length)
    source = open_data(config, codec)
    require_known(source, known, where, allow_new)
    return source


def require_there(config: DataConfig, where: str) -> None:
    """Raise `UsageError` where the path is gone that `where` was trained on."""
    is_path = not is_named(config.source) and not is_url(config.source)
    if is_path and not Path(config.source).exists():
        raise UsageError(
            f"The data of {where}, '{config.source}', is not there; say where it lies now by "
            "--source PATH, in Python source=PATH of `open_run` or `TrainOptions`."
        )


class Opened:
    """Opens data, and keeps the last: a command that plans a run and trains it reads it once."""

    def __init__(self) -> None:
        self._last: tuple[DataConfig, Source] | None = None

    def __call__(self, config: DataConfig) -> "Source":
        """As `open_data`."""
        if self._last is None or self._last[0] != config:
            self._last = None  # no two of them in memory at a time
            self._last = config, open_data(config)
        return self._last[1]


def located(config: DataConfig) -> DataConfig:
    """The same with absolute paths, where it has any, so that a run opens it from anywhere."""
    unit = getattr(config.options, "unit", "")
    if unit.endswith(".json"):
        unit = str(expanded(unit).absolute())
        config = replace(config, options=replace(config.options, unit=unit))
    if is_named(config.source) or is_url(config.source):
        return config
    return replace(config, source=str(expanded(config.source).absolute()))


def in_memory(source: str) -> bool:
    """Was it given in Python, as a `Source`? memory://NAME is a URL of fsspec's."""
    return source.startswith(MEMORY) and not is_url(source)


def is_named(source: str) -> bool:
    """Is it in memory, a name of data or module:Name, and no path or URL?"""
    if is_url(source):
        return False
    if in_memory(source) or family(source) in known_names():
        return True
    return is_foreign(source) and not os.path.exists(source)


def known_names() -> tuple[str, ...]:
    """How names of data begin, before any colon or comma."""
    return tuple(name for row in SOURCES.values() for name in row.names)


def family(source: str) -> str:
    """What a name of data begins with: 'copy' of 'copy:32,symbols=4'."""
    return source.partition(",")[0].partition(":")[0]


def kind_of(source: str, task: str | None = None) -> str:
    """The name in `SOURCES` of a source's kind; a source of the user's own is its own kind.

    With a task it is that of labelled sequences. Raises `UsageError` when there is no such data, it
    was only ever in memory, or can have no labels.
    """
    if in_memory(source):
        raise UsageError(
            f"The run was trained on data in memory, '{source.removeprefix(MEMORY)}', which no "
            "file holds; pass it as source=."
        )
    kinds = () if is_url(source) else SOURCES.items()
    named = next((kind for kind, row in kinds if family(source) in row.names), None)
    if named is None and is_foreign(source) and not os.path.exists(source):
        named = source
    if named is not None:
        return named if task is None else _labelled(source, task)
    path = _existing(source)
    if task is not None:
        return LABELLED
    return next(kind for kind, row in SOURCES.items() if row.holds and row.holds(path))


def _labelled(name: str, task: str) -> str:
    """The kind of labelled data, for a name that has labels."""
    if not any(family(name) in row.names for row in FORMATS.values()):
        raise UsageError(
            f"--data.task {task} was given for '{name[:80]}', which says itself what is to be "
            "predicted; leave it out."
        )
    return LABELLED


def parse_name(config: DataConfig) -> Name:
    """The parts of a name; its length is `config.length` where the name says none.

    Raises `UsageError` when the two differ, or the name's is no number.
    """
    head, *axes = config.source.split(",")
    name, _, suffix = head.partition(":")
    length = whole(suffix) if suffix else config.length
    if suffix and (length is None or config.length not in (None, length)):
        raise UsageError(
            f"Data '{config.source[:80]}' was given with length {config.length}; give one length, "
            "a number, as in 'copy:32'."
        )
    return Name(name, length, axes)


def whole(text: str) -> int | None:
    """The number from 0 up that `text` gives in digits, or None."""
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else None


def _existing(given: str) -> Path:
    try:
        path = local(given) if is_url(given) else Path(given).expanduser()
        if given and path.exists():  # an empty name would mean the current folder
            require_no_pipe(path)
            return path
    except (OSError, RuntimeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error).rstrip(".")
        raise UsageError(
            f"'{given[:200]}' cannot be reached ({reason}); check the path and its permissions."
        ) from error
    known = [*EMBEDDED, *TASKS, "hf:NAME", "module:Name"]
    looks_like_path = "/" in given or path.suffix
    own = MNIST if path.name == "mnist" else "check the path"
    advice = own if looks_like_path else nearest(family(given), known)
    raise UsageError(f"There is no data '{given}', by path or by name; {advice}.")


def _options(config: DataConfig, kind: str) -> Any:
    """The dials of the kind that was found; those of another kind would be ignored."""
    wanted = SOURCES.config_type(kind)
    if config.options is None or isinstance(config.options, wanted | Mapping):  # as JSON has them
        return SOURCES.config(kind, config.options)
    known = ", ".join(f.name for f in fields(wanted)) or "none"
    raise UsageError(
        f"{type(config.options).__name__} was given for '{config.source[:80]}', which has no use "
        f"for it: it is of the kind {kind}, whose options are: {known}."
    )


def _users_own(config: DataConfig, options: Any) -> "Source":
    """Call what `module:Name` names, with its Config if it has one, and T if it takes `length`."""
    from pastforward.data.source import Source, require_length

    build = import_target(config.source)
    if not callable(build):
        raise UsageError(
            f"'{config.source}' is of type {type(build).__name__}; give a subclass of Source or a "
            "function that returns a Source."
        )
    signature = inspect.signature(build)
    arguments = [] if isinstance(options, NoConfig) else [options]
    length = signature.parameters.get("length")
    # Without a length its own default stays.
    left_out = length is None or (config.length is None and length.default is not length.empty)
    named = {} if left_out else {"length": config.length}
    try:
        signature.bind(*arguments, **named)
    except TypeError as error:
        raise UsageError(
            f"'{config.source}' can't be called with {[*arguments, *named]} ({error}); let it take "
            "`length`, after its Config if it has one, and give all else a default."
        ) from error
    found = build(*arguments, **named)
    if not isinstance(found, Source):
        raise UsageError(
            f"'{config.source}' returned a {type(found).__name__}; let it return a Source."
        )
    return require_length(found, config.length)
