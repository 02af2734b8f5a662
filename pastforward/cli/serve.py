"""L7. `pastforward serve`."""

from dataclasses import dataclass

from pastforward.cli.options import RunOptions
from pastforward.cli.parsing import parse

DESCRIPTION = """\
Show a trained student on a local page: text writes itself, half an image is completed, a series
goes on with a fan, the probabilities of classes move as steps come in. RUN may be a student's file,
too. Text has the interface of OpenAI's completions at /v1, with streaming.

Examples:
  pastforward serve notes-smt+dmt
  pastforward serve runs/notes-smt+dmt/student.safetensors --port 0
  curl localhost:8000/v1/completions -H 'Content-Type: application/json' \\
    -d '{"prompt": "It was", "max_tokens": 200, "stream": true}'
"""


@dataclass(frozen=True)
class Options(RunOptions):
    """Options of `serve`."""

    port: int = 8000
    """Port; 0 for any that is free."""
    host: str = "127.0.0.1"
    """Address; this one can be reached from this machine alone."""
    sessions: int = 256
    """Sessions at once; more are refused."""
    idle: float = 600.0
    """Seconds that a session is kept without being used."""
    tokens: int = 4096
    """Steps that a request may read and draw."""


def main(argv: list[str]) -> None:
    """Serve until Ctrl-C."""
    options = parse(Options, argv, "serve", DESCRIPTION)

    from functools import partial

    from pastforward.data.files import optional_package

    optional_package("starlette", "serve", "serve")
    from pastforward.serving.requests import Limits
    from pastforward.serving.running import serve
    from pastforward.serving.served import open_served

    limits = Limits(options.sessions, options.idle, tokens=options.tokens)
    served = open_served(options.run, *options.how)
    serve(served, options.host, options.port, limits, partial(print, flush=True))
