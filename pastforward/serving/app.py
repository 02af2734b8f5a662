"""L6. Routes, and the server: one process, one student.

GET  /                               the page
GET  /api/facts                      what is served
POST /api/sessions                   {}                          -> {"session", "state_bytes"}
POST /api/sessions/{session}/read    {"text"} or {"x"}           -> {"answers", "microseconds"}
POST /api/sessions/{session}/draw    {"count", "paths", "keep"}  -> events {"text"} or {"y"}
DELETE /api/sessions/{session}
GET  /v1/models                      as OpenAI's servers have them
POST /v1/completions
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pastforward.files import json_text
from pastforward.serving.batching import Batcher
from pastforward.serving.completions import Completion, asked, generator_of, models, sampling_of
from pastforward.serving.drawing import Drawing, drawn
from pastforward.serving.requests import REFUSALS, Limits, Refusal, body_of, error_content
from pastforward.serving.served import Served
from pastforward.serving.sessions import Session, Sessions

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_FILES = {"": ("page.html", "text/html"), "page.js": ("page.js", "text/javascript"),
          "page.css": ("page.css", "text/css")}  # fmt: skip
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def application(served: Served, limits: Limits, host: str = LOOPBACK[0]) -> Starlette:
    """The application; on a loopback address it answers to names of that alone."""
    server = _Server(served, limits)
    names = [*LOOPBACK, "[::1]"] if host in LOOPBACK else ["*"]

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        yield
        server.batcher.close()

    post, delete = ["POST"], ["DELETE"]
    routes = [
        *(Route(f"/{name}", _file(*file)) for name, file in _FILES.items()),
        Route("/api/facts", server.facts),
        Route("/api/sessions", server.begin, methods=post),
        Route("/api/sessions/{session}", server.end, methods=delete),
        Route("/api/sessions/{session}/read", server.read, methods=post),
        Route("/api/sessions/{session}/draw", server.draw, methods=post),
        Route("/v1/models", server.models),
        Route("/v1/completions", server.complete, methods=post),
    ]
    # Other sites' pages could else reach a loopback server by a name of their own.
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=names)
    handlers = REFUSALS | {HTTPException: _unknown}
    return Starlette(routes=routes, middleware=[guard], exception_handlers=handlers, lifespan=life)


@final
class _Server:
    def __init__(self, served: Served, limits: Limits) -> None:
        self.served, self.limits = served, limits
        self.sessions, self.batcher = Sessions(limits), Batcher(served.student)
        self.about = served.facts() | {"limits": {"tokens": limits.tokens}}
        self._at_work = 0

    async def facts(self, request: Request) -> Response:
        return _json(self.about | {"sessions": len(self.sessions)})

    async def begin(self, request: Request) -> Response:
        body = await self._body(request)
        m = self.served.student.start(1).detach()
        session = Session(m, self.served.pieces(), generator_of(body))
        self.sessions.add(session)
        with self.sessions.working(session.name):
            x = self.served.begin()
            if x.shape[1]:
                session.m = (await self.batcher.read(session.m, x)).m
        size = session.m.numel() * session.m.element_size()
        return _json({"session": session.name, "state_bytes": size}, 201)

    async def end(self, request: Request) -> Response:
        self.sessions.drop(request.path_params["session"])
        return Response(status_code=204)

    async def read(self, request: Request) -> Response:
        body = await self._body(request)
        with self.sessions.working(request.path_params["session"]) as session, self._slot():
            x = self.served.inputs(body.content.get("text", body.content.get("x")))
            if not 0 < x.shape[1] <= self.limits.tokens:
                raise Refusal(
                    400, f"{x.shape[1]} steps were given; give 1 to {self.limits.tokens:,}."
                )
            found = await self.batcher.read(session.m, x)
            session.m, session.steps = found.m, session.steps + x.shape[1]
            answers = self.served.answers(found.found[0])
        return _json({
            "answers": answers, "steps": session.steps, "microseconds": 1e6 * found.seconds
        })  # fmt: skip

    async def draw(self, request: Request) -> Response:
        body = await self._body(request)
        drawing = Drawing(
            body.whole("count", 1, 1, self.limits.tokens),
            body.whole("paths", 1, 1, 256),
            body.flag("keep", True),
            sampling_of(body),
        )
        drawing.require(self.served, self.limits)
        name = request.path_params["session"]

        async def events() -> AsyncIterator[dict[str, Any]]:
            with self.sessions.working(name) as session, self._slot():
                async for event in drawn(self.served, self.batcher, session, drawing):
                    yield event

        return await _streamed(events())

    async def models(self, request: Request) -> Response:
        return _json(models(self.served))

    async def complete(self, request: Request) -> Response:
        body = await self._body(request)
        completion = Completion(self.served, asked(body, self.served, self.limits))
        completion.require_fit(self.limits)

        async def events() -> AsyncIterator[dict[str, Any]]:
            with self._slot():
                async for text in completion.write(self.batcher):
                    yield completion.content(text)

        if completion.asked.streamed:
            return await _streamed(events())
        found = [event["choices"][0]["text"] async for event in events()]
        return _json(completion.content("".join(found)) | {"usage": completion.usage()})

    async def _body(self, request: Request) -> Any:
        # A page of another site can send a form, but no JSON, without asking first.
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise Refusal(
                400, "The body is not marked as JSON; send Content-Type application/json."
            )
        return await body_of(request, self.limits)

    def _slot(self) -> "_Slot":
        if self._at_work >= self.limits.at_once:
            raise Refusal(
                503, f"{self._at_work} requests are being worked on; try again in a moment."
            )
        return _Slot(self._count)

    def _count(self, more: int) -> None:
        self._at_work += more


class _Slot:
    """One of the requests that are worked on."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count

    def __enter__(self) -> None:
        self._count(1)

    def __exit__(self, *error: object) -> None:
        self._count(-1)


async def _streamed(events: AsyncIterator[dict[str, Any]]) -> Response:
    """Events as they come. The first is waited for: what is refused has a status of its own."""
    first = await anext(events)

    async def lines() -> AsyncIterator[str]:
        yield _event(first)
        try:
            async for event in events:
                yield _event(event)
        except (Refusal, ValueError) as error:
            yield _event(error_content(500, str(error)))
        yield "data: [DONE]\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream", headers=_HEADERS)


def _event(content: dict[str, Any]) -> str:
    return f"data: {json_text(content)}\n\n"


def _json(content: Any, status: int = 200) -> Response:
    return Response(json_text(content), status, _HEADERS, "application/json")


def _file(name: str, kind: str) -> Callable[[Request], Response]:
    content = files("pastforward.serving").joinpath("page", name).read_bytes()

    def answer(request: Request) -> Response:
        return Response(content, headers=_HEADERS, media_type=kind)

    return answer


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code in (404, 405):
        sentence = f"There is no {request.method} {request.url.path[:80]}; the page is at /."
        return JSONResponse(error_content(404, sentence), 404)
    return JSONResponse(error_content(error.status_code, error.detail), error.status_code)
