"""A stream checks what it is given, alike for all engines, and gives plain tensors."""

import math

import numpy as np
import pytest
import torch

from pastforward.analysis.evaluate import evaluate
from pastforward.cells import StudentConfig
from pastforward.cells.build import wrap
from pastforward.config import Budget
from pastforward.data.codec import SymbolCodec
from pastforward.data.source import Source
from pastforward.errors import UsageError
from pastforward.estimators.classifier import SequenceClassifier
from pastforward.inference.aot import AheadOfTime
from pastforward.inference.sampling import noise
from pastforward.inference.stream import Eager, Stream
from pastforward.methods.bptt import bptt
from pastforward.student import Student, build_student
from pastforward.student_file import load_student, save_student
from pastforward.training.fit import fit
from pastforward.types import Batch, Kind, MemoryShape, Signature, Tokens, Vectors

ENGINES = [Eager, lambda student: AheadOfTime(student, 2)]
"""The second compiles when it first runs, which no bad input may come to."""


def small(inputs: Kind = Tokens(5), outputs: Kind = Tokens(5)) -> Student:  # noqa: B008
    torch.manual_seed(0)
    config = StudentConfig(cell="gru", slots=1, width=6, embed=4, hidden=8)
    return build_student(config, Signature(inputs, outputs, 9))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.tensor([97.7, 1.0], dtype=torch.float64), "torch.float64 where tokens"),
        (torch.tensor([1.0, 1.0]), "torch.float32 where tokens"),
        (torch.tensor([1, 2], dtype=torch.uint8), "torch.uint8 where tokens"),
        (torch.tensor([True, False]), "torch.bool where tokens"),
        (torch.tensor([1, 5]), "tokens from 1 to 5 where 0 to 4"),
        (torch.tensor([-1, 2]), "tokens from -1 to 2"),
        (torch.tensor([1, 2, 3]), r"shape \[3, 1\] were given for 2 memories"),
        (torch.tensor(1), r"shape \[1\] were given"),
        (torch.tensor([[1], [2]]), r"shape \[2, 1, 1\] were given"),
    ],
)
def test_tokens_that_are_none_are_refused(engine, x, message):
    stream = Stream(small(), engine(small()))
    with pytest.raises(UsageError, match=message):
        stream.step(stream.start(2), x)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e300])
def test_numbers_that_are_not_finite_are_refused_and_the_stream_goes_on(engine, bad):
    student = small(Vectors(2), Vectors(2))
    stream = Stream(student, engine(student))
    m = stream.start(2)
    x = torch.tensor([[0.0, 1.0], [bad, 0.0]], dtype=torch.float64)
    for call in (lambda: stream.step(m, x), lambda: stream.feed(m, x[:, None])):
        with pytest.raises(UsageError, match="hold NaN, infinity or numbers beyond"):
            call()
    assert m.isfinite().all()


@pytest.mark.parametrize("engine", ENGINES)
def test_bad_memories_are_refused(engine):
    student = small()
    stream, x = Stream(student, engine(student)), torch.tensor([1, 2])
    m = stream.start(2)
    m[1, 0, 0] = math.nan
    calls = (
        lambda m: stream.step(m, x),
        lambda m: stream.feed(m, x[:, None]),
        lambda m: stream.generate(m, 3, torch.Generator()),
    )
    for call in calls:
        with pytest.raises(UsageError, match="memory holds NaN"):
            call(m)
        with pytest.raises(UsageError, match=r"shape \[2, 2, 6\] was given; give \[B, 1, 6"):
            call(torch.cat([m, m], 1))
    assert stream.reset(m, torch.tensor([False, True])).isfinite().all()


def test_scored_outputs_are_checked_where_they_count():
    stream, x = Stream(small()), torch.tensor([[1, 2, 3]])
    with pytest.raises(UsageError, match="Outputs hold tokens from 0 to 7"):
        stream.score(x, torch.tensor([[0, 1, 7]]))
    mask = torch.tensor([[True, True, False]])
    found = stream.score(x, torch.tensor([[0, 1, -100]]), mask)
    assert torch.equal(found, stream.score(x, torch.tensor([[0, 1, 0]]), mask))
    with pytest.raises(UsageError, match="one output, and one value of the mask, a step"):
        stream.score(x, torch.tensor([[0, 1]]))


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64])
def test_whole_numbers_are_converted(dtype):
    stream = Stream(small())
    x = torch.tensor([[1, 4, 0]])
    found, expected = (stream.feed(stream.start(1), one) for one in (x.to(dtype), x))
    assert torch.equal(found[0], expected[0])


def test_memories_and_numbers_are_converted():
    stream = Stream(small(Vectors(2), Vectors(2)))
    x = torch.tensor([[1.0, 2.0]])
    expected = stream.step(stream.start(1), x)
    for given in (x.double(), x.long(), x.half()):
        found = stream.step(stream.start(1).double(), given)
        assert torch.equal(found[0], expected[0])
        assert found[0].dtype == torch.float32


def test_what_comes_out_are_plain_tensors():
    stream = Stream(small(Vectors(2), Vectors(2)))
    x = torch.randn(2, 3, 2)
    m = stream.start(2)
    outs = [m, *stream.step(m, x[:, 0]), *stream.feed(m, x), *stream.generate(m, 2, gen())]
    outs += [stream.score(x, x), stream.reset(m, torch.tensor([True, False]))]
    for out in outs:
        out[0] = out[1]
        (out * torch.ones(1, requires_grad=True)).sum().backward()


def gen() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("kind", [Tokens(5), Vectors(2)])
def test_a_generator_may_be_of_another_device(kind):
    found = noise(kind, (3,), gen(), torch.zeros((), device="meta"))
    assert found.device.type == "meta"


class Bad(Source):
    """A source of someone's own, whose batches hold what the network can't read."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, signature: Signature) -> None:
        super().__init__("bad", signature, SymbolCodec(5))
        self.given = Batch(x, y, torch.ones(x.shape[:2], dtype=torch.bool))

    def batch(self, seed, index, size):
        return self.given

    def held_out(self, split, size, limit):
        yield self.given

    def references(self):
        return {}

    def describe(self):
        return {}


def bad_sources():
    tokens = Signature(Tokens(5), Tokens(5), 3)
    vectors = Signature(Vectors(2), Vectors(2), 3)
    good, wrong = torch.zeros(4, 3, dtype=torch.long), torch.full((4, 3), 7)
    fine, nan = torch.zeros(4, 3, 2), torch.full((4, 3, 2), math.nan)
    yield Bad(wrong, good, tokens), "Inputs of the data hold tokens from 7 to 7"
    yield Bad(good, wrong, tokens), "Outputs of the data hold tokens"
    yield Bad(good.double(), good, tokens), "Inputs of the data are torch.float64"
    yield Bad(nan, fine, vectors), "Inputs of the data hold NaN"
    yield Bad(fine, nan, vectors), "Outputs of the data hold NaN"


@pytest.mark.parametrize(("source", "message"), list(bad_sources()))
def test_data_that_a_network_cannot_read_is_refused_in_training_and_evaluation(source, message):
    student = small(source.signature.inputs, source.signature.outputs)
    with pytest.raises(UsageError, match=message):
        evaluate(student, None, source)
    with pytest.raises(UsageError, match=message):
        fit(bptt(student), source, 1e-3, Budget(steps=2))


def test_an_estimator_refuses_numbers_beyond_its_precision():
    X = np.random.default_rng(0).normal(size=(12, 4, 2))
    model = SequenceClassifier(steps=1, random_state=0).fit(X, np.arange(12) % 2)
    X[3, 2, 1] = 1e300
    with pytest.raises(ValueError, match="or numbers beyond"):
        model.predict(X)
    with pytest.raises(UsageError, match="or numbers beyond"):
        model.stream().push(X[3, 2])


def test_each_student_loaded_with_one_builder_has_its_own_module(tmp_path):
    module = torch.nn.GRUCell(4, 6)
    builder, signature = wrap(module), Signature(Tokens(5), Tokens(5), 9)
    config = StudentConfig(cell="own", slots=1, width=6, embed=4, hidden=8)
    for number in (1, 2):
        student = Student(signature, builder(MemoryShape(1, 6), 4), 8)
        with torch.no_grad():
            for parameter in student.parameters():
                parameter.fill_(float(number))
        save_student(tmp_path / f"{number}.safetensors", student, config, SymbolCodec(5))
    first, _ = load_student(tmp_path / "1.safetensors", builder)
    load_student(tmp_path / "2.safetensors", builder)
    assert all((parameter == 1).all() for parameter in first.parameters())
    assert not any((parameter == 1).all() for parameter in module.parameters())
