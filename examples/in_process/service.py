"""A FastAPI service whose tools may be called by those whom the policy lets.

SARK_SIDECAR_CONFIG=sidecar.yaml uvicorn --factory service:service
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse

from sark_sidecar.in_process import BusyError, Decision, DecisionError, DecisionPoint


async def call_allowed(
    request: Request, tool: str, parameters: dict[str, Any], user: Annotated[str, Header()], tenant: Annotated[str, Header()]
) -> Decision:
    """Return the decision that allows this call; 403 when it does not. Who the user is must have been proven before."""
    point: DecisionPoint = request.app.state.point
    question = {
        "user": {"id": user, "tenant": tenant, "roles": ["developer"]},
        "action": "invoke",
        "tool": {"name": tool, "tenant": tenant},
        "parameters": parameters,
    }
    decision = await point.decide_async(question)
    if not decision.allow:
        raise HTTPException(403, decision.reason)
    return decision


def service(point: DecisionPoint | None = None) -> FastAPI:
    """Return the application; its decision point lives as long as it does."""
    point = point or DecisionPoint(path="mcp/gateway/decision")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with point:
            app.state.point = point
            yield

    app = FastAPI(lifespan=lifespan)

    @app.exception_handler(DecisionError)
    async def no_decision(_: Request, error: DecisionError) -> JSONResponse:
        """No decision is no permission."""
        busy = isinstance(error, BusyError)
        return JSONResponse({"detail": "no decision"}, 503 if busy else 500, headers={"Retry-After": "1"} if busy else None)

    @app.post("/tools/{tool}")
    async def call(tool: str, decision: Annotated[Decision, Depends(call_allowed)]) -> dict[str, Any]:
        """Call a tool with the parameters that the policy lets through."""
        return {"tool": tool, "called_with": decision.filtered_parameters}

    return app
