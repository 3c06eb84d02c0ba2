"""The examples of docs/in-process.md, with a real OPA and Redis."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import httpx
import pytest

from sark_e2e.opa import OpaServer
from sark_e2e.program import ROOT

from .test_in_process import MOVED, PATH, QUESTION, Make, make

__all__ = ["make"]
pytestmark = pytest.mark.asyncio


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / "in_process" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def client(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as made:
        yield made


async def application(scope: Any, receive: Any, send: Any) -> None:
    decision = scope["state"]["decision"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(decision.reason).encode()})


@pytest.mark.parametrize("percentage", [0, 100])
async def test_the_middleware_lets_through_what_is_allowed(make: Make, opa: OpaServer, percentage: int) -> None:
    question = {**QUESTION}
    async with make(feature_flags={**MOVED, "rollout_percentage": percentage}, cache={"backend": "rust"}) as point:
        app = example("middleware").Authorization(application, point, lambda _: question)
        async with client(app) as web:
            answer = await web.get("/")
            assert (answer.status_code, answer.text) == (200, "granted to platform_admin")
            question["tool"] = {"name": "no_such_tool", "tenant": "acme"}
            answer = await web.get("/")
            assert (answer.status_code, answer.text) == (403, "unknown tool no_such_tool")
            # Without a decision nobody is let through, nor with a question that is none.
            question["tool"] = object()
            assert (await web.get("/")).status_code == 500
            if percentage == 0:
                opa.stop()
                question["tool"] = QUESTION["tool"]
                assert (await web.get("/")).status_code in {500, 503}
        assert await refused_websocket(app)


async def refused_websocket(app: Any) -> bool:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await app({"type": "websocket", "path": "/"}, receive, send)
    return [message["type"] for message in sent] == ["websocket.close"]


async def test_the_fastapi_service_calls_tools_with_filtered_parameters(make: Make, opa: OpaServer) -> None:
    point = make(feature_flags={"rollout_percentage": 0})
    app = example("service").service(point)
    headers = {"user": "user-00001", "tenant": "acme"}
    async with app.router.lifespan_context(app), client(app) as web:
        answer = await web.post("/tools/read_ticket", json={}, headers=headers)
        expected = point.decide(
            {"user": {"id": "user-00001", "tenant": "acme", "roles": ["developer"]}, "action": "invoke"}
            | {"tool": {"name": "read_ticket", "tenant": "acme"}, "parameters": {}},
            path=PATH,
        )
        assert expected.allow
        assert (answer.status_code, answer.json()) == (
            200,
            {"tool": "read_ticket", "called_with": expected.filtered_parameters},
        )
        answer = await web.post("/tools/format_disk", json={}, headers=headers)
        assert answer.status_code == 403
        opa.stop()
        answer = await web.post("/tools/read_ticket", json={"ticket": "another"}, headers=headers)
        assert answer.status_code in {500, 503}
    assert not point.is_open
