"""L7. Options for every dial of a config: `--student.width`, `--cell.depth`, `--data.unit`."""

from collections.abc import Collection, Sequence
from dataclasses import field, fields, make_dataclass, replace
from typing import Annotated, Any, TypeVar, cast

import tyro

from pastforward.cli.parsing import peek
from pastforward.config import RunConfig
from pastforward.data import DataConfig
from pastforward.registry import NoConfig
from pastforward.runs.sections import NAMES, data_dials, prefix_of, sections, with_sections

Kind = TypeVar("Kind")

_OPTIONS = "data.options"


def with_dials(kind: type[Kind], config: RunConfig, without: Collection[str] = ()) -> type[Kind]:
    """`kind` with an option for every dial of the config, whose values are the defaults.

    Fields of `kind` that the config has as well, as `stages`, get its values, too.
    """
    found = {path: dials for path, dials in sections(config).items() if path not in without}
    shared = [
        (f.name, f.type, field(default=getattr(config, f.name)))
        for f in fields(cast(Any, kind))
        if f.name in ("stages", "seed")
    ]
    dials = [_field(path, dials) for path, dials in found.items()]
    return make_dataclass(
        kind.__name__, [*shared, *dials], bases=(kind,), frozen=True, kw_only=True
    )


def config_of(options: Any, config: RunConfig) -> RunConfig:
    """The config with the dials that were given to `options`, made by `with_dials` of it."""
    changed = {}
    for path, dials in sections(config).items():
        given = getattr(options, _attribute(path), None)
        if given is not None and _values(given, path) != _values(dials, path):
            changed[path] = replace(dials, **_values(given, path))
    return with_sections(config, changed)


def with_data(kind: type[Kind], source: str | None, argv: Sequence[str]) -> type[Kind]:
    """`kind` with the options of the data that `source` names, with the task in `argv`."""
    dials = [_field("data", DataConfig())]
    given: Any = peek(make_dataclass("Data", dials, frozen=True, kw_only=True), argv, "train")
    options = data_dials(source, given.data.task)
    if not isinstance(options, NoConfig):
        dials.append(_field(_OPTIONS, options))
    return make_dataclass(kind.__name__, dials, bases=(kind,), frozen=True, kw_only=True)


def data_of(options: Any) -> DataConfig:
    """What was given of the data to `options`, made by `with_data`."""
    given = getattr(options, _attribute(_OPTIONS), None)
    if given is not None:  # as the kind's own class, not as the one that is parsed
        kind = type(given).__bases__[0]
        given = kind(**{f.name: getattr(given, f.name) for f in fields(kind)})
        given = None if given == kind() else given
    return DataConfig(length=options.data.length, task=options.data.task, options=given)


def _attribute(path: str) -> str:
    return path.replace(".", "__")


def _field(path: str, dials: Any) -> tuple[str, Any, Any]:
    """A field for `make_dataclass`: a section's dials without the names of components."""
    hidden = [
        (name, tyro.conf.Suppress[tyro.conf.Fixed[Any]], field(default=None))
        for name in NAMES.get(path, ())
    ]
    own = type(dials)
    kind = make_dataclass(
        own.__name__, hidden, bases=(own,), frozen=True, namespace={"__doc__": own.__doc__}
    )
    default = kind(**{f.name: getattr(dials, f.name) for f in fields(dials)})
    named = Annotated[kind, tyro.conf.arg(name=prefix_of(path))]
    return _attribute(path), named, field(default=default)


def _values(dials: Any, path: str) -> dict[str, Any]:
    hidden = NAMES.get(path, ())
    return {f.name: getattr(dials, f.name) for f in fields(dials) if f.name not in hidden}
