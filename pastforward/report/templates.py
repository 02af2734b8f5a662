"""L4. Renders the HTML templates; pages carry all they need and load nothing."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pastforward.files import write_atomically
from pastforward.report.charts import svg


def write_page(out: Path | str, template: str, **values: Any) -> Path:
    """Fill in a template of `report/templates`; text is escaped unless it is `Markup`.

    Written as a whole or not at all; raises `UsageError` when it can't be written.
    """
    out = Path(out)
    text = _environment().get_template(template).render(values)
    write_atomically(out, text.encode("utf-8"))
    return out


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pastforward.report"), undefined=StrictUndefined,
        autoescape=True, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals["svg"] = svg
    return environment
