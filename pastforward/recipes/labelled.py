"""L5. The recipe for labelled sequences: a class or numbers, at the end or at every step.

Where outputs are rare, a memory in mid-sequence has nothing near to predict, so all credit goes
through the encoder: one whose memory is Markov by construction, so that what it holds at the end a
student can carry there. With one output a sequence that is `fourier`, which has read a whole
training set before a deeper teacher has read a tenth of it; with many, `stack`.
"""

import os
from dataclasses import replace

from pastforward.config import Budget, RunConfig, Stage
from pastforward.data import DataConfig, LabelledConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.recipes.sizes import student_for
from pastforward.recipes.strategies import DEFAULT_STRATEGY, learns_from_targets, stages
from pastforward.teacher import TeacherConfig
from pastforward.training import FitConfig

LABELLED_RATES = {"teacher": 4e-3, "smt": 2e-3, "dmt": 1e-3, "bptt": 1e-3}
_SHARES = {
    "smt": (("teacher", 0.3), ("smt-frozen", 0.7)),
    "smt+dmt": (("teacher", 0.3), ("dmt", 0.7)),
    "smt+dmt+bptt": (("teacher", 0.25), ("dmt", 0.55), ("bptt", 0.2)),
}
_WINDOWS = (
    (2, 0.08, 2.0), (4, 0.1, 2.0), (8, 0.14, 2.0), (16, 0.18, 1.0),
    (32, 0.25, 1.0), (32, 0.25, 0.3),
)  # fmt: skip
"""Steps of each window, its share of the time, and factor on the rate."""
READOUT = 0.01
"""Weight of outputs beside targets. Muon steps as far for a small gradient as for a large one, so
a readout learns as fast; at 1 the gradient of few noisy outputs takes over the cell where targets
are nearly met, and longer windows then undo what shorter ones have learned (docs/log.md). With one
output a sequence a readout learns beside the teacher's, from many more of them, and windows leave
it as it is."""
_POSITIONS, _MOST = 4000, 32
"""In a batch, and sequences in it at most: many steps teach a student more than large batches."""
_SCALE = 0.05
"""Of memories inside a tanh, where they follow targets; BPTT has the textbook cells."""
_BATCHES = {"teacher": 128, "teacher-forced": 8}
"""Where a teacher computes one memory a sequence, sequences cost it little, and a student has more
of steps than of labels (docs/log.md)."""


def labelled(
    data: DataConfig, length: int, strategy: str = DEFAULT_STRATEGY, cell: str = "mlp",
    at_end: bool = True,
) -> RunConfig:  # fmt: skip
    """Labelled sequences of at most T = `length` steps, with outputs `at_end` or at many steps."""
    found = _from_targets(stages(strategy, LABELLED_RATES, _SHARES), length)
    if at_end:
        found = tuple(replace(stage, batch=_BATCHES.get(stage.method)) for stage in found)
    student = student_for(cell, *((1, 128) if at_end else (4, 64)))
    if at_end and learns_from_targets(strategy):
        # The Fourier encoder's memories turn: a cell with a tanh can follow where it is linear.
        student = student_for(cell, 1, 128, _SCALE, _SCALE)
    return RunConfig(
        data=data,
        student=student,
        teacher=TeacherConfig("fourier" if at_end else "stack"),
        # No state bypasses such a memory: no futures to decode.
        smt=SMTConfig(decoding=0.0, anchors=1, readout=READOUT, early_readout=1.0),
        dmt=DMTConfig(window=min(_WINDOWS[-1][0], length), readout=0.0 if at_end else READOUT),
        fit=FitConfig(batch=max(8, min(_MOST, _POSITIONS // length))),
        budget=Budget(seconds=300.0 if length <= 256 else 900.0),
        stages=found,
    )


def smnist14(strategy: str = DEFAULT_STRATEGY, cell: str = "mlp") -> RunConfig:
    """Sequential MNIST averaged over 2 x 2 pixels: 196 symbols of 16 grey levels, a digit."""
    return _mnist(LabelledConfig(levels=16, pool=2), 196, strategy, cell)


def smnist(strategy: str = DEFAULT_STRATEGY, cell: str = "mlp") -> RunConfig:
    """Sequential MNIST (Le, Jaitly & Hinton 2015): 784 symbols of 16 grey levels, a digit."""
    return _mnist(LabelledConfig(levels=16), 784, strategy, cell)


def psmnist(strategy: str = DEFAULT_STRATEGY, cell: str = "mlp") -> RunConfig:
    """Permuted sequential MNIST: as `smnist`, all images in the random order of one seed."""
    return _mnist(LabelledConfig(levels=16, permute=92), 784, strategy, cell)


def _mnist(options: LabelledConfig, length: int, strategy: str, cell: str) -> RunConfig:
    """MNIST's four IDX files lie in ./mnist, or in $PASTFORWARD_DATA/mnist."""
    folder = os.path.join(os.environ.get("PASTFORWARD_DATA", "."), "mnist")
    return labelled(DataConfig(folder, None, options, "classify"), length, strategy, cell)


def _from_targets(found: tuple[Stage, ...], length: int) -> tuple[Stage, ...]:
    """The same with DMT's windows started from targets, in windows of 2, 4, ... steps up to T.

    Where targets are followed this closely there is little left to correct from the student's own
    memories, and where one is lost, its gradient is no guide. Windows teach more in a second than
    single steps do.
    """
    windows = [dials for dials in _WINDOWS if dials[0] <= length] or [(length, 1.0, 1.0)]
    total = sum(share for _, share, _ in windows)
    grown: list[Stage] = []
    for stage in found:
        if stage.method != "dmt":
            grown.append(stage)
            continue
        grown += [
            Stage("teacher-forced", stage.share * share / total, stage.lr * factor, size)
            for size, share, factor in windows
        ]
    return tuple(grown)
