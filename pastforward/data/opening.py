"""L1. From a name or a path to a source."""

import inspect
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pastforward.data import SOURCES, DataConfig
from pastforward.data.kinds import kind_of
from pastforward.data.source import Source, require_length
from pastforward.errors import UsageError
from pastforward.registry import NoConfig, import_target, is_foreign


def open_source(name_or_path: str, length: int | None = None) -> Source:
    """A source by name or path, with T = `length` or one chosen from the data.

    Raises `UsageError` when there is no such data, or it can't be read.
    """
    return open_data(DataConfig(source=name_or_path, length=length))


def open_data(config: DataConfig) -> Source:
    """The source that `config` describes; raises `UsageError` when there is none."""
    kind = kind_of(config.source)
    options = _options(config, kind)
    if is_foreign(kind):
        return require_length(_users_own(config, options), config.length)
    return SOURCES.load(kind)(config, options)


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


def _users_own(config: DataConfig, options: Any) -> Source:
    """Call what `module:Name` names, with its Config if it has one, and T if it takes `length`."""
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
    return found
