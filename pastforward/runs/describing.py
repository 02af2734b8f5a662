"""L6. What was understood of the data, in lines for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from pastforward.data.source import Source
from pastforward.types import Flags, Kind, Quantiles, StudentT, Tokens, Vectors

_FEW = 12
"""Classes that are named at most."""

Json = Mapping[str, Any]


def data_lines(source: Source) -> list[str]:
    """Kind and splits, inputs and lengths, outputs, classes with counts, missing values."""
    about, what = source.describe(), source.signature
    inputs = [_kind(what.inputs), *_shape(about), _steps(about, what.length)]
    kind, _, where = about.get("targets", "").partition(", ")
    named = _kind(what.outputs)
    outputs = [named.replace("symbols", kind) if kind == "classes" else named, where]
    lines = {
        "data": f"'{source.name}', {about.get('kind', 'a source of your own')}",
        **{name: about.get(name) for name in ("table", "dates", "series", "seasons", "relative")},
        "text": _text(about),
        "sequences": "; ".join(filter(None, [_splits(about), about.get("splits")])),
        "inputs": ", ".join(inputs),
        "outputs": ", ".join(filter(None, outputs)),
        "classes": _classes(about.get("classes") or {}),
        "missing": _missing(about.get("missing values")),
    }
    return [f"{name + ':':<10} {line}" for name, line in lines.items() if line]


def _splits(about: Json) -> str:
    return ", ".join(
        f"{split} {'drawn as needed' if count is None else f'{count:,}'}"
        for split, count in about.get("sequences", {}).items()
    )


def _text(about: Json) -> str:
    """Documents, bytes and tokens of all splits."""
    if "bytes" not in about:
        return ""
    size = sum(about["bytes"].values())
    documents = [f"{sum(about['documents'].values()):,} documents"] if "documents" in about else []
    found = [*documents, f"{size:,} bytes"]
    if about.get("kind") == "tokens":
        if "symbols" in about:
            tokens = sum(about["symbols"].values())
            found += [f"{tokens:,} tokens", f"{size / tokens:.2f} bytes a token"]
        else:
            found += [f"about {about['bytes a token']:.2f} bytes a token, made as they are read"]
    return ", ".join(found)


def _missing(count: int | None) -> str:
    """Nothing for data that can't miss any."""
    if count is None:
        return ""
    return f"{count:,} values" if count else "none"


def _kind(kind: Kind) -> str:
    if isinstance(kind, Tokens):
        return f"{kind.size:,} symbols"
    if isinstance(kind, Flags):
        return f"{kind.width} labels, each yes or no"
    several = "a number" if kind.width == 1 else f"{kind.width} numbers"
    if isinstance(kind, Quantiles):
        return f"{len(kind.levels)} quantiles of {several}"
    assert isinstance(kind, Vectors | StudentT)
    return several if isinstance(kind, Vectors) else f"{several}, by Student's t"


def _shape(about: Json) -> list[str]:
    size = about.get("height"), about.get("width")
    return [f"images of {size[0]} x {size[1]}"] if all(size) else []


def _steps(about: Json, longest: int) -> str:
    steps = about.get("steps") or {"min": longest, "max": longest}
    if steps["min"] == steps["max"]:
        return f"{longest:,} steps"
    lengths = f"{steps['min']:,} to {steps['max']:,} steps"
    return f"{lengths}, half of them up to {steps['median']:,.0f}"


def _classes(classes: Mapping[str, Json]) -> str:
    """Names with counts among all splits; where there are many, the most and least frequent."""
    counts = {name: sum(of.values()) for name, of in classes.items()}
    if len(counts) <= _FEW:
        return _counted(list(counts.items()))
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    first, last = _counted(ranked[: _FEW // 2]), _counted(ranked[-2:])
    return f"{len(counts):,}: {first}, ... {last}"


def _counted(pairs: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in pairs)
