"""The pages that customers see, in their language: the foot of a mail in it leads to one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.page_words import WORDS
from engine import customers
from engine.db import Database
from engine.links import Links
from engine.settings import Settings
from engine.templating.words import LANGUAGES

Sent = Callable[..., dict[str, Any]]


def test_the_pages_speak_what_the_layouts_speak_and_say_as_much_in_each() -> None:
    assert WORDS.keys() == LANGUAGES.keys()
    for language, said in WORDS.items():
        assert said.keys() == WORDS["en"].keys(), language
        assert all(said.values()), language


@pytest.mark.parametrize(
    ("spoken", "projects", "says"),
    [
        ("de", "en", "E-Mails: Sie bekommen sie"),
        ("fr", "en", "E-mails\u00a0: vous les recevez"),
        ("nl", "es", "Correos electrónicos: los recibe"),
        (None, "it", "E-mail: attivo"),
        ("nl", "nl", "E-mails: you get them"),
    ],
)
async def test_her_language_then_the_projects_then_english(
    sqlite: Database,
    settings: Settings,
    links: Links,
    sent: Sent,
    spoken: str | None,
    projects: str,
    says: str,
) -> None:
    sent()
    row = sent("2-1-0", channel="letter", code=links.code("2-1-0"))
    with sqlite.write() as conn:
        customers.put(conn, row["customer_id"], {"language": spoken}, row["reserved_at"])
    transport = httpx.ASGITransport(create_app(settings.model_copy(update={"language": projects}), sqlite))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
        address = links.unsubscribe("1-1-0")
        await http.post(address, data={"action": "grant"})
        page = (await http.get(address)).text
        letter = (await http.get(f"/l/{links.code('2-1-0')}")).text
    assert says in page
    assert page.count('<p class="from">Parcours</p>') == letter.count('<p class="from">Parcours</p>') == 1, (
        "whose page it is"
    )
    language = next(each for each in (spoken, projects, "en") if each is not None and each in WORDS)
    assert f'lang="{language}"' in letter
    assert WORDS[language]["letter_title"] in letter
