"""Every row of the table of peers, small and in double precision."""

import importlib.util

import pytest
import torch
from tiny import signature

from pastforward.baselines import BASELINES, build_network
from pastforward.baselines.base import Baseline
from pastforward.config import StudentConfig

HAS_MAMBA = importlib.util.find_spec("transformers") is not None
NAMES = [
    pytest.param(name, marks=pytest.mark.skipif(not HAS_MAMBA, reason="needs transformers"))
    if name == "mamba2" else name
    for name in BASELINES
]  # fmt: skip
RECURRENT = ("s4d", "mingru")
CONFIG = StudentConfig("s4d", slots=2, width=8, embed=8, hidden=6)


def build(name: str, kind: str = "tokens", length: int = 7) -> Baseline:
    torch.manual_seed(0)
    config = StudentConfig(**vars(CONFIG) | {"cell": name})
    baseline = build_network(config, signature(kind, length))
    assert isinstance(baseline, Baseline)
    return baseline.double()
