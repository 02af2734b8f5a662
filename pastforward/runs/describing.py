"""L6. What was understood of the data, in lines for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from pastforward.data.source import Source
from pastforward.types import Flags, Kind, Quantiles, Tokens, Vectors

_FEW = 12
"""Classes that are named at most."""


def data_lines(source: Source) -> list[str]:
    """Kind and name, splits, inputs and outputs, classes with counts, lengths, missing values.

    Of what `Source.describe` tells, 'classes' are counts by name or by split and name, 'lengths' is
    a least and greatest, and 'missing' a number of values; what is absent is left out.
    """
    about = source.describe()
    lines = {"data": f"{about.get('kind', 'data')} '{source.name}'{_splits(about)}"}
    lines["inputs"] = f"{_kind(source.signature.inputs)}{_shape(about)}, {_steps(source, about)}"
    lines["outputs"] = _kind(source.signature.outputs)
    lines["classes"] = _classes(about.get("classes"))
    lines["missing"] = _missing(about.get("missing"))
    return [f"{name + ':':<9} {line}" for name, line in lines.items() if line]


def _splits(about: Mapping[str, Any]) -> str:
    counts = about.get("sequences") or {}
    shown = [
        f"{split} {'drawn as needed' if count is None else f'{count:,}'}"
        for split, count in counts.items()
    ]
    return f", sequences: {', '.join(shown)}" if shown else ""


def _kind(kind: Kind) -> str:
    match kind:
        case Tokens(size):
            return f"symbols 0 to {size - 1}"
        case Vectors(width):
            return "numbers" if width == 1 else f"vectors of {width} numbers"
        case Flags(width):
            return f"{width} labels, each yes or no"
        case Quantiles(width, levels):
            return f"{len(levels)} quantiles of {width} numbers"


def _shape(about: Mapping[str, Any]) -> str:
    if about.get("height") and about.get("width"):
        return f", images of {about['height']} x {about['width']}"
    return ""


def _steps(source: Source, about: Mapping[str, Any]) -> str:
    longest, lengths = source.signature.length, about.get("lengths")
    least = longest
    if isinstance(lengths, Mapping):
        lengths = [lengths.get("min", lengths.get("least")), lengths.get("max")]
    if isinstance(lengths, list | tuple) and lengths and lengths[0] is not None:
        least = min(lengths[0], longest)
    return f"{longest:,} steps" if least == longest else f"{least:,} to {longest:,} steps"


def _classes(classes: Any) -> str:
    """Names with counts, the most frequent first where not all are named."""
    if not classes:
        return ""
    if not isinstance(classes, Mapping):
        return f"{len(classes)}: {', '.join(_first(map(str, classes), len(classes)))}"
    if all(isinstance(part, Mapping) for part in classes.values()):
        classes = classes.get("train") or next(iter(classes.values()))
    ranked = sorted(classes.items(), key=lambda pair: -pair[1])
    chosen = list(classes.items()) if len(classes) <= _FEW else ranked
    shown = _first((f"{name} {count:,}" for name, count in chosen), len(classes))
    return f"{len(classes)}: {', '.join(shown)}"


def _first(words: Iterator[str], count: int) -> list[str]:
    shown = [word for word, _ in zip(words, range(_FEW), strict=False)]
    return shown + ([f"and {count - _FEW} more"] if count > _FEW else [])


def _missing(missing: Any) -> str:
    count = sum(missing.values()) if isinstance(missing, Mapping) else missing
    return f"{count:,} values" if count else ""
