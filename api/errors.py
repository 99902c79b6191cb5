"""Errors on the wire: `{"code", "message"}` with the status that fits, and nothing of our insides; to a browser, a page.

RudderStack's client sends a 400 of another shape again for ever, so the shape is a promise.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from api.page import lost, reads_pages
from engine.errors import Conflict, EngineError, Gone, Invalid, NotFound

__all__ = ["RESPONSES", "ApiError", "ErrorBody", "also", "answer", "install"]

log = logging.getLogger("parcours.api")

_SHOWN = 80


class ErrorBody(BaseModel):
    """Every error has this shape."""

    code: str = Field(description="For programs: stable, snake_case", examples=["journey_not_found"])
    message: str = Field(description="For people: what was wrong, with which value, and the way out")


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": description}
    for status, description in {
        400: "The request can't be read",
        401: "No key, or one that is not valid",
        403: "The key lacks the scope",
        404: "There is no such thing",
        409: "It can't be done now, for what somebody else did",
        413: "The body is too large",
        429: "The key calls too often: try again after Retry-After",
        422: "A value can't be used; the message names the field",
        500: "A fault of ours",
        503: "The database can't be reached: try again",
    }.items()
}


_SELDOM: Mapping[int, str] = {
    406: "It came before",
    410: "It was there, and is no more",
    415: "The content's type is not read here",
}


def also(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a call that may answer by 406, 410 or 415 besides."""
    return {status: {"model": ErrorBody, "description": _SELDOM[status]} for status in statuses}


class ApiError(Exception):
    """An error on its way to the wire."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


def answer(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response of an error."""
    return JSONResponse({"code": code, "message": message}, status, headers)


def install(app: FastAPI) -> None:
    """Make every error of the app one of ours."""

    @app.exception_handler(ApiError)
    def ours(request: Request, error: ApiError) -> Response:  # pyright: ignore[reportUnusedFunction]
        return _said(request, error.status, error.code, error.message, error.headers)

    @app.exception_handler(EngineError)
    def engines(request: Request, error: EngineError) -> Response:  # pyright: ignore[reportUnusedFunction]
        return _said(request, _status(error), error.code, error.message)

    @app.exception_handler(HTTPException)
    def frameworks(request: Request, error: HTTPException) -> Response:  # pyright: ignore[reportUnusedFunction]
        code, message = _explained(request, error)
        return _said(request, error.status_code, code, message, error.headers)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:  # pyright: ignore[reportUnusedFunction]
        first = error.errors()[0]
        more = len(error.errors()) - 1
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "json_invalid":
            return _said(
                request, 400, "bad_json", f"the body is not JSON: {first.get('ctx', {}).get('error', first['msg'])}"
            )
        value = "" if first["type"] == "missing" else f" (got {_shown(first.get('input'))})"
        others = f"; and {more} more" if more else ""
        return _said(request, 422, "invalid_value", f"{where}: {first['msg']}{value}{others}")

    @app.exception_handler(DataError)
    def unfit(request: Request, error: DataError) -> Response:  # pyright: ignore[reportUnusedFunction]
        log.warning("a value that the database refused at %s: %s", request.url.path, error.orig)
        return _said(request, 422, "invalid_value", "a value of the request is one that the database can't hold")

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    def unreachable(request: Request, error: Exception) -> Response:  # pyright: ignore[reportUnusedFunction]
        log.error("the database failed at %s", request.url.path, exc_info=error)
        return _said(
            request, 503, "database_unavailable", "the database can't be reached; try again", {"Retry-After": "5"}
        )

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> Response:  # pyright: ignore[reportUnusedFunction]
        log.error("unforeseen at %s %s", request.method, request.url.path, exc_info=error)
        return _said(request, 500, "internal_error", "something went wrong on our side; the log has it")


def _said(request: Request, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """A page for who looks at it in a browser, such as a customer with half a link; else JSON."""
    if status < 400 or not reads_pages(request):
        return answer(status, code, message, headers)
    shown = lost(request, status, message)
    shown.headers.update(headers or {})
    return shown


def _status(error: EngineError) -> int:
    match error:
        case NotFound():
            return 404
        case Conflict():
            return 409
        case Gone():
            return 410
        case Invalid():
            return 422
        case _:
            return 400


def _explained(request: Request, error: HTTPException) -> tuple[str, str]:
    path = request.url.path
    match error.status_code:
        case 404:
            return "not_found", f"there is nothing at {path}"
        case 405:
            allowed = (error.headers or {}).get("Allow", "")
            return "method_not_allowed", f"{path} does not take {request.method}; it takes {allowed}"
        case _:
            return HTTPStatus(error.status_code).phrase.lower().replace(" ", "_"), str(error.detail)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
