"""What the client of OPA does not do for it."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sark_sidecar.opa.client import OpaFailure, OpaServer
from sark_sidecar.opa.question import parse_question
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
        (b"<html>moved</html>", True),
        (b"", True),
        (b'"ok"', True),
    ],
    ids=["deep", "too deep to be read", "deep with long numbers", "too large a number", "HTML", "empty", "text"],
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
