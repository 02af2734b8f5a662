"""L4. Do the parts of a run fit each other and the data? Asked once, before anything is written.

Each component checks its own dials in its `Config`; here stand the rules across components.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pastforward.cells import CELLS
from pastforward.config import RunConfig
from pastforward.data import DataConfig
from pastforward.data.source import Source
from pastforward.errors import UsageError, option
from pastforward.files import to_json
from pastforward.methods import METHODS
from pastforward.methods import facts as method_facts
from pastforward.teacher.encoders import WindowConfig
from pastforward.teacher.label_store import StoreFacts

_SHARES_ERROR = 1e-6
_SEEDS = 2**53
"""Seeds below it, of either sign, leave room for what is derived from them."""


def check(config: RunConfig, source: Source | None = None, store: StoreFacts | None = None) -> None:
    """Raise `UsageError` for the first thing that can't work, on `source` if given.

    `store` is what the label store of the run says of itself.
    """
    for problem in _problems(config, source, store):
        raise UsageError(problem)


def _problems(config: RunConfig, source: Source | None, store: StoreFacts | None) -> Iterator[str]:
    if abs(config.seed) >= _SEEDS:
        yield f"--seed is {config.seed}; give a whole number of at most 15 digits."
    yield from _stages(config)
    yield from _teachers(config)
    yield from _baseline(config)
    if config.label_store is not None:
        yield from _without_teacher(config)
    if store is not None and source is not None:
        yield from _store(config, source, store)
    if source is not None:
        yield from _lengths(config, source.signature.length)
        yield from _prefix(config, source)
        yield from _stage_lengths(config, source)


def _stages(config: RunConfig) -> Iterator[str]:
    if not config.stages:
        yield "A run without stages was asked for; give at least one."
    for stage in config.stages:
        METHODS.require(stage.method)
        if not (stage.share > 0 and 0 < stage.lr < math.inf):
            given = f"share {stage.share} and lr {stage.lr}"
            yield f"Stage '{stage.method}' has {given}; give both above 0."
    whole = sum(stage.share for stage in config.stages)
    if abs(whole - 1.0) > _SHARES_ERROR:
        yield f"The stages' shares of the budget add up to {whole:g}; let them add up to 1."


def _without_teacher(config: RunConfig) -> Iterator[str]:
    for stage in config.stages:
        if not method_facts(stage.method).stored:
            others = ", ".join(name for name, row in METHODS.items() if row.stored)
            yield (
                f"Stage '{stage.method}' trains a teacher, and a label store comes without one; "
                f"take another method ({others}) or leave out --labels."
            )
    if config.smt.consistency:
        yield (
            f"--smt.consistency is {config.smt.consistency}, which needs the teacher's decoder, "
            "and a label store comes without one; give 0."
        )


def _store(config: RunConfig, source: Source, store: StoreFacts) -> Iterator[str]:
    memory, where = store.memory, f"the label store {config.label_store}"
    shape = f"K = {memory.slots} slots of width D = {memory.width}"
    for name in ("slots", "width"):
        given = getattr(config.student, name)
        if given != getattr(memory, name):
            yield f"--student.{name} is {given}, but {where} has {shape}; leave it out."
    needed = CELLS[config.student.cell].slots if config.student.cell in CELLS else None
    if needed not in (None, memory.slots):
        yield (
            f"The cell '{config.student.cell}' needs K = {needed} slots, but {where} has {shape}; "
            f"take another --cell, or targets of a teacher trained with --student.slots {needed}."
        )
    if _without_path(config.data) != _without_path(store.data):
        yield f"Other data was asked for than {where} was written on; leave out its options."
    if source.signature != store.signature:
        yield (
            f"The data '{config.data.source}' reads as {source.signature}, but {where} was written "
            f"on {store.signature}; put back the data that was labelled."
        )


def _without_path(data: DataConfig) -> Any:
    """As JSON, because dials that were read from a file are plain dicts."""
    found = to_json(data)
    return found | {"source": ""} if os.path.isabs(data.source) else found


def _teachers(config: RunConfig) -> Iterator[str]:
    methods = [stage.method for stage in config.stages]
    needs = [method_facts(method).teacher for method in methods]
    if "distill" in methods and "transformer" not in methods[: methods.index("distill")]:
        yield (
            "Stage 'distill' learns from a Transformer that no stage before it trains; put a stage "
            "'transformer' before it."
        )
    if "output" in needs and "memory" in needs:
        first, other = methods[needs.index("output")], methods[needs.index("memory")]
        yield (
            f"Stage '{first}' has another teacher than stage '{other}', and a run has one; leave "
            "one of them out."
        )


def _baseline(config: RunConfig) -> Iterator[str]:
    for method in dict.fromkeys(stage.method for stage in config.stages):
        wanted = method_facts(method).network
        if config.baseline is not None and wanted != "baseline":
            yield (
                f"'{config.baseline.name}' is a baseline, which method '{method}' can't train; "
                "leave out --method, or train a student (--cell) instead."
            )
        if config.baseline is None and wanted == "baseline":
            yield (
                f"Method '{method}' trains a baseline, and the run has a student; give --network, "
                "or another --method."
            )


def _lengths(config: RunConfig, length: int) -> Iterator[str]:
    for stage in config.stages:
        if stage.window is not None and not method_facts(stage.method).windowed:
            others = ", ".join(name for name, row in METHODS.items() if row.windowed)
            yield (
                f"Stage '{stage.method}' has windows of {stage.window} steps and uses no windows; "
                f"give it none, or one of {others} instead."
            )
        for name, value in (
            ("windows", stage.window), ("prefixes", stage.prefix), ("sequences", stage.length),
        ):  # fmt: skip
            if value is not None and not 1 <= value <= length:
                yield (
                    f"Stage '{stage.method}' has {name} of {value} steps; give it 1 to T = "
                    f"{length} of them, or none."
                )
    truncated = any(stage.method == "tbptt" for stage in config.stages)
    encoder = config.teacher.encoder_config
    for section, dials, name, what in (
        ("smt", config.smt, "future", "The future F"),
        ("smt", config.smt, "transitions", "The number of transitions"),
        ("smt", config.smt, "anchors", "The number of anchors"),
        ("dmt", config.dmt, "window", "The window k"),
        ("tbptt", config.tbptt if truncated else None, "window", "The window k"),
        ("fit", config.fit, "prefix", "The prefix"),
        (
            "encoder",
            encoder if isinstance(encoder, WindowConfig) else None,
            "context",
            "The context Tc",
        ),
    ):
        value = getattr(dials, name, None)
        if value is not None and value > length:
            yield (
                f"{what} is {value}, more than the data's sequences of T = {length} steps; "
                f"give {option(section, name)} {length} or less."
            )


def _prefix(config: RunConfig, source: Source) -> Iterator[str]:
    prefixes = filter(None, [config.fit.prefix, *(stage.prefix for stage in config.stages)])
    for prefix in prefixes:
        if not source.batch(config.seed, 0, config.fit.batch).mask[:, :prefix].any():
            yield f"No output counts in the first {prefix} steps; give a longer prefix, or none."


def _stage_lengths(config: RunConfig, source: Source) -> Iterator[str]:
    for stage in config.stages:
        if stage.length is None:
            continue
        if config.label_store is not None:
            yield (
                f"Stage '{stage.name}' has a length of its own, and a label store holds sequences "
                "of one length; give a prefix instead."
            )
        found = source.at_length(stage.length).signature
        if replace(found, length=source.signature.length) != source.signature:
            yield (
                f"Stage '{stage.name}' would read {found}, where sequences of the whole length are "
                f"{source.signature}; give it another length, or none."
            )
