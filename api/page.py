"""The pages that customers see: small, without scripts, in their language; and the headers that keep them so."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

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
_WORDS = {
    "en": {
        "email": "E-mails", "sms": "Text messages", "feed": "Personal feed", "call": "Phone calls", "letter": "Letters",
        "preferences": "Your preferences", "stop_question": "Do you want no more of these?",
        "stop": "Unsubscribe", "start": "Subscribe again", "on": "you get them", "off": "you don't get them",
        "stopped": "Done: you are unsubscribed.", "started": "Done: you are subscribed again.",
        "test_title": "This was a test",
        "test": "This link is of a test mail. It unsubscribes nobody, and nothing was changed.",
        "letter_title": "Your answer", "letter_text": "Thank you. Press the button to send your answer.",
        "answer": "Send my answer", "answered": "Thank you, your answer has arrived.",
        "code_title": "Your code", "code_text": "Type the code that we sent you.", "code": "Code",
        "go_on": "Go on", "code_wrong": "This code is not one of ours. Is every character right?",
        "lost_title": "This link doesn't work",
        "lost": "It may have been cut off on its way, or be too old. Try it once more from the message that you got it in.",
        "failed_title": "That didn't work",
        "failed": "Something is wrong on our side, or too much is going on. Please try again in a few minutes.",
    },
    "fr": {
        "email": "E-mails", "sms": "SMS", "feed": "Fil personnel", "call": "Appels", "letter": "Courriers",
        "preferences": "Vos préférences", "stop_question": "Vous ne voulez plus les recevoir ?",
        "stop": "Se désabonner", "start": "Se réabonner", "on": "vous les recevez", "off": "vous ne les recevez pas",
        "stopped": "C'est fait : vous êtes désabonné.", "started": "C'est fait : vous êtes de nouveau abonné.",
        "test_title": "C'était un essai",
        "test": "Ce lien vient d'un e-mail d'essai. Il ne désabonne personne, et rien n'a été changé.",
        "letter_title": "Votre réponse", "letter_text": "Merci. Appuyez sur le bouton pour envoyer votre réponse.",
        "answer": "Envoyer ma réponse", "answered": "Merci, votre réponse est bien arrivée.",
        "code_title": "Votre code", "code_text": "Saisissez le code que nous vous avons envoyé.", "code": "Code",
        "go_on": "Continuer", "code_wrong": "Ce code n'est pas l'un des nôtres. Chaque caractère est-il juste ?",
        "lost_title": "Ce lien ne mène nulle part",
        "lost": "Il a peut-être été coupé en chemin, ou il est trop ancien. Réessayez depuis le message où vous l'avez reçu.",
        "failed_title": "Cela n'a pas marché",
        "failed": "Quelque chose ne va pas de notre côté, ou il y a trop de monde. Réessayez dans quelques minutes.",
    },
}  # fmt: skip


def words(language: str | None) -> tuple[str, Mapping[str, str]]:
    """The page's language and its words: the customer's, where we have it, else English."""
    code = language if language in _WORDS else "en"
    return code, _WORDS[code]


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
    return page("lost.html", status, language=language, title=texts[f"{what}_title"], text=text)


def told(request: Request, what: str) -> HTMLResponse:
    """A page that says one thing, to somebody whose language we don't know."""
    language, texts = words(preferred(request))
    return page("lost.html", language=language, title=texts[f"{what}_title"], text=texts[what])


def page(template: str, status: int = 200, *, script: bool = False, **values: Any) -> HTMLResponse:
    """A page of `api/pages`, with a strict policy: nothing from elsewhere, and no script but one of our own where it has one."""
    html = _environment().get_template(template).render(values)
    policy = f"{_POLICY}; script-src 'self'; connect-src 'self'" if script else _POLICY
    return HTMLResponse(html, status, {**PRIVATE, "Content-Security-Policy": policy})


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("api", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
