"""L0. Methods: how gradients are found. Their dials and their table; imports no torch.

A new method is one file with a builder `(network, teacher, config: RunConfig) -> Method`, and one
row here; or a class or builder of the user's own, named as `module:Name`, that is called with the
same three arguments and has an attribute `facts: MethodEntry`.
"""

from dataclasses import dataclass
from typing import Literal

from pastforward.errors import UsageError, at_least
from pastforward.registry import Entry, NoConfig, Registry, import_target


@dataclass(frozen=True)
class SMTConfig:
    """Supervised Memory Training: weights of the losses, and what of each sequence a step uses."""

    future: int | None = None
    """F, outputs decoded from each anchor; the whole sequence when None."""
    anchors: int = 2
    """Memories per sequence that decode their future, among those whose next F outputs count."""
    transitions: int | None = None
    """One-step transitions per sequence; all T when None."""
    decoding: float = 1.0
    """Weight of L_dec, the cross-entropy of decoded futures."""
    input_decoding: float = 0.0
    """Weight of the cross-entropy of the next F inputs, decoded beside outputs from each anchor."""
    prediction: float = 1.0
    """Weight of y_t read from every target memory: L_dec at F = 1, at all t."""
    dynamics: float = 1.0
    """Weight of L_dyn over the targets' variance: the fraction of variance unexplained."""
    consistency: float = 0.0
    """Weight of the KL between futures decoded from the target and from the student's memory."""
    readout: float = 1.0
    """Weight of the student's own outputs after one step."""
    early_readout: float = 0.0
    """Weight of the student's readout of target memories while the teacher trains alone. Where
    outputs are few, a readout needs as many sequences as the teacher does."""
    uniformity: float = 0.001
    """Weight of the Wang-Isola uniformity loss."""
    encoder_gradient_scale: float = 1.0
    """Factor on the student's gradients that reach the encoder in joint training."""
    noise: float = 0.0
    """Standard deviation of Gaussian noise added to memories before decoder and cell read them."""

    def __post_init__(self) -> None:
        at_least(self, "smt", 1, "future", "anchors", "transitions")
        at_least(
            self, "smt", 0, "decoding", "input_decoding", "prediction", "dynamics", "consistency",
            "readout", "early_readout", "uniformity", "encoder_gradient_scale", "noise",
        )  # fmt: skip


@dataclass(frozen=True)
class DMTConfig:
    """DAgger Memory Training: weights of the losses and the length of a window."""

    window: int = 8
    """k, steps in a window; at T the whole rollout."""
    on_policy_fraction: float = 1.0
    """Fraction of windows that start from the student's own memories; the rest from targets."""
    replay_steps: int = 4
    """Optimiser steps per batch: targets and the student's memories are computed at the first of
    them, windows are sampled anew at each. With stored targets always 1."""
    dynamics: float = 1.0
    """Weight of the fraction of the targets' variance that the student leaves unexplained."""
    readout: float = 1.0
    """Weight of the student's outputs."""
    distill: float = 0.0
    """Weight of the KL from the teacher's prediction at the target to the student's."""

    def __post_init__(self) -> None:
        at_least(self, "dmt", 1, "window", "replay_steps")
        at_least(self, "dmt", 0, "on_policy_fraction", "dynamics", "readout", "distill")
        if self.on_policy_fraction > 1:
            raise UsageError(
                f"--dmt.on-policy-fraction is {self.on_policy_fraction}; it is a fraction of "
                "windows, so give 0 to 1."
            )


@dataclass(frozen=True)
class TBPTTConfig:
    """Truncated BPTT, with an optimiser step a sequence or a window."""

    window: int = 8
    """k, steps after which the gradient is cut."""

    def __post_init__(self) -> None:
        at_least(self, "tbptt", 1, "window")


@dataclass(frozen=True)
class DistillConfig:
    """Output distillation."""

    depth: int = 4
    """Blocks of the Transformer that the student learns from; width and heads are the teacher's."""

    def __post_init__(self) -> None:
        at_least(self, "distill", 1, "depth")


@dataclass(frozen=True)
class MethodEntry(Entry):
    """A row of `METHODS`.

    `target` names a builder `(network, teacher, config: RunConfig) -> Method`. `network` is the
    student or the baseline that is trained; `teacher` a `TargetSource`, an output teacher or None.
    """

    teacher: Literal["memory", "output"] | None = None
    """What it learns from: target memories, the outputs of a Transformer, or the data alone."""
    trains_teacher: bool = False
    """Does it train that teacher?"""
    trains_network: bool = True
    """Does it train the network that is kept? Held-out losses are of use only where it does."""
    windowed: bool = False
    """Does it cut sequences into windows, whose length a `Stage` may set?"""
    stored: bool = False
    """Can it train from a label store, without the teacher?"""
    network: Literal["student", "baseline"] = "student"
    """The kind of network that it trains."""
    lr_of: str | None = None
    """The method whose learning rate it takes where a recipe names none for it."""
    lr_factor: float = 1.0
    """Factor on that rate."""
    unit: Literal["targets", "tokens"] = "tokens"
    """What its throughput is counted in."""


_HERE = "pastforward.methods"

METHODS: Registry[MethodEntry] = Registry(
    "method",
    {
        "teacher": MethodEntry(
            f"{_HERE}.smt:build_teacher_training", SMTConfig,
            "SMT, stage one: encoder and decoder alone",
            teacher="memory", trains_teacher=True, trains_network=False, unit="targets",
        ),
        "smt": MethodEntry(
            f"{_HERE}.smt:build_joint_smt", SMTConfig,
            "SMT, joint: encoder, decoder and student by all losses together",
            teacher="memory", trains_teacher=True, unit="targets",
        ),
        "smt-frozen": MethodEntry(
            f"{_HERE}.smt:build_frozen_smt", SMTConfig,
            "SMT, stage two: single steps of the student on a frozen teacher's target memories",
            teacher="memory", stored=True, lr_of="smt", unit="targets",
        ),
        "teacher-forced": MethodEntry(
            f"{_HERE}.dmt:build_teacher_forced", DMTConfig,
            "windows of k steps, each started from a target memory",
            teacher="memory", windowed=True, stored=True, lr_of="dmt", unit="targets",
        ),
        "dmt": MethodEntry(
            f"{_HERE}.dmt:build_window_dmt", DMTConfig,
            "DMT: windows of k steps, each started from the student's own memory",
            teacher="memory", windowed=True, stored=True, unit="targets",
        ),
        "dmt-unroll": MethodEntry(
            f"{_HERE}.dmt:build_unroll_dmt", DMTConfig,
            "the paper's DMT: the whole rollout with its gradient",
            teacher="memory", stored=True, lr_of="dmt", unit="targets",
        ),
        "bptt": MethodEntry(
            f"{_HERE}.bptt:build_bptt", NoConfig,
            "backpropagation through time, over the whole sequence", stored=True,
        ),
        "tbptt": MethodEntry(
            f"{_HERE}.bptt:build_truncated_bptt", TBPTTConfig,
            "backpropagation through time, cut every k steps",
            windowed=True, stored=True, lr_of="bptt",
        ),
        "tbptt-stream": MethodEntry(
            f"{_HERE}.streams:build_stream_bptt", TBPTTConfig,
            "the same with an optimiser step for each k steps, the memory carried on",
            windowed=True, stored=True, lr_of="bptt",
        ),
        "rtrl": MethodEntry(
            f"{_HERE}.rtrl:build_rtrl", NoConfig,
            "real-time recurrent learning, exact; for small cells", stored=True, lr_of="bptt",
        ),
        "transformer": MethodEntry(
            f"{_HERE}.parallel:build_output_teacher_training", NoConfig,
            "cross-entropy of the Transformer that `distill` learns from",
            teacher="output", trains_teacher=True, trains_network=False, lr_of="teacher",
        ),
        "distill": MethodEntry(
            f"{_HERE}.bptt:build_distillation", DistillConfig,
            "output distillation: KL to a Transformer's predictions, over the whole sequence",
            teacher="output", lr_of="bptt",
        ),
        "parallel": MethodEntry(
            f"{_HERE}.parallel:build_parallel", NoConfig,
            "cross-entropy of a baseline, parallel over time",
            network="baseline", lr_of="teacher",
        ),
    },
)  # fmt: skip


def facts(name: str) -> MethodEntry:
    """The row of a method; of one of the user's own, its attribute `facts`.

    Raises `UsageError` for an unknown name, or where that attribute is missing.
    """
    METHODS.require(name)
    if name in METHODS:
        return METHODS[name]
    found = getattr(import_target(name), "facts", None)
    if not isinstance(found, MethodEntry):
        raise UsageError(
            f"{name}.facts is {found!r}; set it to a pastforward.MethodEntry that "
            "says what the method trains and what it learns from."
        )
    return found
