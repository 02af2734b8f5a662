"""L4. Do the sizes of a run fit each other and the data? Asked once, before anything is written."""

import math
from collections.abc import Iterator
from typing import Any

from pastforward.baselines import BASELINES
from pastforward.cells import CELLS
from pastforward.config import RunConfig
from pastforward.data.source import Source
from pastforward.errors import UsageError, nearest
from pastforward.methods import BY_ORACLE, IN_WINDOWS, METHODS, TRAIN_A_GUIDE
from pastforward.teacher.store.facts import StoreFacts

_CHOICES = {
    "fit.schedule": ("cosine", "constant"),
    "fit.optimiser": ("muon", "adamw"),
    "fit.compile": ("auto", "on", "off"),
    "fit.precision": ("auto", "float32"),
}
_AT_LEAST_ONE = (
    "student.slots", "student.width", "student.embed", "student.hidden", "teacher.width",
    "teacher.depth", "teacher.heads", "teacher.window", "teacher.decoder_depth",
    "teacher.decoder_tokens", "teacher.matrices", "teacher.key_dim", "teacher.distill_depth",
    "teacher.recompute", "smt.future", "smt.anchors", "smt.transitions", "dmt.window",
    "dmt.replay_steps", "fit.batch", "fit.accumulate", "fit.prefix",
)  # fmt: skip
_NOT_NEGATIVE = (
    "teacher.householder_steps", "smt.decoding", "smt.prediction", "smt.dynamics", "smt.consistency",
    "smt.readout", "smt.uniformity", "smt.covariance", "smt.gaussian", "smt.encoder_gradient_scale", "smt.noise",
    "dmt.on_policy_fraction", "dmt.dynamics", "dmt.readout", "dmt.distill", "fit.weight_decay", "fit.warmup",
    "fit.evaluations",
)  # fmt: skip
_SHARES_ERROR = 1e-6
_SEEDS = 2**53
"""Seeds below it, of either sign, leave room for what is made from them."""


def check(
    config: RunConfig, source: Source | None = None, labels: StoreFacts | None = None
) -> None:
    """Raise `UsageError` for the first number or name that can't work, on `source` if given.

    `labels` is what the store of `config.label_store` says of itself.
    """
    for problem in _problems(config, source, labels):
        raise UsageError(problem)


def _problems(config: RunConfig, source: Source | None, labels: StoreFacts | None) -> Iterator[str]:
    yield from _numbers(config)
    yield from _names(config)
    yield from _stages(config)
    yield from _guides(config)
    yield from _baselines(config)
    if config.label_store is not None:
        yield from _without_teacher(config)
    yield from _networks(config)
    if labels is not None and source is not None:
        yield from _labels(config, source, labels)
    if source is not None:
        yield from _lengths(config, source.signature.length)
        yield from _prefix(config, source)


def _numbers(config: RunConfig) -> Iterator[str]:
    for least, names in ((1, _AT_LEAST_ONE), (0, _NOT_NEGATIVE)):
        for name in names:
            value = _dial(config, name)
            if value is not None and not least <= value < math.inf:
                yield f"{_option(name)} is {value}; give a finite number, {least} or more."
    if abs(config.seed) >= _SEEDS:
        yield f"--seed is {config.seed}; give a whole number of at most 15 digits."
    if not 0 < config.student.scale < math.inf:
        yield f"--student.scale is {config.student.scale}; give a finite number above 0."
    seconds = config.budget.seconds
    if seconds is not None and not seconds > 0:
        yield f"--seconds is {seconds}; give a number above 0."
    for name in ("initial_decay_time", "query_key_scale"):
        value = getattr(config.teacher, name)
        if not 0 < value < math.inf:
            yield f"--teacher.{name} is {value}; give a finite number above 0."
    if not config.fit.clip > 0:
        yield f"--fit.clip is {config.fit.clip}; give a norm above 0, inf for no clipping."
    if config.dmt.on_policy_fraction > 1:
        yield f"--dmt.on-policy-fraction is {config.dmt.on_policy_fraction}; it is a share of windows, so give 0 to 1."
    if config.fit.batch % config.fit.accumulate:
        yield (
            f"A batch of {config.fit.batch} can't be cut into {config.fit.accumulate} equal parts; "
            "let --fit.accumulate divide --fit.batch."
        )


def _names(config: RunConfig) -> Iterator[str]:
    for name, known in _CHOICES.items():
        value = _dial(config, name)
        if value not in known:
            yield f"{_option(name)} is '{value}'; {nearest(str(value), known)}."


def _stages(config: RunConfig) -> Iterator[str]:
    if not config.stages:
        yield "A run without stages was asked for; give at least one."
    for stage in config.stages:
        if stage.method not in METHODS:
            yield f"There is no method '{stage.method}'; {nearest(stage.method, METHODS)}."
        if not (stage.share > 0 and 0 < stage.lr < math.inf):
            given = f"share {stage.share} and lr {stage.lr}"
            yield f"Stage '{stage.method}' has {given}; give both above 0."
    whole = sum(stage.share for stage in config.stages)
    if abs(whole - 1.0) > _SHARES_ERROR:
        yield f"The stages' shares of the budget add up to {whole:g}; let them add up to 1."


def _without_teacher(config: RunConfig) -> Iterator[str]:
    for stage in config.stages:
        if stage.method in TRAIN_A_GUIDE:
            alone = (*TRAIN_A_GUIDE, "distill", "parallel")
            others = ", ".join(name for name in METHODS if name not in alone)
            yield (
                f"Stage '{stage.method}' trains a teacher, and stored labels come without one; "
                f"take another method ({others}) or leave out --labels."
            )
        if stage.method == "smt-frozen" and config.smt.consistency:
            yield (
                f"--smt.consistency is {config.smt.consistency}, which needs the teacher's "
                "decoder, and stored labels come without one; give 0."
            )


def _labels(config: RunConfig, source: Source, labels: StoreFacts) -> Iterator[str]:
    memory, where = labels.memory, f"the labels in {config.label_store}"
    shape = f"K = {memory.slots} slots of width D = {memory.width}"
    for name in ("slots", "width"):
        given = getattr(config.student, name)
        if given != getattr(memory, name):
            yield f"--student.{name} is {given}, but {where} have {shape}; leave it out."
    if config.student.cell == "lstm" and memory.slots != 2:
        yield (
            f"An LSTM packs h and c into K = 2 slots, but {where} have {shape}; take another "
            "--student.cell or labels of a teacher trained with --student.slots 2."
        )
    if config.data != labels.data:
        yield f"Other data was asked for than {where} were written on; leave out its options."
    if source.signature != labels.signature:
        yield (
            f"The data '{config.data.source}' reads as {source.signature}, but {where} were "
            f"written on {labels.signature}; put back the data that was labelled."
        )


def _guides(config: RunConfig) -> Iterator[str]:
    methods = [stage.method for stage in config.stages]
    if "distill" in methods and "transformer" not in methods[: methods.index("distill")]:
        yield (
            "Stage 'distill' learns from a Transformer that no stage before it trains; put a stage "
            "'transformer' before it."
        )
    target_source = [method for method in methods if method in BY_ORACLE]
    if "transformer" in methods and target_source:
        yield (
            f"Stage 'transformer' trains another guide than the teacher of stage '{target_source[0]}', "
            "and a run has one; leave one of them out."
        )


def _baselines(config: RunConfig) -> Iterator[str]:
    cell, like = config.student.cell, config.student.like
    if like not in CELLS:
        yield f"--student.like is '{like}', which is no cell; {nearest(like, CELLS)}."
    for method in dict.fromkeys(stage.method for stage in config.stages):
        if cell in BASELINES and method != "parallel":
            yield (
                f"'{cell}' is a peer, a network of its own that stage '{method}' can't train; add "
                f"--method parallel, or take a cell ({', '.join(CELLS)})."
            )
        if cell not in BASELINES and method == "parallel":
            yield (
                f"Stage 'parallel' trains a peer, and '{cell}' is none; give --cell "
                f"{', '.join(BASELINES)}, or take another --method."
            )


def _networks(config: RunConfig) -> Iterator[str]:
    student = config.student
    if student.cell == "transformer" and student.width % 4:
        yield (
            f"The transformer cell has 4 heads, which can't share a width of {student.width}; "
            "give a --student.width that 4 divides."
        )


def _lengths(config: RunConfig, length: int) -> Iterator[str]:
    for stage in config.stages:
        if stage.window is not None and stage.method not in IN_WINDOWS:
            yield (
                f"Stage '{stage.method}' has windows of {stage.window} steps and cuts nothing into "
                f"windows; give it none, or one of {', '.join(IN_WINDOWS)} instead."
            )
        if stage.window is not None and not 1 <= stage.window <= length:
            yield (
                f"Stage '{stage.method}' has windows of {stage.window} steps; give it 1 to T = "
                f"{length} of them, or none for --dmt.window."
            )
        if stage.prefix is not None and not 1 <= stage.prefix <= length:
            yield (
                f"Stage '{stage.method}' reads prefixes of {stage.prefix} steps; give it 1 to T = "
                f"{length} of them, or none for whole sequences."
            )
    for name, what in (
        ("smt.future", "The future F"),
        ("smt.transitions", "The number of transitions"),
        ("smt.anchors", "The number of anchors"),
        ("dmt.window", "The window k"),
        ("teacher.window", "The window Tc"),
        ("fit.prefix", "The prefix"),
    ):
        value = _dial(config, name)
        if value is not None and value > length:
            yield (
                f"{what} is {value}, more than the data's sequences of T = {length} steps; "
                f"give {_option(name)} {length} or less."
            )


def _prefix(config: RunConfig, source: Source) -> Iterator[str]:
    asked = [config.fit.prefix, *(stage.prefix for stage in config.stages)]
    if not any(asked):
        return
    mask = source.batch(config.seed, 0, config.fit.batch).mask
    for prefix in asked:
        if prefix and not mask[:, :prefix].any():
            yield f"No output counts in the first {prefix} steps; give a longer prefix, or none."


def _dial(config: RunConfig, name: str) -> Any:
    part, field = name.split(".")
    return getattr(getattr(config, part), field)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
