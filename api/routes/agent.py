"""The agents' page: take the next call, read the script, say how it went. Works without scripts; signs in with a key.

What it does is what the API offers to any dialer; it is here so that nobody needs one to begin with.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy import Connection

from api import session as sessions
from api.call_shapes import TaskDetail, detailed
from api.errors import ApiError
from api.page import page
from api.session import Session
from api.state import Here, State
from dsl.outcomes import OUTCOMES, UNREACHED
from engine.calls import again as call_again
from engine.calls import leases as call_leases
from engine.calls import queues as call_queues
from engine.calls import tasks as call_tasks
from engine.calls.hours import rules_of
from engine.errors import Conflict, EngineError, Gone, NotFound

__all__ = ["router"]

router = APIRouter(tags=["agent"], include_in_schema=False)

_COOKIE, _PATH, _SCOPE = "parcours_agent", "/agent", "tasks"
_LEASE = 900.0
"""Seconds that a task is held without a heartbeat: without scripts there is none."""

Text = Annotated[str, Form(max_length=10_000)]


def _session(here: Here, request: Request) -> Session:
    """Who works here. Raises the way to the sign-in form."""
    found = sessions.read(here, request, _COOKIE, _SCOPE)
    if found is None:
        raise ApiError(303, "sign_in", "sign in first", {"Location": "/agent"})
    return found


def _trusted(request: Request, here: Here, csrf: Annotated[str, Form(max_length=100)] = "") -> Session:
    """Who works here, if the form was ours."""
    session = _session(here, request)
    given = csrf or request.headers.get("x-csrf-token", "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), session.token.encode()):
        raise ApiError(403, "bad_token", "this form is not from your page: open /agent again")
    return session


Trusted = Annotated[Session, Depends(_trusted)]


@router.get("/agent", response_class=Response)
def desk(here: Here, request: Request) -> Response:
    """The sign-in form, the queues, or the call under way."""
    session = sessions.read(here, request, _COOKIE, _SCOPE)
    if session is None:
        return page("agent_sign_in.html", language="en", wrong=False)
    said = session.notes.get("said")
    return _page(here, session.noting(said=None), said=said)


@router.post("/agent/sign-in", response_class=Response)
def sign_in(here: Here, key: Text = "", who: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Begin a session with a key of the scope `tasks`."""
    session = sessions.begin(here, key.strip(), who.strip(), _SCOPE) if who.strip() and who.isprintable() else None
    if session is None:
        return page("agent_sign_in.html", 403, language="en", wrong=True)
    return _back(here, session)


@router.post("/agent/sign-out", response_class=Response)
def sign_out(here: Here, session: Trusted) -> Response:
    """End the session; a task that is held is given back."""
    _drop(here, session)
    response = RedirectResponse("/agent", 303)
    sessions.leave(response, _COOKIE, _PATH)
    return response


@router.post("/agent/next", response_class=Response)
def take(here: Here, session: Trusted, queue: Text, skills: Text = "") -> Response:
    """Claim the next call of a queue."""
    known = skills.replace(",", " ").split()
    with here.database.write() as conn:
        leases = call_leases.claim(conn, queue, session.who, 1, _LEASE, here.now(), skills=known or None)
    kept = session.noting(queue=queue, skills=" ".join(known) or None, began=None)
    if not leases:
        return _back(here, kept.noting(said="Nothing is due in this queue that you could take."))
    return _back(here, kept.noting(task=leases[0].task.id, lease=leases[0].lease_token))


@router.post("/agent/{step}", response_class=Response)
def act(
    here: Here,
    session: Trusted,
    step: str,
    outcome: Text = "",
    notes: Text = "",
    date: Text = "",
    at: Text = "",
    phone: Text = "",
) -> Response:
    """A step of the call under way: accept, wrap, reject, finish or callback."""
    task, lease = session.notes.get("task", ""), session.notes.get("lease", "")
    now, free = here.now(), {"task": None, "lease": None, "began": None}
    try:
        with here.database.write() as conn:
            match step:
                case "accept":
                    call_leases.accept_task(conn, task, lease, _LEASE, now)
                    session = session.noting(began=str(int(time.time())))
                case "wrap":
                    call_leases.wrap(conn, task, lease, _LEASE, now)
                    session = session.noting(lasted=_seconds(session))
                case "reject":
                    call_leases.release(conn, task, lease, now)
                    session = session.noting(said="Given back.", **free)
                case "callback":
                    when = f"{date}T{at}" if date else at
                    back = call_again.callback(
                        conn, task, lease, when, now, phone=phone.strip() or None, notes=notes or None
                    )
                    zone = call_again.zone_of_task(conn, back, rules_of(conn, back.queue))
                    said = f"Will be called back on {back.due_at.astimezone(zone):%A %d %B at %H:%M} ({zone.key})."
                    session = session.noting(said=said, **free)
                case "finish" if outcome in UNREACHED:
                    tried = call_again.attempt(conn, task, lease, outcome, now, notes=notes or None)
                    over = tried.status == "completed"
                    said = "that was the last attempt." if over else "the task comes back later."
                    session = session.noting(said=f"{OUTCOMES[outcome].label}: {said}", **free)
                case "finish":
                    seconds = session.notes.get("lasted") or _seconds(session)
                    call_tasks.complete(
                        conn, task, lease, outcome, now, notes=notes or None,
                        duration_s=float(seconds) if seconds is not None else None,
                    )  # fmt: skip
                    session = session.noting(said=f"Done: {_label(outcome)}.", lasted=None, **free)
                case _:
                    raise ApiError(404, "not_found", f"there is nothing at /agent/{step}")
    except (Conflict, Gone, NotFound) as error:
        if error.code == "no_attempts_left":
            return _page(here, session, error=error.message, notes=notes, later=True, status=409)
        _too_late(here, session, outcome, error)
        return _back(here, session.noting(said=f"This task is no longer yours: {error.message}.", **free))
    except EngineError as error:
        return _page(here, session, error=error.message, notes=notes, later=step == "callback", status=422)
    return _back(here, session)


@router.post("/agent/call/heartbeat")
def heartbeat(here: Here, session: Trusted) -> JSONResponse:
    """For the page's script: hold the task, and hear whether the customer has left."""
    with here.database.write() as conn:
        task = call_leases.heartbeat(
            conn, session.notes.get("task", ""), session.notes.get("lease", ""), _LEASE, here.now()
        )
    return JSONResponse({"status": task.status, "withdrawn": task.withdrawn_at is not None})


@router.get("/agent.css")
def css() -> Response:
    """The page's style."""
    return _file("agent.css", "text/css")


@router.get("/agent.js")
def script() -> Response:
    """The page's script."""
    return _file("agent.js", "text/javascript")


@router.get("/agent.svg")
def icon() -> Response:
    """The page's icon."""
    return _file("agent.svg", "image/svg+xml")


def _file(name: str, kind: str) -> Response:
    text = (files("api") / "pages" / name).read_text(encoding="utf-8")
    return Response(text, media_type=kind, headers={"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"})


def _page(
    here: State,
    session: Session,
    *,
    said: str | None = None,
    error: str | None = None,
    notes: str = "",
    later: bool = False,
    status: int = 200,
) -> Response:
    """The call under way where there is one, else the queues."""
    now = here.now()
    with here.database.read() as conn:
        task = _held(conn, session, now)
        if task is None:
            session = session.noting(task=None, lease=None)
            queues = call_queues.queues(conn)
            shown: Mapping[str, Any] = {"queues": queues, "skills": session.notes.get("skills", "")}
        else:
            shown = {"task": task, "labels": [(code, _label(code)) for code in task.choices], "unreached": UNREACHED,
                     "notes": notes or task.notes or "", "later": later}  # fmt: skip
    template = "agent_desk.html" if task is None else "agent_call.html"
    seconds = _seconds(session)
    response = page(
        template, status, script=True, language="en", who=session.who, csrf=session.token, said=said, error=error,
        chosen=session.notes.get("queue"), began=seconds, now=now, **shown,
    )  # fmt: skip
    sessions.write(here, response, _COOKIE, session, _PATH)
    return response


def _held(conn: Connection, session: Session, now: datetime) -> TaskDetail | None:
    """The task that the agent holds."""
    if "task" not in session.notes:
        return None
    try:
        return detailed(conn, call_leases.leased(conn, session.notes["task"], session.notes.get("lease", "")), now)
    except EngineError:
        return None


def _drop(here: State, session: Session) -> None:
    if "task" in session.notes:
        with here.database.write() as conn:
            try:
                call_leases.release(conn, session.notes["task"], session.notes.get("lease", ""), here.now())
            except EngineError:
                return  # it is another's, or over


def _too_late(here: Here, session: Trusted, outcome: str, error: EngineError) -> None:
    """The task is over or another's, and her "do not call" is kept all the same."""
    task, lease = session.notes.get("task", ""), session.notes.get("lease", "")
    if not isinstance(error, NotFound):
        with here.database.write() as conn:
            call_tasks.never_again(conn, task, outcome, here.now(), lease_token=lease)


def _back(here: State, session: Session) -> Response:
    response = RedirectResponse("/agent", 303)
    sessions.write(here, response, _COOKIE, session, _PATH)
    return response


def _seconds(session: Session) -> str | None:
    """Since when the call has been going on."""
    began = session.notes.get("began")
    return None if began is None else str(max(0, int(time.time()) - int(began)))


def _label(code: str) -> str:
    return OUTCOMES[code].label if code in OUTCOMES else code.replace("_", " ").capitalize()
