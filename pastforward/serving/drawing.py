"""L6. A session goes on by itself: text, pixels or rows, drawn step by step, on one or more paths."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from pastforward.inference.sampling import Sampling
from pastforward.serving.batching import Batcher, Write
from pastforward.serving.requests import Limits, Refusal
from pastforward.serving.served import LABELS, Served
from pastforward.serving.sessions import Session


@dataclass(frozen=True)
class Drawing:
    """What is drawn."""

    count: int
    """Steps."""
    paths: int
    """Ways on from the same memory."""
    keep: bool
    """Shall the session be where the first path ends?"""
    sampling: Sampling

    def require(self, served: Served, limits: Limits) -> None:
        """Refused where it is too much, or where nothing can be drawn."""
        if served.view == LABELS:
            raise Refusal(400, f"'{served.name}' answers, and draws nothing; read steps instead.")
        if self.count * self.paths > limits.tokens:
            raise Refusal(
                400,
                f"{self.count:,} steps on {self.paths} paths were asked for; ask for "
                f"{limits.tokens:,} steps in all at most.",
            )
        if self.keep and self.paths > 1:
            raise Refusal(
                400, "One memory is kept, of one path; ask for one, or set keep to false."
            )


async def drawn(
    served: Served, batcher: Batcher, session: Session, drawing: Drawing
) -> AsyncIterator[dict[str, Any]]:
    """An event a step; text is given once its characters are whole."""
    m = session.m.expand(drawing.paths, -1, -1)
    pieces = session.pieces if drawing.keep else served.pieces()
    for step in range(1, drawing.count + 1):
        found = await batcher.do(Write(m, session.generator, drawing.sampling))
        m = found.m
        if drawing.keep:
            session.m, session.steps = m, session.steps + 1
        event = {"step": step, "microseconds": 1e6 * found.seconds}
        if pieces is not None and drawing.paths == 1:
            event["text"] = pieces.add(int(found.found))
        else:
            event["y"] = served.outputs(found.found)
        yield event
