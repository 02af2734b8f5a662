"""Text that comes in whole characters, stops, sessions, and batches beside single sequences."""

import asyncio

import numpy as np
import pytest
import torch
from in_thread import KINDS, LETTERS, served, small

from pastforward.data.text_codec import TextCodec
from pastforward.errors import UsageError
from pastforward.inference.forecast import stream_paths
from pastforward.inference.sampling import Sampling
from pastforward.serving.batching import CHUNK, Batcher, Write
from pastforward.serving.requests import Body, Limits, Refusal
from pastforward.serving.sessions import Session, Sessions
from pastforward.serving.stretches import Rows
from pastforward.serving.text import Pieces, Stops


def test_characters_come_whole():
    pieces = Pieces(TextCodec())
    found = [pieces.add(symbol) for symbol in "a\u20ac\U0001f600b".encode()]
    assert found == ["a", "", "", "\u20ac", "", "", "", "\U0001f600", "b"]
    broken = [pieces.add(symbol) for symbol in b"\xe2\x82z"]
    assert "".join(broken) == "\ufffdz"
    assert Pieces(LETTERS).add(2) == "a"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["he", "llo", " wor", "ld"], "hello"),
        (["hello ", "x"], "hello x"),
        (["hello w", "o"], "hello"),
        (["hello "], "hello "),
        (["END"], ""),
    ],
)
def test_stops_hold_back_what_could_begin_one(parts, expected):
    stops, found = Stops([" wo", "END"]), ""
    for part in parts:
        found += stops.add(part)
        assert expected.startswith(found)
    assert found + stops.rest() == expected
    assert stops.reached == (expected in ("hello", ""))


def session() -> Session:
    return Session(torch.zeros(1, 2, 8), None, torch.Generator())


def test_sessions_end_when_idle_or_too_many():
    sessions = Sessions(Limits(sessions=2, idle=50))
    first, second = session(), session()
    for one in (first, second):
        sessions.add(one)
    with pytest.raises(Refusal, match="All 2 sessions") as refusal:
        sessions.add(session())
    assert refusal.value.status == 429
    first.used -= 51
    with sessions.working(second.name):
        second.used -= 51
        sessions.add(session())
        with pytest.raises(Refusal, match="at work"), sessions.working(second.name):
            pass
    assert len(sessions) == 2
    with pytest.raises(Refusal, match="no such session"), sessions.working(first.name):
        pass
    sessions.drop(second.name)
    with pytest.raises(Refusal) as refusal:
        sessions.drop(second.name)
    assert refusal.value.status == 404


def test_sequences_stepped_together_are_those_stepped_alone():
    student, kind = small("text"), KINDS["text"][0].inputs
    counts = [1, CHUNK, CHUNK + 5, 5, 2 * CHUNK]
    xs = [torch.randint(kind.size, (1, count)) for count in counts]

    async def all_of_them():
        batcher = Batcher(student)
        m = student.start(1).detach()
        found = await asyncio.gather(*(batcher.read(m, x) for x in xs))
        drawn = await asyncio.gather(*(
            batcher.do(Write(one.m, torch.Generator().manual_seed(n), Sampling(0.0)))
            for n, one in enumerate(found)
        ))  # fmt: skip
        batcher.close()
        return found, drawn, batcher.largest

    found, drawn, largest = asyncio.run(all_of_them())
    assert largest == len(counts)
    for x, one, y in zip(xs, found, drawn, strict=True):
        with torch.no_grad():
            parameters, m = student(x)
            torch.testing.assert_close(one.found, parameters, rtol=0, atol=1e-5)
            torch.testing.assert_close(one.m, m, rtol=0, atol=1e-5)
            expected = student.readout(m).argmax(-1)
            assert y.found.tolist() == expected.tolist()
            torch.testing.assert_close(y.m, student.step(m, expected), rtol=0, atol=1e-5)


def test_a_broken_network_is_told_of():
    student = small("text")
    with torch.no_grad():
        student.readout.net.down.bias.fill_(torch.nan)

    async def one():
        batcher = Batcher(student)
        try:
            job = Write(student.start(1).detach(), torch.Generator(), Sampling())
            await batcher.do(job)
        finally:
            batcher.close()

    with pytest.raises(UsageError, match="NaN"):
        asyncio.run(one())


BAD = {"number": "x", "whole": 1.5, "flag": 1, "text": 7}


def test_fields_are_checked():
    for kind, value in BAD.items():
        body = Body({"a": value})
        given = {"number": (1, 0, 9), "whole": (1, 0, 9), "flag": (True,), "text": ("",)}[kind]
        with pytest.raises(Refusal, match="'a' is"):
            getattr(body, kind)("a", *given)
        assert getattr(Body({"a": None}), kind)("a", *given) == given[0]
    with pytest.raises(Refusal, match="from 0 to 9"):
        Body({"a": 10}).whole("a", 1, 0, 9)
    with pytest.raises(UsageError, match="--idle is -1"):
        Limits(idle=-1)


def test_inputs_and_answers_are_in_the_units_of_the_data():
    labels, number = served("labels"), served("number")
    torch.testing.assert_close(labels.inputs([[10.5, -1.0]]), torch.tensor([[[1.0, 1.0]]]))
    assert number.answers(torch.tensor([[1.0, 0.0]])) == [[110.0]]
    assert sum(labels.answers(torch.tensor([[1.0, 2.0, 3.0]]))[0]) == pytest.approx(1.0)


def test_rows_are_drawn_as_forecasts_are():
    student, stretch = small("series"), served("series").stretches[1]
    generator = torch.Generator().manual_seed(3)
    expected = stream_paths(student, stretch.codec, stretch.history, 6, 2, generator)[0]
    rows, found = Rows(stretch, 2), []

    async def draw():
        batcher = Batcher(student)
        m = (await batcher.read(student.start(1).detach(), stretch.inputs())).m.expand(2, -1, -1)
        again = torch.Generator().manual_seed(3)
        for _ in range(6):
            m = (await batcher.do(Write(m, again, Sampling(), rows.feed))).m
            found.append(rows.last())
        batcher.close()

    asyncio.run(draw())
    mean, std = stretch.codec.scale("", np.zeros((1, 2)))
    np.testing.assert_allclose(np.array(found), expected.swapaxes(0, 1) * std + mean, atol=1e-4)


WRONG = {
    "are no|is no list": ("text", [0.5]),
    "where 0 to 11": ("text", [12]),
    "hold": ("text", "xyz"),
    "Text was given": ("labels", "3"),
    "give 2": ("labels", [[1.0]]),
    "no numbers": ("labels", [["a", "b"]]),
    "NaN": ("labels", [[float("nan"), 1.0]]),
    "no list": ("text", None),
}


@pytest.mark.parametrize("said", WRONG)
def test_wrong_inputs_are_refused(said):
    kind, given = WRONG[said]
    with pytest.raises(UsageError, match=said):
        served(kind).inputs(given)
