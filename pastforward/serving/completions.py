"""L6. Text by the interface of OpenAI's completions, whole or as events."""

import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import torch

from pastforward.inference.sampling import Sampling
from pastforward.serving.batching import Batcher, Write
from pastforward.serving.requests import Body, Limits, Refusal
from pastforward.serving.served import TEXT, Served
from pastforward.serving.text import Stops

_MOST_STOPS = 4
_ALIKE = {"n": 1, "best_of": 1, "presence_penalty": 0, "frequency_penalty": 0}
"""Fields that are known, with the one value that is served."""


@dataclass(frozen=True)
class Asked:
    """One completion."""

    prompt: str
    most: int
    sampling: Sampling
    generator: torch.Generator
    stops: tuple[str, ...]
    echo: bool
    streamed: bool


def asked(body: Body, served: Served, limits: Limits) -> Asked:
    """What a body asks for; refused for another model, and what isn't served."""
    if served.view != TEXT:
        raise Refusal(404, f"'{served.name}' writes no text; its page is at /.")
    model = body.text("model", served.name)
    if model != served.name:
        raise Refusal(404, f"There is no model '{model[:80]}'; the one here is '{served.name}'.")
    for name, value in _ALIKE.items():
        if body.content.get(name) not in (None, value):
            raise Refusal(400, f"'{name}' can only be {value}; leave it out.")
    return Asked(
        body.text("prompt", ""),
        body.whole("max_tokens", 16, 1, limits.tokens),
        sampling_of(body),
        generator_of(body),
        _stops(body.content.get("stop")),
        body.flag("echo"),
        body.flag("stream"),
    )


def sampling_of(body: Body) -> Sampling:
    """Temperature, top_k and top_p."""
    top_k = body.whole("top_k", 0, 0, 2**31)
    top_p = body.number("top_p", 1.0, 0.0, 1.0)
    return Sampling(body.number("temperature", 1.0, 0.0, 100.0), top_k or None,
                    None if top_p == 1.0 else top_p)  # fmt: skip


def generator_of(body: Body) -> torch.Generator:
    """By the seed given, else by chance."""
    return torch.Generator().manual_seed(body.whole("seed", secrets.randbits(48), 0, 2**63))


@dataclass
class Completion:
    """One that is being written."""

    served: Served
    asked: Asked
    tokens: int = 0
    finish: str | None = None

    def __post_init__(self) -> None:
        self.name, self.created = f"cmpl-{secrets.token_hex(12)}", int(time.time())
        self._x = self.served.inputs(self.asked.prompt)

    def require_fit(self, limits: Limits) -> None:
        """Refused where prompt and answer are too long together."""
        total = self._x.shape[1] + self.asked.most
        if total > limits.tokens:
            raise Refusal(
                400,
                f"Prompt and 'max_tokens' are {total:,} tokens; give {limits.tokens:,} at most.",
            )

    async def write(self, batcher: Batcher) -> AsyncIterator[str]:
        """Text as it comes, at least once: with nothing where there is nothing."""
        asked, pieces, stops = self.asked, self.served.pieces(), Stops(self.asked.stops)
        assert pieces is not None
        m = self.served.student.start(1).detach()
        if self._x.shape[1]:
            m = (await batcher.read(m, self._x)).m
        yield asked.prompt if asked.echo else ""
        while self.finish is None:
            m, y, _ = await batcher.do(Write(m, asked.generator, asked.sampling))
            self.tokens += 1
            text = stops.add(pieces.add(int(y)))
            if stops.reached or int(y) == pieces.end:
                self.finish, text = "stop", text + stops.rest()
            elif self.tokens == asked.most:
                self.finish, text = "length", text + stops.rest()
            if text or self.finish:
                yield text

    def content(self, text: str) -> dict[str, Any]:
        """As OpenAI's servers say it, of a part or of the whole."""
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": self.finish}
        return {
            "id": self.name, "object": "text_completion", "created": self.created,
            "model": self.served.name, "choices": [choice],
        }  # fmt: skip

    def usage(self) -> dict[str, int]:
        """Tokens read and written."""
        read = self._x.shape[1]
        return {
            "prompt_tokens": read, "completion_tokens": self.tokens,
            "total_tokens": read + self.tokens,
        }  # fmt: skip


def models(served: Served) -> dict[str, Any]:
    """The one model."""
    one = {"id": served.name, "object": "model", "created": 0, "owned_by": "pastforward"}
    return {"object": "list", "data": [one]}


def _stops(given: Any) -> tuple[str, ...]:
    strings = [given] if isinstance(given, str) else given or []
    good = isinstance(strings, list) and all(isinstance(s, str) for s in strings)
    if not good or len(strings) > _MOST_STOPS:
        raise Refusal(400, f"'stop' is no string and no list of up to {_MOST_STOPS}; give one.")
    return tuple(strings)
