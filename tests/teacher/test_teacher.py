"""Teachers by the name of their encoder, those of the user's own included."""

import subprocess
import sys

import pytest
import torch
from tiny import ENCODERS, batch, signature

from pastforward.errors import UsageError
from pastforward.registry import NoConfig
from pastforward.teacher import TeacherConfig, encoders
from pastforward.teacher.encoders import DeltaConfig, LinearConfig
from pastforward.teacher.encoders.base import Encoder
from pastforward.teacher.encoders.causal import LinearEncoder
from pastforward.teacher.teacher import build_teacher
from pastforward.types import MemoryShape

MEMORY = MemoryShape(2, 4)


def build(encoder: str, memory: MemoryShape = MEMORY, **changes):
    config = TeacherConfig(encoder=encoder, **{"width": 8, "heads": 2} | changes)
    return build_teacher(config, signature(), memory)


@pytest.mark.parametrize("name", ENCODERS)
def test_every_row_builds_with_its_defaults(name):
    teacher = build(name)
    assert isinstance(teacher.encoder, Encoder)
    assert teacher.targets(batch(signature()).x).shape == (3, 8, 2, 4)
    assert encoders.ENCODERS[name].summary


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (TeacherConfig(encoder="register"), "did you mean 'registers'"),
        (TeacherConfig(width=12, heads=4), "no multiple of twice its 4 heads"),
        (TeacherConfig("delta", encoder_config=DeltaConfig(matrices=3)), "fills 3 of K = 2 slots"),
        (TeacherConfig("delta", encoder_config=DeltaConfig(key_dim=3)), "3 rows, D = 4 numbers"),
        (TeacherConfig("delta", encoder_config=LinearConfig()), "give it DeltaConfig"),
    ],
)
def test_sizes_that_do_not_fit_are_told(config, says):
    with pytest.raises(UsageError, match=says):
        build_teacher(config, signature(), MEMORY)


def test_the_linear_encoder_needs_an_even_width():
    with pytest.raises(UsageError, match="in pairs, and D = 3; give an even"):
        build("linear", MemoryShape(2, 3))


def test_the_decoder_has_a_recurrence_of_its_own():
    """Of the same values at first, but each weight is saved once."""
    teacher = build("linear")
    assert isinstance(teacher.encoder, LinearEncoder)
    own = teacher.decoder.extrapolation.recurrence
    for a, b in zip(own.parameters(), teacher.encoder.recurrence.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a is not b
    assert build("state").decoder.extrapolation is None


class Mean(Encoder):
    """An encoder of the user's own: the mean of embedded inputs."""

    def __init__(self, signature, memory, config, own) -> None:
        super().__init__()
        assert own == NoConfig()
        self.memory = memory
        self.embed = torch.nn.Embedding(signature.inputs.size, memory.size)

    def targets(self, x):
        sums = self.embed(x).cumsum(1) / (1 + torch.arange(x.shape[1]))[:, None]
        sums = torch.nn.functional.pad(sums, (0, 0, 1, 0), value=1.0)
        return sums.unflatten(-1, (self.memory.slots, self.memory.width))


def no_encoder(signature, memory, config, own):
    return torch.nn.Linear(2, 2)


def test_an_encoder_of_the_user_s_own():
    teacher, data = build("test_teacher:Mean"), batch(signature())
    targets = teacher.targets_of(data)
    assert targets.shape == (3, 8, 2, 4)
    times = torch.tensor([[0, 7], [3, 3], [1, 6]])
    found = teacher.targets_at_times(data, times)
    assert torch.equal(found[1, 0], targets[1, 3])
    assert torch.equal(teacher.empty_target_of(data), targets[:1, :1])
    with pytest.raises(UsageError, match="an object of type Linear; derive your encoder"):
        build("test_teacher:no_encoder")


def test_the_table_needs_no_torch():
    code = "import sys, pastforward.teacher.encoders as e; assert 'torch' not in sys.modules; e"
    subprocess.run([sys.executable, "-c", code], check=True)
