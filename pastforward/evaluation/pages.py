"""L4. Templates of pages that carry all they need, their style too."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template


def template(package: str, name: str) -> Template:
    """A template that lies beside a package's modules; it may include those of this package."""
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader(package, "."), PackageLoader("pastforward.evaluation", ".")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
