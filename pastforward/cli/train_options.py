"""L7. Options of `train`."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import tyro

from pastforward.cli.config_options import config_of, data_of, with_data, with_dials
from pastforward.cli.options import TrainingOptions
from pastforward.cli.parsing import asks_help, leading_words, parse, peek
from pastforward.config import RunConfig, Stage
from pastforward.data.opening import Opened
from pastforward.recipes.targets import AUTO, TARGETS
from pastforward.runs.request import (
    TrainOptions,
    config_for,
    default_name,
    help_config,
    recipe_or_labels,
)


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
    targets: str | None = None
    """What target memories are, and with it the recipe: linear, keys, tracking, stack or fourier;
    auto takes the one whose teacher does best in trials of some seconds. By the data if not given.
    """
    labels: str | None = None
    """Instead of a RECIPE: a folder that `label` wrote. No teacher is trained."""
    source: str | None = None
    """Where the data of the labels lies now; where it was when not given."""
    allow: tuple[str, ...] = ()
    """Code of your own that the labels name and that may be imported, as module:Name."""


@dataclass(frozen=True, kw_only=True)
class Options(Selection, TrainingOptions):
    """Options of `train`, besides those of the config."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE|PATH")] = ""
    """A recipe, the name of data (copy:48, key_values:128,pairs=8, hf:NAME), a path to text,
    images, a table or labelled sequences, or a recipe or source of your own as module:Name."""
    seed: int = 0
    """Seed of weights, batches and noise."""
    stages: tuple[Stage, ...] = ()
    quiet: bool = False
    """Show results and errors alone."""
    track: Literal["tensorboard", "trackio", "wandb"] | None = None
    """Write losses, then samples there, too; tensorboard's files go to runs/tensorboard/NAME."""
    allow_new_data: bool = False
    """With --resume: the data may have grown; it is read by the codec and scaler of then."""


def read_train(argv: list[str], description: str, opened: Opened) -> tuple[Options, RunConfig, str]:
    """Options, config and name; raises `UsageError` for bad ones, SystemExit after help."""
    named = next(iter(leading_words(argv)), None)
    chosen = peek(with_data(Selection, named, argv), argv[named is not None :], "train")
    options = TrainOptions(
        chosen.network, chosen.encoder, chosen.targets, data_of(chosen), allow=chosen.allow,
        opened=opened, source=chosen.source,
    )  # fmt: skip
    if asks_help(argv):
        what, base = named or "", help_config(named, chosen.method, chosen.cell, options)
    else:
        what = recipe_or_labels(named, chosen.labels)
        if chosen.targets == AUTO:  # bad options are told of before trials take their time
            first = replace(options, targets=next(iter(TARGETS)))
            dials = with_dials(Options, config_for(what, chosen.method, chosen.cell, first))
            parse(dials, argv, "train", description)
        base = config_for(what, chosen.method, chosen.cell, options)
    parsed: Any = parse(with_dials(Options, base), argv, "train", description)
    config = replace(config_of(parsed, base), seed=parsed.seed, stages=parsed.stages)
    config = replace(config, budget=parsed.budget or base.budget)
    return parsed, config, parsed.name or default_name(what, chosen.method, config)
