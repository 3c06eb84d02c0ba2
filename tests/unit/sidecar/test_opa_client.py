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
