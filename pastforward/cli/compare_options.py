"""L7. Options of `compare`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, cast

import tyro

from pastforward.cli.config_options import config_of, data_of, with_data, with_dials
from pastforward.cli.options import TrainingOptions
from pastforward.cli.parsing import asks_help, leading_words, parse, peek
from pastforward.errors import UsageError
from pastforward.recipes import RECIPES
from pastforward.runs.comparison.request import CompareRequest, first_config, tasks_at_lengths
from pastforward.runs.sections import difference


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What decides which other options there are."""

    lengths: tuple[int, ...] = ()
    """T, for synthetic tasks without a length in their name (copy, retrieval)."""
    cells: tuple[str, ...] = ()
    """Cells, or your own as module:Name; the recipe's when neither cells nor networks are given.
    An LSTM keeps the same numbers in 2 slots."""
    networks: tuple[str, ...] = ()
    """Baselines, of as many weights as the recipe's student; their method is 'parallel'."""
    encoder: str | None = None
    """The teacher's encoder, or one of your own as module:Name."""
    targets: str | None = None
    """What target memories are, and with it the recipe: linear, keys, tracking, stack or fourier.
    By the data if not given."""


@dataclass(frozen=True, kw_only=True)
class Options(Selection, TrainingOptions):
    """Options of `compare`, besides those of configs."""

    tasks: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="TASK [TASK ...]")
    ] = ()
    """Recipes, names of data (copy:48, hf:NAME), paths to text, images or tables, or recipes and
    sources of your own as module:Name."""
    methods: tuple[str, ...] = ("bptt", "smt", "smt+dmt")
    """Strategies and methods, or your own as module:Name; `pastforward list` shows them."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of weights, batches and noise; a run for each."""
    search: bool = False
    """First find the learning rates of every task, cell and method, on a seed of its own."""
    factors: tuple[float, ...] = (0.3, 1.0, 3.0)
    """What the search multiplies the recipe's rates by."""
    share: float = 0.25
    """Part of the budget of each run of the search."""
    jobs: int = 1
    """Runs at a time; 2 and more get one thread each."""
    shard: str | None = None
    """Train a part of the runs, as one of many jobs: 3/8 is every eighth one, from the third on."""
    gather: bool = False
    """Train nothing: write the page of runs that shards have trained."""
    plan: bool = False
    """Print what would be trained and for how long, and write nothing."""


def read_compare(argv: list[str], description: str) -> tuple[Options, CompareRequest]:
    """Options and request; raises `UsageError` for bad ones, SystemExit after help."""
    tasks = leading_words(argv)
    shown = tasks if set(tasks) <= RECIPES.keys() or not asks_help(argv) else []
    first = next(iter(tasks), None)
    chosen = peek(with_data(Selection, first, argv), argv[len(tasks) :], "compare")
    request = CompareRequest(
        chosen.cells, chosen.networks, encoder=chosen.encoder, targets=chosen.targets,
        data=data_of(chosen),
    )  # fmt: skip
    changes, parsed = dict[str, Any](), cast(Any, None)
    for task in tasks_at_lengths(shown, chosen.lengths) or ("digits",):
        base, apart = first_config(task, request)
        parsed = parse(with_dials(Options, base, apart), argv, "compare", description)
        changes |= difference(base, config_of(parsed, base))
    _require_used(parsed, argv)
    return parsed, replace(
        request,
        methods=parsed.methods, seeds=parsed.seeds, lengths=parsed.lengths, share=parsed.share,
        factors=parsed.factors if parsed.search else (), budget=parsed.budget, changes=changes,
        shard=parsed.shard,
    )  # fmt: skip


def _require_used(options: Options, argv: Sequence[str]) -> None:
    for option in {"--factors", "--share"} & set(argv) if not options.search else ():
        raise UsageError(f"{option} was given without --search; add it or leave {option} out.")
    if "--lengths" in argv and not options.lengths:
        raise UsageError("No length was named after --lengths.")
