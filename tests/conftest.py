"""Shapes in signatures are checked while tests run: the hook must come before the package."""

from jaxtyping import install_import_hook

SHAPED = [
    "memory", "blocks", "scan", "outputs", "cells", "teacher.encoders", "teacher.decoder",
    "teacher.teacher", "teacher.target_source", "losses", "student", "baselines",
    "methods", "inference", "analysis.meters",
]  # fmt: skip
"""Modules whose signatures name shapes. Others are left alone: their tests pass stand-ins."""

install_import_hook([f"pastforward.{name}" for name in SHAPED], "checking.check")

import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)

from bars import shown  # noqa: E402, F401 (a fixture)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """No test reads what another one, or whoever runs them, has kept of large text."""
    monkeypatch.setenv("PASTFORWARD_CACHE", str(tmp_path_factory.mktemp("cache")))
