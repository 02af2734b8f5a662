"""Shapes in signatures are checked while tests run: the hook must come before the package."""

from jaxtyping import install_import_hook

SHAPED = [
    "memory", "blocks", "scan", "outputs", "cells", "teacher.encoders", "teacher.decoder",
    "teacher.teacher", "teacher.target_source", "losses", "student", "baselines",
    "methods", "inference", "analysis.meters",
]  # fmt: skip
"""Modules whose signatures name shapes. Others are left alone: their tests pass stand-ins."""

install_import_hook([f"pastforward.{name}" for name in SHAPED], "checking.check")

import torch  # noqa: E402

torch.set_num_threads(1)

from bars import shown  # noqa: E402, F401 (a fixture)
