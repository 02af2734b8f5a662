"""L4. Templates of pages that carry all they need, their style too."""

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


def template(name: str) -> Template:
    """A template that lies beside a package's modules; it may include those of this package."""
    environment = Environment(
        loader=PackageLoader("pastforward.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
