"""L3. Methods by name: how gradients are found. Imports no torch.

A new method is one file with a builder `(network, teacher, config: RunConfig) -> Method`, and one
row here; or a class or builder of the user's own, named as `module:Name`, that is called with the
same three arguments and has an attribute `facts: MethodEntry`.
"""

from pastforward.errors import UsageError
from pastforward.methods.entry import DistillConfig, DMTConfig, MethodEntry, SMTConfig, TBPTTConfig
from pastforward.registry import NoConfig, Registry, import_target

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
            f"{_HERE}.dmt:build_run_teacherced", DMTConfig,
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
            f"{_HERE}.distill:build_distillation", DistillConfig,
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
            f"{name}.facts is {found!r}; set it to a pastforward.methods.entry.MethodEntry that "
            "says what the method trains and what it learns from."
        )
    return found
