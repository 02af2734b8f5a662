"""L4. The networks of a run, as its config says: what is trained to be kept, and its teacher."""

import torch

from pastforward.baselines.base import Baseline, Network
from pastforward.baselines.build import build_baseline, build_output_teacher, sized
from pastforward.config import RunConfig
from pastforward.methods import facts as method_facts
from pastforward.student import Student, build_student
from pastforward.teacher.store.reading import LabelStore
from pastforward.teacher.target_source import StoredTargets
from pastforward.teacher.teacher import Teacher, build_teacher
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


def build_network(config: RunConfig, signature: Signature) -> Network:
    """The student, or the baseline in its place; raises `UsageError` for what doesn't fit."""
    if config.baseline is None:
        return build_student(config.student, signature)
    return build_baseline(sized(config.baseline, signature, config.student), signature)


def build_run_teacher(config: RunConfig, network: Network) -> AnyTeacher | None:
    """The teacher that the stages need, or None; raises `UsageError` on misfits."""
    needed = {method_facts(stage.method).teacher for stage in config.stages}
    if "output" in needed:
        return build_output_teacher(config.teacher, config.distill.depth, network.signature)
    if "memory" in needed and isinstance(network, Student):
        return build_teacher(config.teacher, network.signature, network.memory)
    return None
