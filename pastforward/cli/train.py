"""L7. `pastforward train`."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple

import tyro

from pastforward.cli.config_options import config_of, data_of, help_config, with_data, with_dials
from pastforward.cli.options import TrainingOptions, is_first_rank, resume_command
from pastforward.cli.parsing import asks_help, leading_words, parse, peek
from pastforward.config import RunConfig, Stage
from pastforward.errors import UsageError
from pastforward.runs.places import if_exists_of
from pastforward.runs.request import TrainOptions, config_for, default_name

DESCRIPTION = """\
Train a network on a recipe's data or on your own. RECIPE or PATH comes first.

Examples:
  pastforward train digits
  pastforward train copy32 --method bptt --cell gru --seconds 300
  pastforward train key_values:128,pairs=8,symbols=16
  pastforward train my-notes.txt --name notes --smt.future 32
  pastforward train images.npy --data.pool 2 --steps 2000
  pastforward train copy32 --cell my_module:MyCell --cell.depth 3
  pastforward train copy32 --network s4d
  pastforward train --labels runs/digits-smt+dmt/labels --cell gru
  torchrun --nproc-per-node 8 -m pastforward train digits --tokens 100000000

Defaults shown are those of the recipe named (digits when none is). SIGTERM and Ctrl-C save;
--resume goes on.
"""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What decides which other options there are."""

    method: str | None = None
    """A strategy, smt+dmt when not given (with --labels, smt-frozen then dmt), a method, or one of
    your own as module:Name; `pastforward list` shows them."""
    cell: str | None = None
    """A cell, or one of your own as module:Name."""
    network: str | None = None
    """A baseline in the student's place, trained by the method 'parallel'."""
    encoder: str | None = None
    """The teacher's encoder, or one of your own as module:Name."""
    labels: str | None = None
    """Instead of a RECIPE: a folder that `label` wrote. No teacher is trained."""
    allow: tuple[str, ...] = ()
    """Code of your own that the labels name and that may be imported, as module:Name."""


@dataclass(frozen=True, kw_only=True)
class Options(Selection, TrainingOptions):
    """Options of `train`, besides those of the config."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE|PATH")] = ""
    """A recipe, the name of data (copy:48, key_values:128,pairs=8, hf:NAME), a path to text,
    images or a table, or a recipe or source of your own as module:Name."""
    seed: int = 0
    """Seed of weights, batches and noise."""
    stages: tuple[Stage, ...] = ()


class Asked(NamedTuple):
    """What `train` is asked for."""

    options: Options
    name: str
    config: RunConfig


def main(argv: list[str]) -> None:
    """Train, evaluate, and write runs/NAME/."""
    asked = read_train(argv)

    from pastforward.cli.showing import show
    from pastforward.runs.training import train

    if_exists = if_exists_of(asked.options.resume, asked.options.overwrite)
    options = TrainOptions(resume_command=resume_command("train", argv))
    run = train(asked.config, name=asked.name, if_exists=if_exists, options=options)
    if is_first_rank():
        show([run])
        print(f"Report: {run.report()}")


def read_train(argv: list[str]) -> Asked:
    """Options and config; raises `UsageError` for bad ones, SystemExit after help."""
    named = next(iter(leading_words(argv)), None)
    chosen = peek(with_data(Selection, named), argv[named is not None :], "train")
    options = TrainOptions(chosen.network, chosen.encoder, data_of(chosen), allow=chosen.allow)
    if asks_help(argv):
        what, base = named, help_config(named, chosen.method, chosen.cell, options)
    else:
        what = _what(named, chosen.labels)
        base = config_for(what, chosen.method, chosen.cell, options)
    parsed: Any = parse(with_dials(Options, base), argv, "train", DESCRIPTION)
    config = replace(config_of(parsed, base), seed=parsed.seed, stages=parsed.stages)
    config = replace(config, budget=parsed.budget or base.budget)
    return Asked(parsed, parsed.name or default_name(what, chosen.method, config), config)


def _what(named: str | None, labels: str | None) -> Any:
    if labels is None:
        if named is None:
            raise UsageError("Name a RECIPE or PATH first, as in: pastforward train digits.")
        return named
    if named is not None:
        raise UsageError(
            f"Both '{named}' and --labels were given; labels bring their data and sizes, so leave "
            "out the first."
        )
    from pastforward.teacher.label_store import open_labels

    return open_labels(labels)
