"""L4. The networks of a run, as its config says: what is trained to be kept, and its guide."""

import torch

from pastforward.baselines import Network, build_network
from pastforward.baselines.attention import Attention, build_transformer
from pastforward.config import RunConfig
from pastforward.data.source import Source
from pastforward.methods import BY_ORACLE, BY_TRANSFORMER
from pastforward.student import Student
from pastforward.teacher.store.reading import LabelStore
from pastforward.teacher.target_source import StoredTargets
from pastforward.teacher.teacher import Teacher, build_teacher

Guide = Teacher | Attention
"""What a student learns from and is then discarded: a teacher, or the Transformer of `distill`."""


def build_networks(
    config: RunConfig, source: Source, store: LabelStore | None = None
) -> tuple[Network, Guide | StoredTargets | None]:
    """What is kept and its guide, if some stage asks one, with weights from the run's seed alone.

    With a store, its labels take the guide's place; raises `UsageError` if it is damaged.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build_network(config.student, source.signature)
        if store is not None:
            return network, StoredTargets(store.readout())
        return network, build_guide(config, network)


def build_guide(config: RunConfig, network: Network) -> Guide | None:
    """The guide that the stages ask; raises `UsageError` on misfits."""
    methods = {stage.method for stage in config.stages}
    if methods.intersection(BY_TRANSFORMER):
        return build_transformer(config.teacher, network.signature)
    if methods.intersection(BY_ORACLE) and isinstance(network, Student):
        return build_teacher(config.teacher, network.signature, network.memory)
    return None
