"""L4. Renders the HTML templates; pages carry all they need and load nothing."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pastforward.files import write_atomically


def render(template: str, **values: Any) -> str:
    """A template of `report/templates`, filled in; text is escaped unless it is `Markup`."""
    return _environment().get_template(template).render(values)


def write_page(out: Path | str, template: str, **values: Any) -> Path:
    """Write a page as a whole or not at all; raises `UsageError` when it can't be written."""
    out = Path(out)
    write_atomically(out, render(template, **values).encode("utf-8"))
    return out


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pastforward.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
