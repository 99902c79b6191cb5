"""The local sink's mails as pages, while mails go there and nowhere else. A mail is foreign matter: it is shown in a sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from html import escape
from ipaddress import ip_address

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from api.errors import ApiError
from api.page import PRIVATE, page, words
from api.state import Here, State
from workers.local.sink import StoredMail, messages

__all__ = ["router"]

_NEWEST = 200
_SHOWN = (
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Id",
    "Feedback-ID",
)
_SANDBOX = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src http: https: data:"


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    to: str
    subject: str
    date: str


def _in_use(here: Here, request: Request) -> None:
    """Only where mails go to a sink on this machine, and only for a browser on this machine: mails are private."""
    settings = here.settings
    local = settings.smtp_host in {"127.0.0.1", "::1", "localhost"} and not settings.smtp_user
    if not local or not (settings.data / "sink").is_dir() or not _near(request):
        raise ApiError(404, "not_found", f"there is nothing at {request.url.path}")


router = APIRouter(tags=["sink"], include_in_schema=False, dependencies=[Depends(_in_use)])


@router.get("/sink", response_class=Response)
def sink(here: Here) -> Response:
    """The newest mails."""
    found = list(messages(here.settings.data / "sink"))
    lines = [_line(mail) for mail in reversed(found[-_NEWEST:])]
    language, texts = words(None)
    return page("sink.html", language=language, words=texts, mails=lines, total=len(found))


@router.get("/sink/{name}", response_class=Response)
def sink_mail(here: Here, name: str) -> Response:
    """One mail: headers, the HTML part in a sandboxed frame, the text part."""
    stored = _stored(here, name)
    mail = stored.read()
    language, texts = words(None)
    shown = {
        "name": stored.path.stem,
        "subject": str(mail.get("Subject", "")),
        "headers": [(header, str(value)) for header in _SHOWN for value in mail.get_all(header, [])],
        "html": _part(mail, "html") is not None,
        "text": _part(mail, "plain") or "(none)",
    }
    return page("sink_mail.html", language=language, words=texts, mail=shown)


@router.get("/sink/{name}/body", response_class=Response)
def sink_body(here: Here, name: str) -> Response:
    """The HTML part, without scripts; its links open in a new tab."""
    html = _part(_stored(here, name).read(), "html")
    if html is None:
        raise ApiError(404, "not_found", "this mail has no HTML part")
    return HTMLResponse(f'<base target="_blank">{html}', headers={**PRIVATE, "Content-Security-Policy": _SANDBOX})


def _line(stored: StoredMail) -> _Line:
    mail = stored.read()
    return _Line(stored.path.stem, str(mail.get("To", "")), str(mail.get("Subject", "")), str(mail.get("Date", "")))


def _stored(here: State, name: str) -> StoredMail:
    for stored in messages(here.settings.data / "sink"):
        if stored.path.stem == name:
            return stored
    raise ApiError(404, "not_found", f"there is no mail {escape(name)!r} in the sink")


def _part(mail: EmailMessage, kind: str) -> str | None:
    body = mail.get_body((kind,))
    return None if body is None else str(body.get_content())


def _near(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
