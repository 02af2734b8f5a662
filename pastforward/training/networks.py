"""L4. The networks of a run, as its config says: what is trained to be kept, and its guide."""

import torch

from pastforward.config import RunConfig
from pastforward.data import Source
from pastforward.labels import LabelStore
from pastforward.methods import BY_ORACLE, BY_TRANSFORMER
from pastforward.oracle import StoredLabels
from pastforward.peers import Attention, Network, build_network, build_transformer
from pastforward.student import Student
from pastforward.teacher import Teacher, build_teacher

Guide = Teacher | Attention
"""What a student learns from and is then discarded: a teacher, or the Transformer of `distil`."""


def build_networks(
    config: RunConfig, source: Source, store: LabelStore | None = None
) -> tuple[Network, Guide | StoredLabels | None]:
    """What is kept and its guide, if some stage asks one, with weights from the run's seed alone.

    With a store, its labels take the guide's place; raises `UsageError` if it is damaged.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build_network(config.student, source.signature)
        if store is not None:
            return network, StoredLabels(store.readout())
        return network, build_guide(config, network)


def build_guide(config: RunConfig, network: Network) -> Guide | None:
    """The guide that the stages ask; raises `UsageError` on misfits."""
    methods = {stage.method for stage in config.stages}
    if methods.intersection(BY_TRANSFORMER):
        return build_transformer(config.teacher, network.signature)
    if methods.intersection(BY_ORACLE) and isinstance(network, Student):
        return build_teacher(config.teacher, network.signature, network.memory)
    return None
