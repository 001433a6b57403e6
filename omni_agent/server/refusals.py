"""Saying no, in the shape OpenAI's clients read."""

from __future__ import annotations

import math

from starlette.responses import JSONResponse
from starlette.types import Scope

from omni_agent.errors import SignallingError
from omni_agent.utf8 import whole

_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
BUSY_S = 2.0
"""When to come back to a server that is starting or full, seconds."""


def is_deaf(scope: Scope) -> bool:
    """Whether it is a WebSocket that can only be closed: some servers cannot answer one in HTTP."""
    answerable = "websocket.http.response" in (scope.get("extensions") or {})
    return scope["type"] == "websocket" and not answerable


class Refused(SignallingError):
    """A request that is answered with an error. wait_s: when it may be tried again."""

    def __init__(self, status: int, reason: str, wait_s: float | None = None) -> None:
        self.wait_s = wait_s
        super().__init__(status, whole(reason))

    def response(self) -> JSONResponse:
        status, wait_s = self.status, self.wait_s
        kind = _KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
        if status == 503 and wait_s is None:
            wait_s = BUSY_S
        headers = {"Retry-After": str(math.ceil(wait_s))} if wait_s is not None else {}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        body = {"error": {"type": kind, "code": None, "message": str(self), "param": None}}
        return JSONResponse(body, status, headers)
