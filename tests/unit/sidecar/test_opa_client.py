"""What the client of OPA does not do for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sark_sidecar import exact_json
from sark_sidecar.opa.client import OpaFailure, OpaServer
from sark_sidecar.opa.question import MOST_READ_BYTES, parse_question
from sark_sidecar.settings import OpaSettings


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_no_answer(status: int):
    # Given something in front of OPA that sends everybody elsewhere, where a question without its body is allowed
    async def elsewhere(request: web.Request) -> web.Response:
        if request.path.startswith("/there"):
            return web.json_response({"result": not await request.read()})
        return web.Response(status=status, headers={"Location": f"/there{request.path}"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", elsewhere)
    async with TestServer(app) as server:
        settings = OpaSettings(url=str(server.make_url("/")))
        async with OpaServer(settings, max_decision_bytes=1000) as opa:
            # Then nobody follows: the decision would be about no input at all
            with pytest.raises(OpaFailure, match=f"OPA answered {status}"):
                await opa.decide(parse_question("authz/allow", b'{"input":{"blocked":true}}', ""))
            with pytest.raises(OpaFailure, match=f"OPA answered {status}"):
                await opa.modules()


DEEP = 300
A_QUESTION = parse_question("authz/allow", b'{"input":{}}', "")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "is_outage"),
    [
        (b'{"result":' + b'{"request":' * DEEP + b"1" + b"}" * DEEP + b"}\n", False),
        (b'{"result":' + b"[" * 2000 + b"]" * 2000 + b"}\n", False),
        (b'{"result":' + b"[" * 1000 + b"12.50" + b"]" * 1000 + b"}\n", False),
        (b'{"result":1e999}\n', False),
        (b'{"result":' + b"[" * DEEP + b'"' + b"x" * 20_000 + b'"' + b"]" * DEEP + b"}\n", False),
        (b'{"result":["' + b"x" * 20_000 + b'",1e999]}\n', False),
        (b"<html>moved</html>", True),
        (b"", True),
        (b'"ok"', True),
    ],
    ids=[
        "deep",
        "too deep to be read",
        "deep with long numbers",
        "too large a number",
        "large and deep",
        "large with such a number",
        "HTML",
        "empty",
        "text",
    ],
)
async def test_a_decision_that_cannot_be_handed_on_is_no_outage_of_opa(body: bytes, is_outage: bool):
    # Given an OPA that answers 200 with a body of which no decision comes
    async def decide(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/data/authz/allow", decide)
    async with TestServer(app) as server:
        settings = OpaSettings(url=str(server.make_url("/")))
        async with OpaServer(settings, max_decision_bytes=100_000) as opa:
            # When it is asked, then that speaks of OPA only when the body is none of OPA's
            with pytest.raises(OpaFailure) as failure:
                await opa.decide(A_QUESTION)
    assert failure.value.kind == "evaluation"
    assert failure.value.is_outage is is_outage


FILL = b'"' + b"x" * MOST_READ_BYTES + b'"'
WITHOUT_INPUT = b',"warning":{"code":"api_usage_warning","message":"\'input\' key missing from the request"}}\n'


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("around", "result", "handed_on", "outcome"),
    [
        ((b'{"result":', b"}\n"), b'{"allow":true,"b":12.50,"a":' + FILL + b"}", None, "allow"),
        ((b'{"decision_id":"4ca6","result":', b"}"), b'{"allow":false,"b":1e1,"a":' + FILL + b"}", None, "deny"),
        ((b'{"result":', WITHOUT_INPUT), b'{"allow":true,"b":12.50,"a":' + FILL + b"}", None, "allow"),
        # With more in the answer than its result, or written otherwise, it is read as a small one.
        ((b'{"result":', b',"x":1}'), b'{"b":12.50,"a":' + FILL + b"}", b'{"a":' + FILL + b',"b":12.50}', "deny"),
        ((b'{"result":', b',"result":true}'), b'{"b":1,"allow":true,"a":' + FILL + b"}", b"true", "allow"),
        ((b'{ "result":', b"}"), b"[1e1," + FILL + b"]", b"[1e1," + FILL + b"]", "deny"),
    ],
    ids=["result", "decision id", "no input", "another member", "two results", "white space"],
)
async def test_the_result_of_a_large_answer_stays_as_opa_wrote_it(
    around: tuple[bytes, bytes], result: bytes, handed_on: bytes | None, outcome: str, monkeypatch: pytest.MonkeyPatch
):
    # Given an OPA whose answer is large
    async def decide(_: web.Request) -> web.Response:
        return web.Response(body=around[0] + result + around[1], content_type="application/json")

    read: list[int] = []
    loads = exact_json.loads
    monkeypatch.setattr(exact_json, "loads", lambda text: (read.append(len(text)), loads(text))[1])
    app = web.Application()
    app.router.add_post("/v1/data/authz/allow", decide)
    async with (
        TestServer(app) as server,
        OpaServer(OpaSettings(url=str(server.make_url("/"))), max_decision_bytes=100_000) as opa,
    ):
        # When it decides, then every digit is there, and the slow way was only taken where it had to be
        decided = await opa.decide(A_QUESTION)
    assert decided.body == b'{"result":' + (handed_on or result) + b"}\n"
    assert (decided.outcome, decided.keep) == (outcome, True)
    assert bool(read) is (handed_on is not None)


@asynccontextmanager
async def opa_that_answers(status: int, body: bytes, *, most: int = 1000) -> AsyncIterator[OpaServer]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with (
        TestServer(app) as server,
        OpaServer(OpaSettings(url=str(server.make_url("/"))), max_decision_bytes=most) as opa,
    ):
        yield opa


@pytest.mark.asyncio
async def test_a_path_without_a_value_is_undefined_and_one_of_null_is_a_denial():
    async with opa_that_answers(200, b"{}\n") as opa:
        undefined = await opa.decide(A_QUESTION)
    assert (undefined.body, undefined.outcome, undefined.keep) == (b"{}\n", "undefined", False)
    async with opa_that_answers(200, b'{"result":null}\n') as opa:
        null = await opa.decide(A_QUESTION)
    assert (null.body, null.outcome) == (b'{"result":null}\n', "deny")


@pytest.mark.asyncio
@pytest.mark.parametrize("fill", [b"", FILL[1:-1]], ids=["small", "large"])
async def test_an_answer_with_an_explanation_is_handed_on_as_it_is_and_not_kept(fill: bytes):
    body = b'{"explanation":["' + fill + b'"],"result":true}\n'
    async with opa_that_answers(200, body, most=100_000) as opa:
        decided = await opa.decide(parse_question("authz/allow", b'{"input":{}}', "explain=full"))
    assert (decided.body, decided.outcome, decided.keep) == (body, "allow", False)


@pytest.mark.asyncio
async def test_a_question_that_opa_refuses_is_an_error_whatever_the_body_says():
    async with opa_that_answers(400, b'{"result":true}') as opa:
        refused = await opa.decide(A_QUESTION)
    assert (refused.status, refused.outcome, refused.keep) == (400, "error", False)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "body", "is_outage"),
    [
        (500, b'{"code":"internal_error","message":"disk"}', True),
        (500, b'{"code":"internal_error","message":"conflict","errors":[]}', False),
        (401, b'{"code":"unauthorized"}', False),
        (404, b"not here", False),
        (200, b'{"result":"' + b"x" * 1000 + b'"}', False),
    ],
    ids=["OPA fails", "the question fails", "refused", "not found", "too long"],
)
async def test_only_a_server_that_fails_is_an_outage(status: int, body: bytes, is_outage: bool):
    async with opa_that_answers(status, body) as opa:
        with pytest.raises(OpaFailure) as failure:
            await opa.decide(A_QUESTION)
    assert failure.value.is_outage is is_outage


@pytest.mark.asyncio
@pytest.mark.parametrize("value", [b"false", b"0", b"null", b"{}", b"[]", b'""'])
async def test_a_document_that_is_empty_is_one(value: bytes):
    async with opa_that_answers(200, b'{"result":' + value + b"}") as opa:
        assert await opa.documents([("limits",)]) == [(("limits",), exact_json.loads(value))]
    async with opa_that_answers(200, b"{}") as opa:
        assert await opa.documents([("limits",)]) == []
