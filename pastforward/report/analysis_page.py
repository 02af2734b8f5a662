"""L4. The answers about a run on one page that loads nothing: what they say, and their pictures."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from pastforward.files import write_atomically
from pastforward.report.charts import data_uri

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>pastforward: {title}</title>
<style>
body {{ margin: 0 auto; padding: 2rem 1.25rem; max-width: 70rem; background: #f6f7f9;
  color: #1d2430; font: 15px/1.5 system-ui, sans-serif; }}
section {{ background: #fff; border: 1px solid #e4e7ec; border-radius: 10px; padding: 1rem 1.25rem;
  margin: 1rem 0; }}
h1 {{ font-size: 1.4rem; }} h2 {{ font-size: 1.1rem; margin: 0; }}
p {{ color: #667085; margin: 0; }}
pre {{ font-size: 13px; overflow-x: auto; }} img {{ max-width: 100%; display: block; }}
</style>
</head>
<body>
<h1>{title}</h1>
{sections}
</body>
</html>
"""


class Section(NamedTuple):
    """A question, what the figures say and the PNG files that show it."""

    question: str
    lines: Sequence[str]
    pictures: Sequence[Path]


def write_page(path: Path, title: str, sections: Mapping[str, Section]) -> None:
    """Write the page as a whole or not at all; raises `UsageError` when it can't."""
    body = "\n".join(_section(name, section) for name, section in sections.items())
    write_atomically(path, _PAGE.format(title=escape(title), sections=body).encode("utf-8"))


def _section(name: str, section: Section) -> str:
    images = [
        f'<img alt="{escape(picture.stem)}" src="{data_uri(picture.read_bytes())}">'
        for picture in section.pictures
    ]
    said = escape("\n".join(section.lines))
    head = f"<h2>{escape(name)}</h2>\n<p>{escape(section.question)}</p>\n<pre>{said}</pre>"
    return "\n".join(["<section>", head, *images, "</section>"])
