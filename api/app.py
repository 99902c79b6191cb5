"""The API: one FastAPI app over a database and its settings."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.auth import Need
from api.errors import RESPONSES, install
from api.intake import Intake
from api.routes import (
    agent,
    answers,
    call_leases,
    call_queues,
    call_results,
    call_stream,
    call_tasks,
    cloudevents,
    customers,
    docs,
    email,
    feeds,
    health,
    ingest,
    journeys,
    knobs,
    letters,
    links,
    media,
    messages,
    offers,
    preview,
    print_runs,
    segment_feeds,
    shares,
    sink,
    sms,
    sms_generic,
    suppressions,
    webhooks,
)
from api.state import State
from engine.db import Database
from engine.keys import SCOPES
from engine.mail.desk import Desk
from engine.settings import Settings

__all__ = ["create_app"]

_ABOUT = """
Parcours runs customer journeys. Events come in as Segment's and RudderStack's clients send them; the call center works on
tasks; operators read and steer journeys.

**Keys** go as `Authorization: Bearer KEY`, or as Basic with the key as user name. Each opens scopes: {scopes}.

**Errors** are always `{{"code", "message"}}`: the code is stable and for programs, the message says what was wrong, with
which value, and the way out.

**Times** are ISO 8601 with a zone, in journey time; leases are wall-clock time.
"""
_ROUTERS = tuple(
    module.router
    for module in (
        ingest,
        cloudevents,
        answers,
        customers,
        suppressions,
        journeys,
        call_stream,
        call_results,
        call_tasks,  # after the two: its last path takes any name
        call_leases,
        call_queues,
        webhooks,
        knobs,
        shares,
        offers,
        messages,
        links,
        print_runs,
        media,
        letters,
        segment_feeds,
        feeds,
        sms,
        sms_generic,
        health,
        docs,
        sink,
        agent,
        email,
        preview,
    )
)
_TAGS = {
    "events": "What happened: in, in the form of Segment's and RudderStack's clients; and out.",
    "customers": "Customers, their consents, their paths, their feeds.",
    "journeys": "Published journeys: books, picture, switch, entry, report.",
    "offers": "What customers may be offered.",
    "call tasks": "The call center's tasks.",
    "webhooks": "Subscriptions to what happens to call tasks, and what was delivered.",
    "messages": "What was sent, or not, and why.",
    "links": "What customers press; the token is signed, no key is needed.",
    "letters": "Print runs and letters; and answers to them, for which no key is needed.",
    "feeds": "Personal and segment feeds, whose addresses are the secret; and feeds of others that are read.",
    "sms": "Webhooks of the SMS gateway; they are signed.",
    "e-mail": "Webhooks of e-mail providers; they are signed.",
    "health": "For load balancers.",
}


def create_app(settings: Settings, database: Database) -> FastAPI:
    """The app over this database, which is migrated already."""
    app = FastAPI(
        title="Parcours",
        version="1",
        description=_ABOUT.format(scopes="; ".join(f"`{name}` ({what})" for name, what in SCOPES.items())),
        openapi_tags=[{"name": name, "description": what} for name, what in _TAGS.items()],
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        responses={status: RESPONSES[status] for status in (400, 404, 413, 422, 500, 503)},
        redirect_slashes=False,
    )
    app.state.parcours = State.of(settings, database)
    app.state.email = Desk.of(settings)
    app.add_middleware(Intake)
    install(app)
    for router in _ROUTERS:
        app.include_router(router)
    app.add_api_route("/pages.css", _css, include_in_schema=False)
    _describe(app)
    return app


def _css() -> Response:
    sheet = (files("api") / "pages" / "pages.css").read_text(encoding="utf-8")
    return Response(sheet, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


def _describe(app: FastAPI) -> None:
    """Say in the OpenAPI document which key each call needs, and which errors that brings."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        made = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            tags=app.openapi_tags,
            routes=app.routes,
        )
        schemes = made.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["key"] = {"type": "http", "scheme": "bearer", "description": "The key"}
        schemes["basic"] = {"type": "http", "scheme": "basic", "description": "The key as user name, no password"}
        for route in (route for router in _ROUTERS for route in router.routes):
            scope = _scope(route) if isinstance(route, APIRoute) else None
            if not isinstance(route, APIRoute) or scope is None or not route.include_in_schema:
                continue
            for method in route.methods or ():
                call = made["paths"][route.path_format][method.lower()]
                call["security"] = [{"key": [scope]}, {"basic": [scope]}]
                call["description"] = f"{call.get('description', '')}\n\nNeeds the scope `{scope}`."
                shape = call["responses"]["404"]["content"]
                for status in (401, 403, 429):
                    call["responses"][str(status)] = {"description": RESPONSES[status]["description"], "content": shape}
        app.openapi_schema = made
        return made

    app.openapi = document  # FastAPI's own way to extend the document


def _scope(route: APIRoute) -> str | None:
    return next((each.call.scope for each in route.dependant.dependencies if isinstance(each.call, Need)), None)
