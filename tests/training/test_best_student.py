"""What a run leaves is the student as it was at its best held-out evaluation."""

import math

import pytest
import torch
from small_runs import BPTT, StopAfter, begin, never

from pastforward.analysis.meters import Score
from pastforward.student_file import load_student
from pastforward.training import networks as selection
from pastforward.training.folder import IfExists
from pastforward.training.trainer import Interrupted

LOSSES = (3.0, 2.5, 1.0, 1.0, 4.0, math.nan, 2.0, 1.5, 9.0)
BEST = 2
"""The first of the equals; NaN is never best."""


@pytest.fixture
def seen(monkeypatch):
    """States of the student at its evaluations, whose losses are told beforehand."""
    states = []

    def told(student, batches, codec, shared):
        states.append({name: tensor.clone() for name, tensor in student.state_dict().items()})
        return Score(LOSSES[len(states) - 1], None, 0.0, None, [])

    monkeypatch.setattr(selection, "quick_score", told)
    return states


@pytest.mark.parametrize("stop", [None, 2, 3, 5])
def test_the_best_student_is_kept_as_it_was(stop, seen, tmp_path):
    run = begin(tmp_path / "run", BPTT)
    if stop is not None:
        with pytest.raises(Interrupted):
            run.train((), StopAfter(stop))
        run = begin(tmp_path / "run", BPTT, IfExists.RESUME)
    run.train((), never)
    assert len(seen) == len(LOSSES)
    kept = load_student(run.folder.student)[0].state_dict()
    same = [all(torch.equal(state[name], kept[name]) for name in kept) for state in seen]
    assert same == [number == BEST for number in range(len(LOSSES))]
