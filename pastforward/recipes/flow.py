"""L5. Text and series: what comes next depends mostly on what is near."""

from pastforward.cells import StudentConfig
from pastforward.config import Budget, RunConfig
from pastforward.data import DataConfig
from pastforward.methods import DMTConfig, SMTConfig
from pastforward.recipes.strategies import DEFAULT_STRATEGY, stages
from pastforward.training.configs import FitConfig

RATES = {"teacher": 4e-3, "smt": 4e-3, "dmt": 1e-3, "bptt": 1e-3, "finetune": 1e-3}

_SHARES = {
    "smt+dmt": (("teacher", 0.07), ("smt", 0.31), ("dmt", 0.62)),
    "smt+dmt+bptt": (("teacher", 0.07), ("smt", 0.31), ("dmt", 0.12), ("bptt", 0.5)),
}
_FUTURE, _ROLLOUT, _POSITIONS = 16, 256, 2048


def flow(
    data: DataConfig, length: int, student: StudentConfig, strategy: str = DEFAULT_STRATEGY
) -> RunConfig:
    """Sequences of T = `length` cut from a stream of symbols or numbers."""
    return RunConfig(
        data=data,
        student=student,
        # One short future per sequence; the readout at every t makes up for the others.
        smt=SMTConfig(future=min(length, _FUTURE), anchors=1, uniformity=0.01, noise=0.05),
        # The whole rollout, new sequences at every step: a student of text soon knows more than
        # its teacher, and one that replays a batch four times overfits that batch.
        dmt=DMTConfig(window=min(length, _ROLLOUT), dynamics=0.1, replay_steps=1),
        fit=FitConfig(batch=max(8, min(64, _POSITIONS // length))),
        budget=Budget(seconds=180.0),
        stages=stages(strategy, RATES, _SHARES),
    )
