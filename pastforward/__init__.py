"""L6. Pretrain any nonlinear RNN without backpropagation through time, then run it alone.

Names are imported when first used, so that `import pastforward` alone costs no second of torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pastforward.analysis import (
        at_length,
        bptt_credit,
        frontier,
        last_output,
        linear_probe,
        loss_by_length,
        loss_gap,
        principal_components,
        remember,
        smt_credit,
    )
    from pastforward.cells import CELLS, Cell, wrap
    from pastforward.config import (
        Budget,
        DataConfig,
        DMTConfig,
        FitConfig,
        RunConfig,
        SMTConfig,
        Stage,
        StudentConfig,
        TeacherConfig,
    )
    from pastforward.data import (
        SeriesSource,
        Source,
        image_source,
        open_data,
        open_source,
        text_source,
    )
    from pastforward.doctor import Finding, diagnose
    from pastforward.evaluation import Evaluation, draw_samples, evaluate
    from pastforward.labels import LabelStore, open_labels
    from pastforward.methods import (
        METHODS,
        RTRL,
        Distillation,
        FrozenSMT,
        JointSMT,
        Method,
        Parallel,
        TeacherTraining,
        TruncatedBPTT,
        UnrollDMT,
        WindowDMT,
        bptt,
    )
    from pastforward.oracle import Oracle, StoredLabels
    from pastforward.peers import PEERS, Peer, build_network, build_transformer
    from pastforward.recipes import RECIPES, WAYS, for_path
    from pastforward.stream import (
        Sampling,
        Stream,
        complete_images,
        continue_text,
        draw_images,
    )
    from pastforward.stream.ahead import AheadOfTime, compile_stream
    from pastforward.student import Student, build_student
    from pastforward.student_file import load_network, load_student, save_student
    from pastforward.teacher import Teacher, build_teacher
    from pastforward.training import Fit, NonFiniteLoss, Run, RunFolder, check, fit
    from pastforward.types import Batch, MemoryShape, Signature, Tokens, UsageError, Vectors

_HOMES = {
    "analysis": (
        "at_length", "bptt_credit", "frontier", "last_output", "linear_probe", "loss_by_length",
        "loss_gap", "principal_components", "remember", "smt_credit",
    ),
    "cells": ("CELLS", "Cell", "wrap"),
    "config": (
        "Budget", "DataConfig", "DMTConfig", "FitConfig", "RunConfig", "SMTConfig", "Stage",
        "StudentConfig", "TeacherConfig",
    ),
    "data": (
        "SeriesSource", "Source", "image_source", "open_data", "open_source", "text_source",
    ),
    "doctor": ("Finding", "diagnose"),
    "evaluation": ("Evaluation", "draw_samples", "evaluate"),
    "labels": ("LabelStore", "open_labels"),
    "methods": (
        "METHODS", "RTRL", "Distillation", "FrozenSMT", "JointSMT", "Method", "Parallel",
        "TeacherTraining", "TruncatedBPTT", "UnrollDMT", "WindowDMT", "bptt",
    ),
    "oracle": ("Oracle", "StoredLabels"),
    "peers": ("PEERS", "Peer", "build_network", "build_transformer"),
    "recipes": ("RECIPES", "WAYS", "for_path"),
    "stream": ("Sampling", "Stream", "complete_images", "continue_text", "draw_images"),
    "stream.ahead": ("AheadOfTime", "compile_stream"),
    "student": ("Student", "build_student"),
    "student_file": ("load_network", "load_student", "save_student"),
    "teacher": ("Teacher", "build_teacher"),
    "training": ("Fit", "NonFiniteLoss", "Run", "RunFolder", "check", "fit"),
    "types": ("Batch", "MemoryShape", "Signature", "Tokens", "UsageError", "Vectors"),
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 (by floor, as in _HOMES; a test holds it equal to it)
    "at_length", "bptt_credit", "frontier", "last_output", "linear_probe", "loss_by_length",
    "loss_gap", "principal_components", "remember", "smt_credit",
    "CELLS", "Cell", "wrap", "Budget", "DataConfig", "DMTConfig", "FitConfig", "RunConfig",
    "SMTConfig", "Stage", "StudentConfig", "TeacherConfig", "SeriesSource", "Source",
    "image_source", "open_data", "open_source", "text_source", "Finding", "diagnose",
    "Evaluation", "draw_samples", "evaluate", "LabelStore", "open_labels", "METHODS", "RTRL",
    "Distillation", "FrozenSMT", "JointSMT", "Method", "Parallel", "TeacherTraining",
    "TruncatedBPTT", "UnrollDMT", "WindowDMT", "bptt", "Oracle", "StoredLabels", "PEERS",
    "Peer", "build_network", "build_transformer", "RECIPES", "WAYS", "for_path", "Sampling",
    "Stream", "complete_images", "continue_text", "draw_images", "AheadOfTime",
    "compile_stream", "Student", "build_student", "load_network", "load_student",
    "save_student", "Teacher", "build_teacher", "Fit", "NonFiniteLoss", "Run", "RunFolder",
    "check", "fit", "Batch", "MemoryShape", "Signature", "Tokens", "UsageError", "Vectors",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pastforward' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"pastforward.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
