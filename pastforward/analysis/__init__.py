"""L4. Instruments for a researcher's questions; each is a function that returns plain figures."""

from pastforward.analysis.credit import Credit, bptt_credit, last_output, scaled, smt_credit
from pastforward.analysis.frontier import Point, frontier
from pastforward.analysis.gap import Gap, Loss, loss_gap
from pastforward.analysis.lengths import AtLength, at_length, loss_by_length
from pastforward.analysis.memories import Memories, remember
from pastforward.analysis.principal import Components, principal_components
from pastforward.analysis.probe import Probe, Sample, linear_probe

__all__ = [
    "AtLength", "Components", "Credit", "Gap", "Loss", "Memories", "Point", "Probe", "Sample",
    "at_length", "bptt_credit", "frontier", "last_output", "linear_probe", "loss_by_length",
    "loss_gap", "principal_components", "remember", "scaled", "smt_credit",
]  # fmt: skip
