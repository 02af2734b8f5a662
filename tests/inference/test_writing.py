"""Text as it is drawn: whole characters, ends of documents, texts to stop at."""

import sys

import pytest
import torch

from pastforward.cells import StudentConfig
from pastforward.data.codec import TextCodec
from pastforward.errors import UsageError
from pastforward.inference.stream import Stream
from pastforward.inference.writing import continue_text, stream_text, until
from pastforward.runs.generating import Drawing, given_prompt
from pastforward.student import build_student
from pastforward.types import Signature, Tokens


def says(symbols):
    """A stream whose student draws these symbols, and a list of those that it drew."""
    stream, drawn = Stream.__new__(Stream), []

    def generate(m, count, generator, sampling):
        assert count == 1
        drawn.append(symbols[len(drawn)])
        return torch.tensor([drawn[-1:]]), m

    stream.generate, stream.require_feedback = generate, lambda count, sampling: None
    stream.start, stream.feed = lambda count: torch.zeros(count, 1, 1), lambda m, x: (m, None)
    return stream, drawn


def streamed(codec, symbols):
    stream, drawn = says(symbols)
    found = list(stream_text(stream, codec, "x", len(symbols), torch.Generator()))
    return found, len(drawn)


def test_a_character_is_written_once_all_its_bytes_are_there():
    text = "aé東😀b"
    found, _ = streamed(TextCodec(), list(text.encode()))
    assert found == list(text)
    found, _ = streamed(TextCodec(), [*"é".encode()[:1], ord("a"), 0xE6])
    assert found == ["\ufffda", "\ufffd"]


def test_the_end_of_a_document_ends_the_text():
    codec = TextCodec("abx", "<end>")
    found, calls = streamed(codec, [0, 1, codec.end, 0, 0])
    assert found == ["a", "b"]
    assert calls == 3


def test_text_comes_as_it_is_drawn():
    stream, drawn = says(list(b"abc"))
    words = stream_text(stream, TextCodec(), "x", 3, torch.Generator())
    assert (next(words), len(drawn)) == ("a", 1)


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (("\n\n",), "one two\nthree"),
        (("three", "two"), "one "),
        (("never",), "one two\nthree\n\nfour"),
        ((), "one two\nthree\n\nfour"),
        (("o",), ""),
        (("four!",), "one two\nthree\n\nfour"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_stops_however_the_text_is_cut(stop, expected, size):
    text = "one two\nthree\n\nfour"
    parts = [text[i : i + size] for i in range(0, len(text), size)]
    assert "".join(until(iter(parts), stop)) == expected


def test_what_no_stop_begins_with_does_not_wait():
    assert list(until(iter(["ab", "c\n", "d", "\n", "\n", "e"]), ("\n\n",))) == [
        "ab", "c", "\nd",
    ]  # fmt: skip


def test_symbols_drawn_one_by_one_are_those_drawn_at_once():
    signature = Signature(Tokens(256), Tokens(256), 8)
    torch.manual_seed(0)
    stream = Stream(build_student(StudentConfig(slots=2, width=8), signature))
    text = continue_text(stream, TextCodec(), "ab", 30, torch.Generator().manual_seed(3))
    m, _ = stream.feed(stream.start(1), torch.tensor([[97, 98]]))
    y = stream.generate(m, 30, torch.Generator().manual_seed(3)).y
    assert text == TextCodec().decode(y[0].tolist())


def test_prompts(monkeypatch):
    from io import StringIO

    monkeypatch.setattr(sys, "stdin", StringIO("Once\nupon\n"))
    assert given_prompt("-") == "Once\nupon"
    assert (given_prompt("x"), given_prompt(None)) == ("x", None)
    with pytest.raises(UsageError, match="--stop was given nothing"):
        Drawing(stop=("",))
