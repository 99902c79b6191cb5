"""The API's reference as a page, made from the OpenAPI document: without scripts, and with nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from api.page import page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    summary: str
    paragraphs: tuple[str, ...]
    parameters: tuple[tuple[str, str, str], ...]
    """Name, where it stands, what it means."""
    fields: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str], ...]


@router.head("/docs", response_class=Response)
@router.get("/docs", response_class=Response)
def docs(request: Request) -> Response:
    """Every call with its parameters, its body's fields and its answers."""
    document: dict[str, Any] = request.app.openapi()
    tags = [(tag["name"], tag["description"], list(_calls(document, tag["name"]))) for tag in document["tags"]]
    about = [part for part in document["info"]["description"].split("\n\n") if part.strip()]
    return page("docs.html", language="en", title=document["info"]["title"], about=about, tags=tags)


def _calls(document: dict[str, Any], tag: str) -> Iterator[_Call]:
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            if tag in call.get("tags", ()):
                yield _Call(
                    method.upper(),
                    path,
                    call.get("summary", ""),
                    tuple(call.get("description", "").split("\n\n")),
                    tuple(
                        (each["name"], each["in"], each.get("description", "")) for each in call.get("parameters", ())
                    ),
                    tuple(_fields(document, call)),
                    tuple((status, each["description"]) for status, each in sorted(call["responses"].items())),
                )


def _fields(document: dict[str, Any], call: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for content in call.get("requestBody", {}).get("content", {}).values():
        schema: dict[str, Any] = content.get("schema", {})
        for option in (schema, *schema.get("anyOf", ())):
            name = option.get("$ref", "").rpartition("/")[2]
            shape: dict[str, Any] = document["components"]["schemas"].get(name, {})
            for field, about in shape.get("properties", {}).items():
                needed = "" if field not in shape.get("required", ()) else "required. "
                yield field, needed + about.get("description", "")
