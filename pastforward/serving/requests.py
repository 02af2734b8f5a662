"""L6. Bodies of requests, their limits, and refusals: a status and one sentence."""

import asyncio
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from pastforward.errors import UsageError, at_least


@dataclass(frozen=True)
class Limits:
    """What a server gives at most."""

    sessions: int = 256
    """Sessions at once."""
    idle: float = 600.0
    """Seconds that a session is kept without being used."""
    bytes: int = 65_536
    """Of a request's body."""
    tokens: int = 4_096
    """Steps that a request reads and draws, over all its paths."""
    at_once: int = 128
    """Requests that are worked on at a time."""
    body_seconds: float = 10.0
    """Until a body must be there."""

    def __post_init__(self) -> None:
        at_least(self, "", 1, "sessions", "bytes", "tokens", "at_once")
        at_least(self, "", 0, "idle", "body_seconds")


class Refusal(Exception):
    """A request that is not served: a status of HTTP and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


async def broken(request: Request, error: Exception) -> JSONResponse:
    """The answer where the fault is ours; the server's console shows what it was."""
    sentence = f"This is a fault of the server ({type(error).__name__}); its console says more."
    return JSONResponse(error_content(500, sentence), 500)


def error_content(status: int, sentence: str) -> dict[str, Any]:
    """As OpenAI's servers say it."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": sentence, "type": kind, "code": status}}


async def refused(request: Request, error: Exception) -> JSONResponse:
    """The answer to a refused request."""
    status = error.status if isinstance(error, Refusal) else 400
    return JSONResponse(error_content(status, str(error)), status)


async def body_of(request: Request, limits: Limits) -> "Body":
    """The JSON object of a request; refused where it is too large, too slow or no such object."""
    if int(request.headers.get("content-length") or 0) > limits.bytes:
        raise _too_large(limits)
    content = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                content += part
                if len(content) > limits.bytes:
                    raise _too_large(limits)
    except (TimeoutError, ClientDisconnect) as error:
        raise Refusal(
            400, f"The body was not there after {limits.body_seconds:g} s; send it at once."
        ) from error
    try:
        found = json.loads(content or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"The body is no JSON ({error}); send a JSON object.") from error
    if not isinstance(found, dict):
        raise Refusal(400, f"The body is a JSON {type(found).__name__}; send a JSON object.")
    return Body(found)


def _too_large(limits: Limits) -> Refusal:
    return Refusal(413, f"The body is larger than {limits.bytes:,} bytes; send less at once.")


class Body:
    """Fields of a JSON object, each of a kind and a range."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`; `default` where it is missing or null."""
        value = self.content.get(name)
        value = default if value is None else value
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not (math.isfinite(value) and low <= value <= high):
            raise Refusal(
                400,
                f"'{name}' is {json.dumps(value)[:80]}; give a number from {low:g} to {high:g}.",
            )
        return float(value)

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.number(name, default, low, high)
        if value != int(value):
            raise Refusal(400, f"'{name}' is {value:g}; give a whole number.")
        return int(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self.content.get(name)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise Refusal(400, f"'{name}' is {json.dumps(value)[:80]}; give true or false.")
        return value

    def text(self, name: str, default: str) -> str:
        """Text."""
        value = self.content.get(name)
        value = default if value is None else value
        if not isinstance(value, str):
            raise Refusal(400, f"'{name}' is {json.dumps(value)[:80]}; give one string.")
        return value


REFUSALS: dict[Any, Any] = {Refusal: refused, UsageError: refused, Exception: broken}
"""For Starlette: what is said of each."""
