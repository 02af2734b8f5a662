"""The server over HTTP: sessions, events, completions, limits; many, slow and broken clients."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import torch
from in_thread import COUNT, LETTERS, running, served, small

from pastforward.cells import StudentConfig
from pastforward.cli.main import main
from pastforward.serving.requests import Limits
from pastforward.student_file import save_student

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def text():
    with running(served("text")) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def events(answer: httpx.Response) -> list[dict]:
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line[6:] for line in answer.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def begin(client: httpx.Client, **body) -> str:
    answer = client.post("/api/sessions", json=body)
    assert answer.status_code == 201
    return answer.json()["session"]


def greedy(prompt: str, count: int) -> str:
    student, x = small("text"), LETTERS.encode(prompt)
    with torch.inference_mode():
        m = student(torch.tensor([x]))[1] if x else student.start(1)
        for _ in range(count):
            y = student.readout(m).argmax(-1)
            m = student.step(m, y)
            x.append(int(y))
    return LETTERS.decode(x)[len(prompt) :]


def test_the_page_and_the_facts(text):
    page = text.get("/")
    assert "Text writes itself" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert "http" not in page.text + text.get("/page.css").text + text.get("/views.js").text
    facts = text.get("/api/facts").json()
    assert facts["view"] == "text"
    assert facts["state_bytes"] == 2 * 8 * 4
    assert facts["microseconds"] > 0


def test_a_session_keeps_its_memory(text):
    name = begin(text)
    assert text.post(f"/api/sessions/{name}/read", json={"text": "he"}).json()["steps"] == 2
    text.post(f"/api/sessions/{name}/read", json={"text": "llo"})
    body = {"count": 5, "temperature": 0}
    found = [
        "".join(e["text"] for e in events(text.post(f"/api/sessions/{name}/draw", json=body)))
        for _ in range(2)
    ]
    assert "".join(found) == greedy("hello", 10)
    assert text.delete(f"/api/sessions/{name}").status_code == 204
    assert text.post(f"/api/sessions/{name}/read", json={"text": "h"}).status_code == 404


def test_completions_are_those_of_the_student(text):
    body = {"prompt": "hello", "max_tokens": 8, "temperature": 0}
    found = text.post("/v1/completions", json=body).json()
    assert found["choices"][0]["text"] == greedy("hello", 8)
    assert found["choices"][0]["finish_reason"] == "length"
    assert found["usage"] == {"prompt_tokens": 5, "completion_tokens": 8, "total_tokens": 13}
    parts = events(text.post("/v1/completions", json=body | {"stream": True, "echo": True}))
    assert "".join(p["choices"][0]["text"] for p in parts) == "hello" + greedy("hello", 8)
    assert [p["choices"][0]["finish_reason"] for p in parts].count(None) == len(parts) - 1
    assert len({p["id"] for p in parts}) == 1
    stop = greedy("hello", 8)[3]
    cut = text.post("/v1/completions", json=body | {"stop": stop}).json()["choices"][0]
    assert cut["text"] == greedy("hello", 8).partition(stop)[0]
    assert cut["finish_reason"] == "stop"
    streamed = events(text.post("/v1/completions", json=body | {"stop": stop, "stream": True}))
    assert streamed[-1]["choices"][0]["finish_reason"] == "stop"
    assert text.get("/v1/models").json()["data"][0]["id"] == "text"


def test_the_same_seed_writes_the_same(text):
    body = {"prompt": "", "max_tokens": 40, "seed": 5}
    first, again, other = (
        text.post("/v1/completions", json=body | more).json()["choices"][0]["text"]
        for more in ({}, {}, {"seed": 6})
    )
    assert first == again != other


REFUSED = [
    ("GET", "/nowhere", None, 404, "There is no GET /nowhere"),
    ("GET", "/v1/completions", None, 404, "There is no GET"),
    ("POST", "/api/sessions/none/read", {"text": "a"}, 404, "no such session"),
    ("POST", "/v1/completions", {"model": "other"}, 404, "the one here is 'text'"),
    ("POST", "/v1/completions", {"prompt": ["a"]}, 400, "give one string"),
    ("POST", "/v1/completions", {"prompt": "xyz"}, 400, "did not"),
    ("POST", "/v1/completions", {"n": 2}, 400, "'n' can only be 1"),
    ("POST", "/v1/completions", {"stop": 3}, 400, "'stop' is no string"),
    ("POST", "/v1/completions", {"max_tokens": 0}, 400, "from 1 to 4096"),
    ("POST", "/v1/completions", {"max_tokens": 4096, "prompt": "he"}, 400, "4,098 tokens"),
    ("POST", "/v1/completions", {"temperature": -1}, 400, "'temperature' is -1"),
    ("POST", "/v1/completions", {"top_p": 0}, 400, "top_p"),
    ("POST", "/v1/completions", "text", 400, "a JSON str"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "said"), REFUSED)
def test_refusals_are_one_sentence(text, method, path, body, status, said):
    found = text.request(method, path, json=body)
    assert found.status_code == status
    error = found.json()["error"]
    assert said in error["message"]
    assert error["type"] == "invalid_request_error"
    assert "\n" not in error["message"]


def test_bodies_are_limited(text):
    big = text.post("/v1/completions", content=b" " * 70_000, headers=JSON)
    assert big.status_code == 413
    chunked = text.post("/v1/completions", content=(b" " * 1000 for _ in range(70)), headers=JSON)
    assert chunked.status_code == 413
    for content, said in ((b"{", "no JSON"), (b"[" * 30_000, "no JSON"), (b"\xff", "no JSON")):
        answer = text.post("/v1/completions", content=content, headers=JSON)
        assert answer.status_code == 400
        assert said in answer.json()["error"]["message"]
    form = text.post("/v1/completions", data={"prompt": "a"})
    assert "application/json" in form.json()["error"]["message"]
    foreign = text.get("/api/facts", headers={"Host": "evil.example"})
    assert foreign.status_code == 400


@contextmanager
def client_of(kind: str, limits: Limits | None = None) -> Iterator[httpx.Client]:
    with running(served(kind), limits) as at, httpx.Client(base_url=at, timeout=60) as client:
        yield client


def test_sessions_and_work_are_limited():
    limits = Limits(sessions=2, at_once=1, tokens=50, body_seconds=0.3)
    with client_of("text", limits) as client:
        names = [begin(client) for _ in range(2)]
        assert client.post("/api/sessions", json={}).status_code == 429
        _slow_body_is_refused(str(client.base_url))
        path = f"/api/sessions/{names[0]}/read"
        assert client.post(path, json={"text": "a" * 51}).status_code == 400
        assert client.post(path, json={"text": ""}).status_code == 400
        for body in ({"count": 40, "paths": 2, "keep": False}, {"count": 2, "paths": 2}):
            assert client.post(f"/api/sessions/{names[0]}/draw", json=body).status_code == 400


def _slow_body_is_refused(address: str) -> None:
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as slow:
        slow.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert slow.recv(200).startswith(b"HTTP/1.1 400")


def test_too_much_at_once_is_refused_and_a_client_that_left_frees_its_place():
    endless = {"max_tokens": 10**6 - 1, "stream": True}
    with client_of("text", Limits(at_once=1, tokens=10**6)) as client:
        with client.stream("POST", "/v1/completions", json=endless) as answer:
            lines = answer.iter_lines()  # kept: an iterator that is dropped ends the stream
            assert next(lines).startswith("data: ")
            refused = client.post("/v1/completions", json={})
            assert refused.status_code == 503
            assert "try again" in refused.json()["error"]["message"]
            assert client.get("/api/facts").status_code == 200
        until = time.monotonic() + 30
        while client.post("/v1/completions", json={}).status_code == 503:
            assert time.monotonic() < until
            time.sleep(0.05)


CLIENTS = 64


def test_many_clients_at_once_among_slow_and_broken_ones():
    expected = {n: greedy("hello"[: 1 + n % 5], 20) for n in range(5)}

    async def all_of_them(address: str) -> list[str]:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits) as client:

            async def one(n: int) -> str:
                body = {"prompt": "hello"[: 1 + n % 5], "max_tokens": 20, "temperature": 0}
                found = []
                async with client.stream(
                    "POST", "/v1/completions", json=body | {"stream": True}
                ) as a:
                    async for line in a.aiter_lines():
                        if line.startswith("data: {"):
                            found.append(json.loads(line[6:])["choices"][0]["text"])
                return "".join(found)

            async def broken() -> None:
                body = {"prompt": "h", "max_tokens": 4000, "stream": True}
                async with client.stream("POST", "/v1/completions", json=body) as answer:
                    async for _ in answer.aiter_lines():
                        break

            async def slow() -> None:
                body = {"prompt": "h", "max_tokens": 300, "stream": True}
                async with client.stream("POST", "/v1/completions", json=body) as answer:
                    async for _ in answer.aiter_lines():
                        await asyncio.sleep(0.002)

            await asyncio.gather(*(broken() for _ in range(8)))
            late = [asyncio.create_task(slow()) for _ in range(4)]
            found = await asyncio.gather(*(one(n) for n in range(CLIENTS)))
            await asyncio.gather(*late)
            return found

    with running(served("text")) as address:
        found = asyncio.run(all_of_them(address))
        assert found == [expected[n % 5] for n in range(CLIENTS)]


def test_images_and_series_go_on_by_several_paths():
    body = {"count": 6, "paths": 3, "keep": False, "temperature": 1}
    with client_of("image") as client:
        name = begin(client, seed=1)
        client.post(f"/api/sessions/{name}/read", json={"x": [0, 1, 2]})
        found = events(client.post(f"/api/sessions/{name}/draw", json=body))
        assert [len(e["y"]) for e in found] == [3] * 6
        assert client.post("/v1/completions", json={}).status_code == 404
    with client_of("series") as client:
        name = begin(client, example=2)
        assert client.post(f"/api/sessions/{name}/read", json={"x": [[1.0]]}).status_code == 400
        found = events(client.post(f"/api/sessions/{name}/draw", json=body))
        assert [len(path) for path in found[0]["y"]] == [2] * 3
        for wrong in ({"count": 81, "keep": False}, {"count": 2}):
            assert client.post(f"/api/sessions/{name}/draw", json=wrong).status_code == 400
        assert client.post("/api/sessions", json={"example": 3}).status_code == 400


def test_text_ends_where_its_document_does():
    what = served("documents")
    with torch.no_grad():
        what.student.readout.net.down.bias[-1] = 100.0  # the end of a document, always
    with running(what) as at, httpx.Client(base_url=at, timeout=60) as client:
        found = client.post("/v1/completions", json={"prompt": "he"}).json()
        assert found["choices"][0]["text"] == ""
        assert found["choices"][0]["finish_reason"] == "stop"
        drawn = events(client.post(f"/api/sessions/{begin(client)}/draw", json={"count": 9}))
        assert [(event["text"], event["end"]) for event in drawn] == [("", True)]


def test_a_classifier_answers_after_every_step():
    with client_of("judge") as client:
        name = begin(client)
        found = client.post(f"/api/sessions/{name}/read", json={"text": "hello"}).json()
        expected = small("judge")(torch.tensor([LETTERS.encode("hello")]))[0][0].softmax(-1)
        torch.testing.assert_close(torch.tensor(found["answers"]), expected.detach())
        assert client.post(f"/api/sessions/{name}/draw", json={}).status_code == 400


def test_the_command(tmp_path):
    path = tmp_path / "student.safetensors"
    save_student(path, small("text"), StudentConfig("gru", 2, 8, 4, 8), LETTERS)
    words = [sys.executable, "-m", "pastforward", "serve", str(path), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        address = server.stdout.readline().split()[1]
        facts = httpx.get(f"{address}api/facts", timeout=60).json()
        assert facts["name"] == "student"
        assert facts["parameters"] > COUNT
        server.send_signal(signal.SIGINT)
        assert server.stdout.read() == "Stopped.\n"
    assert server.returncode == 0


def test_a_port_in_use_is_told(tmp_path, capsys):
    path = tmp_path / "student.safetensors"
    save_student(path, small("text"), StudentConfig("gru", 2, 8, 4, 8), LETTERS)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", str(path), "--port", port]) == 2
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port} can't be served on" in said
    assert said.count("\n") == 1
