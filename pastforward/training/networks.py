"""L4. The networks of a run: built as its config says, and the best one so far kept."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from pastforward.analysis.evaluate import quick_score
from pastforward.analysis.labels import metrics_of
from pastforward.analysis.metrics import cost, figure
from pastforward.baselines import BaselineConfig
from pastforward.baselines.base import Baseline, Network
from pastforward.baselines.build import build_baseline, build_output_teacher, sized
from pastforward.blocks import Block
from pastforward.cells import StudentConfig
from pastforward.config import RunConfig, Stage
from pastforward.data.codec import LabelCodec
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.methods import facts as method_facts
from pastforward.methods.base import Method
from pastforward.student import Student, build_student
from pastforward.teacher.label_store import LabelStore
from pastforward.teacher.target_source import StoredTargets
from pastforward.teacher.teacher import Teacher, build_teacher
from pastforward.training.distributed import part_of_rank, world
from pastforward.training.engine import ALONE, Engine, Sharded
from pastforward.training.feeding import Batches
from pastforward.types import Signature

AnyTeacher = Teacher | Baseline
"""What a student learns from and is then discarded: a teacher of memories, or of outputs."""


def build_networks(
    config: RunConfig, signature: Signature, store: LabelStore | None = None
) -> tuple[Network, AnyTeacher | StoredTargets | None]:
    """What is kept and its teacher, if a stage needs one, with weights from the run's seed alone.

    With a store, its targets take the teacher's place; raises `UsageError` if it is damaged.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build_network(config, signature)
        if store is not None:
            return network, StoredTargets(store.readout())
        return network, build_run_teacher(config, network)


def batches_of(stage: Stage, source: Source, store: LabelStore | None) -> Batches:
    """What a stage reads: the store where there is one, or the source at the stage's length."""
    if store is not None:
        return store
    return source if stage.length is None else source.at_length(stage.length)


def sharded_engine(
    config: RunConfig, network: Network, teacher: AnyTeacher | None
) -> Sharded | None:
    """What cuts the networks over ranks, where that is asked for and there are several.

    Blocks of a teacher or a baseline are gathered one at a time. A student's cell is called at
    every step: all of it is gathered once.
    """
    if world() == 1 or config.dist.mode != "fsdp":
        return None
    networks = [network] if teacher is None else [network, teacher]
    # These two call parts of a block, or a copy of it.
    by_parts = config.teacher.recompute is not None or config.smt.consistency > 0
    cut = [one for one in networks if not (by_parts or isinstance(one, Student))]
    blocks = [part for one in cut for part in one.modules() if isinstance(part, Block)]
    return Sharded(networks, blocks)


def require_cut(
    config: RunConfig, methods: Iterable[Method], teacher: object, signature: Signature
) -> None:
    """Raise `UsageError` where sequences are to be cut over ranks, and can't be."""
    count = config.dist.time
    if count == 1:
        return
    asked, problem = f"--dist.time is {count}", None
    if world() % count:
        problem = f"there are {world()} processes; start a multiple of it (torchrun)"
    elif not any(method.cuts_time for method in methods):
        problem = "no stage's method cuts sequences; take smt, or one that begins with it"
    elif config.smt.transitions is not None:
        problem = "--smt.transitions samples some of their steps; leave one of them out"
    elif signature.length < count:
        problem = f"sequences have {signature.length} steps; give that or less"
    elif isinstance(teacher, Teacher) and (reason := teacher.encoder.whole_because()):
        problem = f"the encoder '{config.teacher.encoder}' can't be cut: {reason}"
    if problem is not None:
        raise UsageError(f"{asked}, but {problem}.")


def build_network(config: RunConfig, signature: Signature) -> Network:
    """The student, or the baseline in its place; raises `UsageError` for what doesn't fit."""
    own = network_config(config, signature)
    if isinstance(own, StudentConfig):
        return build_student(own, signature)
    return build_baseline(own, signature)


def network_config(config: RunConfig, signature: Signature) -> StudentConfig | BaselineConfig:
    """Of the network that the run trains, with the width of a baseline chosen."""
    if config.baseline is None:
        return config.student
    return sized(config.baseline, signature, config.student)


def build_run_teacher(config: RunConfig, network: Network) -> AnyTeacher | None:
    """The teacher that the stages need, or None; raises `UsageError` on misfits."""
    needed = {method_facts(stage.method).teacher for stage in config.stages}
    if "output" in needed:
        return build_output_teacher(config.teacher, config.distill.depth, network.signature)
    if "memory" in needed and isinstance(network, Student):
        inputs = config.smt.input_decoding > 0
        shape, reach = network.memory, network.cell.reach
        return build_teacher(config.teacher, network.signature, shape, inputs, reach)
    return None


SEQUENCES, LABELLED_SEQUENCES, BATCH = 256, 1000, 64
"""Held-out sequences of an evaluation; labelled ones have few outputs each, so more are read."""


def require_metric(select: str, source: Source) -> None:
    """Raise `UsageError` where the data's outputs don't have the metric of `FitConfig.select`."""
    known = metrics_of(source.signature.outputs, source.codec)
    if select not in known:
        raise UsageError(
            f"--fit.select is '{select}', which outputs of the data '{source.name}' don't have; "
            f"choose one of {', '.join(known)}."
        )


def measured(figures: Mapping[str, float | None]) -> dict[str, float]:
    """Without those that could not be measured."""
    return {name: value for name, value in figures.items() if value is not None}


@dataclass
class Selection:
    """Held-out evaluations of a run and the best network so far."""

    select: str = "loss"
    """The metric that says which is best, a name in `METRICS`."""
    evaluations: int = 0
    latest: float | None = None
    """The metric that selects, of the last one."""
    best: float | None = None
    """Cost of the best one: its metric, negated where higher is better; None before a finite one.
    """
    tensors: dict[str, Tensor] = field(default_factory=dict)
    """State of the best network; empty before the first evaluation."""

    def due(self, share: float, evaluations: int) -> bool:
        """Is the next of `evaluations`, spread evenly over a run, reached at `share` of it?"""
        # The sum of shares may end a rounding error below 1.
        number = int(evaluations * share + 1e-6)
        before, self.evaluations = self.evaluations, max(number, self.evaluations)
        return number > before

    def evaluate(
        self, network: Network, source: Source, engine: Engine = ALONE
    ) -> dict[str, float | None]:
        """Evaluate the network alone on held-out data, and keep it if none was better.

        Ranks share the data; `engine` makes weights whole. Returns the loss as 'valid' and the
        metric that selects, if another, as 'valid_NAME'.
        """
        count = LABELLED_SEQUENCES if isinstance(source.codec, LabelCodec) else SEQUENCES
        batches = source.held_out("valid", BATCH, count)
        score = engine.call(lambda: quick_score(network, batches, source.codec, part_of_rank()))
        self.latest = value = figure(self.select, asdict(score))
        if cost(self.select, value) < (math.inf if self.best is None else self.best):
            self.best = cost(self.select, value)
            state = network.state_dict()
            self.tensors = {name: tensor.detach().clone() for name, tensor in state.items()}
        return {"valid": score.nats} | (
            {} if self.select == "loss" else {f"valid_{self.select}": value}
        )

    def restore(self, network: Network) -> None:
        """Put the best weights back, where there was an evaluation."""
        if self.tensors:
            network.load_state_dict(self.tensors)

    def facts(self) -> dict[str, Any]:
        """All but the tensors and the metric, which is the config's."""
        return {"evaluations": self.evaluations, "latest": self.latest, "best": self.best}
