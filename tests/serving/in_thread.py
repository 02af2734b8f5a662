"""Small students, and a server of one in a thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from pastforward.cells import StudentConfig
from pastforward.data.codec import Codec, LabelCodec, PixelCodec, SeriesCodec, SymbolCodec
from pastforward.data.series import SeriesSource
from pastforward.data.text_codec import TextCodec
from pastforward.serving.app import application
from pastforward.serving.requests import Limits
from pastforward.serving.running import bound, server_of
from pastforward.serving.served import Served
from pastforward.serving.stretches import stretches
from pastforward.student import Student, build_student
from pastforward.types import Signature, Tokens, Vectors

LETTERS = TextCodec("\n abcdehlorw")
DOCUMENTS = TextCodec(LETTERS.characters, "")
SERIES = SeriesCodec(("north", "east"), (10.0, -3.0), (0.5, 2.0))
COUNT = len(LETTERS.characters or "")
WALK = SeriesSource(
    "walk", np.random.default_rng(0).normal(size=(300, 2)).cumsum(0), ("north", "east"), 9
)
KINDS: dict[str, tuple[Signature, Codec]] = {
    "text": (Signature(Tokens(COUNT), Tokens(COUNT), 9), LETTERS),
    "bytes": (Signature(Tokens(256), Tokens(256), 9), TextCodec()),
    "documents": (Signature(Tokens(COUNT + 1), Tokens(COUNT + 1), 9), DOCUMENTS),
    "symbols": (Signature(Tokens(5), Tokens(5), 9), SymbolCodec(5)),
    "image": (Signature(Tokens(5), Tokens(4), 9), PixelCodec(3, 3, 4)),
    "series": (WALK.signature, WALK.codec),
    "labels": (Signature(Vectors(2), Tokens(3), 9), LabelCodec(SERIES, ("x", "y", "z"))),
    "judge": (Signature(Tokens(COUNT), Tokens(2), 9), LabelCodec(LETTERS, ("no", "yes"))),
    "number": (
        Signature(Vectors(2), Vectors(1), 9), LabelCodec(SERIES, (), (100.0,), (10.0,))
    ),
}  # fmt: skip
EXAMPLES = {
    "number": ({"x": [[10.0, -3.0], [11.0, -2.0]], "truth": [101.0]},),
    "text": ({"text": "hello"},),
    "image": ({"x": [0, 1, 2, 3, 2, 1, 0, 1, 2]}, {"x": [3] * 9}),
    "labels": ({"x": [[10.0, -3.0], [11.0, -2.0], [9.0, -1.0]], "truth": "y"},),
    "judge": ({"text": "hello", "truth": "yes"},),
}


def small(kind: str) -> Student:
    torch.manual_seed(0)
    student = build_student(StudentConfig("gru", 2, 8, 4, 8), KINDS[kind][0]).eval()
    for weights in student.parameters():
        nn.init.normal_(weights, std=0.5)
    return student


def served(kind: str) -> Served:
    known = tuple(stretches(WALK, 3)) if kind == "series" else ()
    examples = tuple({"x": one.rows()} for one in known) or EXAMPLES.get(kind, ())
    return Served(kind, small(kind), KINDS[kind][1], examples, known)


@contextmanager
def running(what: Served, limits: Limits | None = None) -> Iterator[str]:
    """The address of a server of it."""
    with bound("127.0.0.1", 0) as place:
        server = server_of(application(what, limits or Limits()))
        thread = threading.Thread(target=server.run, args=([place],))
        thread.start()
        try:
            until = time.monotonic() + 60
            while not server.started and time.monotonic() < until:
                time.sleep(0.01)
            assert server.started
            yield f"http://127.0.0.1:{place.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
