"""Every row of the table of baselines, small and in double precision."""

import importlib.util
from dataclasses import replace

import pytest
import torch
from tiny import signature

from pastforward.baselines import BASELINES, BaselineConfig
from pastforward.baselines.base import Baseline
from pastforward.baselines.build import build_baseline

HAS_MAMBA = importlib.util.find_spec("transformers") is not None
NAMES = [
    pytest.param(name, marks=pytest.mark.skipif(not HAS_MAMBA, reason="needs transformers"))
    if name == "mamba2" else name
    for name in BASELINES
]  # fmt: skip
RECURRENT = ("s4d", "mingru", "delta")
CONFIG = BaselineConfig(depth=2, width=8, hidden=6, heads=2)


def build(name: str, kind: str = "tokens", length: int = 7) -> Baseline:
    torch.manual_seed(0)
    return build_baseline(replace(CONFIG, name=name), signature(kind, length)).double()
