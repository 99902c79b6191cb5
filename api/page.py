"""The pages that customers see: small, without scripts, in their language; and the headers that keep them so."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from api.page_words import WORDS

__all__ = ["PRIVATE", "lost", "page", "preferred", "reads_pages", "told", "words"]

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
PRIVATE: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
"""Headers of whatever is one customer's alone."""

_OUR_OWN = ("/agent", "/docs", "/sink")


def words(*wanted: str | None) -> tuple[str, Mapping[str, str]]:
    """The page's language and its words: the first that we have, the customer's before the project's; else English."""
    code = next((each for each in wanted if each is not None and each in WORDS), "en")
    return code, WORDS[code]


def preferred(request: Request) -> str | None:
    """The language that a browser asks for first."""
    return request.headers.get("accept-language", "")[:2].lower() or None


def reads_pages(request: Request) -> bool:
    """Whether somebody looks at the answer in a browser. Below `/v1/` and `/hooks/` there are programs alone."""
    first = request.headers.get("accept", "").partition("json")[0]
    return "text/html" in first and not request.url.path.startswith(("/v1/", "/hooks/"))


def lost(request: Request, status: int, message: str) -> HTMLResponse:
    """The page of an error: a link that was cut off or changed on its way, or a fault of ours. Our own people read the message."""
    ours = request.url.path.startswith(_OUR_OWN)
    language, texts = words(None if ours else preferred(request))
    what = "failed" if ours or status >= 500 or status == 429 else "lost"
    text = message if ours else texts[what]
    brand = "" if ours else _brand(request)
    return page("lost.html", status, language=language, title=texts[f"{what}_title"], text=text, brand=brand)


def told(request: Request, what: str, otherwise: str) -> HTMLResponse:
    """A page that says one thing, to somebody of whom we know her browser's language alone; `otherwise`: the project's."""
    language, texts = words(preferred(request), otherwise)
    title, text = texts[f"{what}_title"], texts[what]
    return page("lost.html", language=language, title=title, text=text, brand=_brand(request))


def page(template: str, status: int = 200, *, script: bool = False, brand: str = "", **values: Any) -> HTMLResponse:
    """A page of `api/pages`, with a strict policy: nothing from elsewhere, and no script but one of our own where it has one.

    `brand`: whose page it is, for customers.
    """
    html = _environment().get_template(template).render(values, brand=brand)
    policy = f"{_POLICY}; script-src 'self'; connect-src 'self'" if script else _POLICY
    return HTMLResponse(html, status, {**PRIVATE, "Content-Security-Policy": policy})


def _brand(request: Request) -> str:
    """The sender's name, which says to customers whose page they look at."""
    name: str = request.app.state.parcours.templates.brand.name
    return name


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("api", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
