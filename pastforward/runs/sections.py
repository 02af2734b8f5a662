"""L6. A config's fields by dotted name, as on the command line: `student.width`, `cell.depth`.

The dials of the cell, encoder, kind of data and baseline that a config names stand under `cell`,
`encoder`, `data` and `network`, wherever they lie in the config. Imports no torch.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from pastforward.cells import CELLS
from pastforward.config import RunConfig
from pastforward.data import SOURCES
from pastforward.data.opening import in_memory, kind_of
from pastforward.errors import UsageError, nearest
from pastforward.methods import METHODS
from pastforward.recipes import RECIPES
from pastforward.registry import NoConfig, is_foreign
from pastforward.teacher.encoders import ENCODERS

PREFIXES = {
    "data.options": "data",
    "student.cell_config": "cell",
    "teacher.encoder_config": "encoder",
    "baseline": "network",
    "method_config": "method",
}
"""What options of a section begin with, where it isn't the section's place in the config."""
NAMES = {
    "data": ("source", "options"),
    "student": ("cell", "cell_config"),
    "teacher": ("encoder", "encoder_config"),
    "baseline": ("name",),
}
"""Fields of a section that are no dials: what they name is chosen by an option of its own."""
_PLAIN = ("student", "teacher", "smt", "dmt", "tbptt", "distill", "fit", "dist")


def prefix_of(path: str) -> str:
    """What options of a section begin with."""
    return PREFIXES.get(path, path)


def sections(config: RunConfig) -> dict[str, Any]:
    """The config's dataclasses by their place in it, with the dials of all that it names."""
    found = {"data": config.data, **{name: getattr(config, name) for name in _PLAIN}}
    source = config.data.source
    if not in_memory(source):
        found["data.options"] = SOURCES.config(
            kind_of(source, config.data.task), config.data.options
        )
    student, teacher = config.student, config.teacher
    found["student.cell_config"] = CELLS.config(student.cell, student.cell_config)
    found["teacher.encoder_config"] = ENCODERS.config(teacher.encoder, teacher.encoder_config)
    if config.baseline is not None:
        found["baseline"] = config.baseline
    own = next((stage.method for stage in config.stages if is_foreign(stage.method)), None)
    if own is not None:
        found["method_config"] = METHODS.config(own, config.method_config)
    return {path: dials for path, dials in found.items() if not isinstance(dials, NoConfig)}


def data_dials(named: str | None, task: str | None = None) -> Any:
    """The dials of the data that a recipe reads or a name or path stands for; else `NoConfig`."""
    if named is None:
        return NoConfig()
    source = RECIPES.load(named)().data.source if named in RECIPES else named
    try:
        return SOURCES.config(kind_of(source, task))
    except UsageError:  # that there is no such data is reported where it is opened
        return NoConfig()


def with_sections(config: RunConfig, changed: Mapping[str, Any]) -> RunConfig:
    """The config with some of its `sections` replaced, inner ones last."""
    for path in sorted(changed):
        outer, _, inner = path.partition(".")
        value = changed[path]
        if inner:
            value = replace(getattr(config, outer), **{inner: value})
        config = replace(config, **{outer: value})
    return config


def with_changes(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    """The config with fields replaced by dotted name, as {'student.width': 64, 'cell.depth': 3}.

    A name without a dot is a field of `RunConfig`. Raises `UsageError` for a name that the config
    doesn't have, and for values out of range.
    """
    whole = {name: value for name, value in changes.items() if "." not in name}
    known = [f.name for f in fields(RunConfig)]
    for name in whole:
        if name not in known:
            raise UsageError(f"A run's config has no field '{name}'; {nearest(name, known)}.")
    config, changed = replace(config, **whole), {}
    found = sections(config)
    names = _dotted(found)
    for name, value in changes.items():
        if "." not in name:
            continue
        if name not in names:
            raise UsageError(f"A run's config has no field '{name}'; {nearest(name, names)}.")
        path, field = names[name]
        changed.setdefault(path, {})[field] = value
    return with_sections(config, {p: replace(found[p], **given) for p, given in changed.items()})


def dial_names(config: RunConfig) -> list[str]:
    """Dotted names of all dials that the config has."""
    return list(_dotted(sections(config)))


def difference(before: RunConfig, after: RunConfig) -> dict[str, Any]:
    """What `with_changes` makes the second of the first, for configs of the same components."""
    one, other = sections(before), sections(after)
    return {
        name: getattr(other[path], field)
        for name, (path, field) in _dotted(other).items()
        if path not in one or getattr(one[path], field) != getattr(other[path], field)
    }


def _dotted(found: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Section and field by dotted name."""
    return {
        f"{prefix_of(path)}.{f.name}": (path, f.name)
        for path, dials in found.items()
        if is_dataclass(dials)
        for f in fields(dials)
        if f.name not in NAMES.get(path, ())
    }
