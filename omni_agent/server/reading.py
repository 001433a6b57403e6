"""What strangers send, read within bounds."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from omni_agent.errors import ProtocolError
from omni_agent.server.limits import Limits
from omni_agent.server.refusals import Refused

M = TypeVar("M", bound=BaseModel)

MAX_FORM_PARTS = 8
"""Of a multipart form."""


def parse_object(text: str | bytes, depth: int) -> dict[str, Any]:
    """A JSON object, nested no deeper than that. Raises ProtocolError."""
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {str(error)[:200]}") from error
    if not isinstance(value, dict):
        raise ProtocolError("expected a JSON object")
    if _is_deeper(value, depth):
        raise ProtocolError(f"nested more than {depth} deep")
    return value


def _finite(number: str) -> float:
    """No NaN and no infinity, which JSON has no words for. Raises ValueError."""
    if math.isfinite(value := float(number)):
        return value
    raise ValueError(f"{number[:20]} is no number")


def _is_deeper(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def validate(model: type[M], value: Any, what: str) -> M:
    """Raises ProtocolError naming the first wrong field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:200]
        raise ProtocolError(f"{what}: {where}: {first['msg']}", field=where) from error


async def read_body(request: Request, limits: Limits) -> bytes:
    """All of it. Raises Refused for one that is too large or too slow."""
    most, body = limits.requests.body_bytes, bytearray()
    try:
        async with asyncio.timeout(limits.connections.request_s):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise Refused(413, f"the request is larger than {most // 1024} KB")
    except TimeoutError as error:
        raise Refused(408, "the request took too long to arrive") from error
    return bytes(body)


async def read_form(request: Request, body: bytes, *names: str) -> dict[str, str]:
    """Those parts of a multipart form that are there. Raises ProtocolError."""
    _, options = parse_options_header(request.headers.get("content-type", ""))
    if options.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
        raise ProtocolError("the form is not UTF-8")  # of Python's codecs, some take for ever

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        parser = MultiPartParser(
            request.headers, whole(), max_files=MAX_FORM_PARTS, max_fields=MAX_FORM_PARTS
        )
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise ProtocolError(f"the form cannot be read: {str(error)[:200]}") from error
    parts: dict[str, str] = {}
    try:
        for name in names:
            part = form.get(name)
            if part is not None:
                raw = await part.read() if isinstance(part, UploadFile) else part
                parts[name] = raw if isinstance(raw, str) else _text(name, raw)
    finally:
        await form.close()
    return parts


def _text(name: str, part: bytes) -> str:
    try:
        return part.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"{name} is not UTF-8 text: {error}", field=name) from error
