"""`python -m sark_e2e.embedding_application HOST PORT`: a service with a decision point inside, for a fleet without sidecars.

It hands out its decisions in the form of OPA's REST API, so that the same load can be put on it as on a sidecar.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator

from aiohttp import web

from sark_sidecar.in_process import BusyError, DecisionError, DecisionPoint, QuestionError

_POINT = web.AppKey("point", DecisionPoint)


async def _lives(app: web.Application) -> AsyncIterator[None]:
    # SARK_SIDECAR_CONFIG names its configuration, as it would a sidecar's.
    async with DecisionPoint() as point:
        app[_POINT] = point
        yield


async def _decide(request: web.Request) -> web.Response:
    members = await request.json()
    try:
        decision = await request.app[_POINT].decide_async(members["input"], path=request.match_info["path"])
    except QuestionError as error:
        return web.json_response({"code": "invalid_parameter", "message": str(error)}, status=400)
    except BusyError as error:
        return web.json_response({"code": "internal_error", "message": str(error)}, status=503)
    except DecisionError as error:
        return web.json_response({"code": "internal_error", "message": str(error)}, status=500)
    return web.json_response({"result": decision.result} if decision.is_defined else {})


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    host, port = arguments
    app = web.Application()
    app.cleanup_ctx.append(_lives)
    app.add_routes([web.post("/v1/data/{path:.+}", _decide)])
    web.run_app(app, host=host, port=int(port), access_log=None, print=None, shutdown_timeout=3)


if __name__ == "__main__":
    main(sys.argv[1:])
