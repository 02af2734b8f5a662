"""L7. `pastforward generate`."""

from dataclasses import dataclass
from pathlib import Path

from pastforward.cli.options import RunOptions
from pastforward.cli.parsing import parse

DESCRIPTION = """\
Draw from a trained network. Text goes on from a prompt; of images, half-given ones are completed
and new ones drawn, into a PNG. RUN may be a student's file, too.

Examples:
  pastforward generate notes-smt+dmt --prompt "It was" --tokens 200 --temperature 0.7
  pastforward generate runs/notes-smt+dmt/student.safetensors --prompt "It was" --top-k 20
  pastforward generate stories --prompt "Once upon" --top-p 0.9 --stop "\\n\\n" "The end"
  echo "Once upon" | pastforward generate stories --prompt -
  pastforward generate digits/smt+dmt --out drawn.png --seed 3
  pastforward generate copy32-smt+dmt --prompt "3 1 4 1 5 2 6 5 3 5 0 7 7 3 2 3" --temperature 0
"""


@dataclass(frozen=True)
class Options(RunOptions):
    """Options of `generate`."""

    prompt: str | None = None
    """Text to go on from, '-' reads it from the standard input; the start of a document or a new
    line when not given. Numbers for the symbols of a task."""
    tokens: int = 400
    """Symbols to draw at most."""
    stop: tuple[str, ...] = ()
    """Stop before the first of these texts; \\n is a new line."""
    temperature: float = 1.0
    """0 takes the most likely symbol, 1 draws as the network says."""
    top_k: int | None = None
    """Draw from this many most likely symbols only."""
    top_p: float | None = None
    """Draw from the fewest most likely symbols that hold this much probability together."""
    seed: int = 0
    """The same seed draws the same."""
    out: Path | None = None
    """Where to write; text is only shown when not given, images go to the run's folder."""


def main(argv: list[str]) -> None:
    """Draw, show or write."""
    options = parse(Options, argv, "generate", DESCRIPTION)

    from pastforward.cli.showing import flow
    from pastforward.inference.sampling import Sampling
    from pastforward.runs.generating import Drawing, generate, given_prompt

    sampling = Sampling(options.temperature, options.top_k, options.top_p)
    prompt = given_prompt(options.prompt)
    drawing = Drawing(prompt, options.tokens, sampling, options.seed, options.stop)
    told = flow if options.out is None else (lambda text: None)
    found = generate(options.run, drawing, options.out, *options.how, told)
    if found.text is None:
        print(f"Rows: {found.rows}.")
        print(f"Picture: {found.path}")
    elif options.out is None:
        print()
        print(f"Drawn by: {found.student}")
    else:
        print(f"Text: {found.path}")
