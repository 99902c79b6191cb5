"""Clicks, opens, unsubscribing: what is recorded, and what never is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from engine import consent
from engine.db import Database, table
from engine.events import StoredEvent
from engine.links import Links
from engine.tables import Event, Message

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
Events = Callable[[], list[StoredEvent]]
Sent = Callable[..., dict[str, Any]]


def path(url: str) -> str:
    return url.removeprefix("http://127.0.0.1:8000")


def granted(db: Database, customer: str = "c1") -> dict[str, bool]:
    with db.read() as conn:
        return {row.channel: row.granted for row in consent.of(conn, customer)}


@pytest.mark.parametrize("channel", ["email", "sms", "feed", "letter"])
async def test_a_click_is_an_answer_of_the_messages_channel(
    http: httpx.AsyncClient, links: Links, events: Events, sent: Sent, channel: str
) -> None:
    sent(channel=channel)
    response = await http.get(path(links.click("1-1-0", 0)))
    assert (response.status_code, response.headers["location"]) == (302, "https://shop.example/?a=1&b=2")
    assert "no-store" in response.headers["cache-control"]
    (event,) = events()
    assert (event.name, event.customer_id, event.message_key) == (f"{channel}.clicked", "c1", "1-1-0")
    assert event.payload == {"link": "shop", "url": "https://shop.example/?a=1&b=2"}


async def test_head_and_prefetch_record_nothing(
    http: httpx.AsyncClient, links: Links, events: Events, sent: Sent
) -> None:
    sent()
    click, pixel, preferences = (
        path(url) for url in (links.click("1-1-0", 0), links.open_pixel("1-1-0"), links.unsubscribe("1-1-0"))
    )
    assert (await http.head(click)).status_code == 302
    assert (await http.head(pixel)).status_code == 200
    assert (await http.head(preferences)).status_code == 200
    assert (await http.get(click, headers={"Sec-Purpose": "prefetch;prerender"})).status_code == 302
    assert (await http.get(click, headers={"Purpose": "prefetch"})).status_code == 302
    assert (await http.get(preferences)).status_code == 200
    assert events() == []


async def test_forged_links_lead_nowhere(http: httpx.AsyncClient, links: Links, events: Events, sent: Sent) -> None:
    sent()
    real = path(links.click("1-1-0", 0))
    other = path(links.click("1-1-0", 1)).rsplit(".", 1)[1]
    for forged in (
        real[:-1] + ("A" if real[-1] != "A" else "B"),
        real.rsplit(".", 1)[0] + "." + other,
        real.replace("1-1-0", "2-1-0"),
        real[:-3],
        "/c/nonsense",
        "/c/https:evil.example",
        path(links.click("9-9-9", 0)),
        path(links.click("1-1-0", 7)),
        path(links.click("1-1-0", 1)),
        "/o/" + path(links.click("1-1-0", 0)).removeprefix("/c/"),
        "/u/" + path(links.open_pixel("1-1-0")).removeprefix("/o/").removesuffix(".gif"),
    ):
        response = await http.get(forged)
        assert (response.status_code, response.json()["code"]) == (404, "link_not_found"), forged
        assert "location" not in response.headers
    assert events() == []


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.mark.parametrize(
    ("agent", "name", "human"),
    [
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
            "email.opened",
            True,
        ),
        ("Mozilla/5.0 Thunderbird/128", "email.opened", True),
        ("Mozilla/4.0 (compatible; ms-office; MSOffice 16)", "email.opened", True),
        (
            "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
            "email.opened",
            False,
        ),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "email.opened", False),
        ("Mozilla/5.0", "email.scanned", None),
        ("", "email.scanned", None),
        ("Barracuda Sentinel (EE)", "email.scanned", None),
    ],
)
async def test_R12_the_pixel_says_whether_a_person_looks(
    http: httpx.AsyncClient, links: Links, events: Events, sent: Sent, agent: str, name: str, human: bool | None
) -> None:
    sent()
    response = await http.get(path(links.open_pixel("1-1-0")), headers={"User-Agent": agent})
    assert (response.headers["content-type"], response.content[:6]) == ("image/gif", b"GIF89a")
    (event,) = events()
    assert (event.name, event.payload.get("human")) == (name, human)


async def test_R12_a_scanners_click_leads_on_and_is_no_answer(
    http: httpx.AsyncClient, links: Links, events: Events, sent: Sent
) -> None:
    sent()
    for agent in (
        "Mozilla/5.0 (compatible; proofpoint)",
        "python-requests/2.32",
        "WhatsApp/2.23",
        "HeadlessChrome/120",
    ):
        response = await http.get(path(links.click("1-1-0", 0)), headers={"User-Agent": agent})
        assert response.status_code == 302
    assert {event.name for event in events()} == {"email.scanned"}
    await http.get(path(links.click("1-1-0", 0)), headers={"User-Agent": FIREFOX})
    assert events()[-1].name == "email.clicked"


async def test_R12_whoever_comes_as_the_mail_arrives_is_a_scanner_and_stays_one(
    http: httpx.AsyncClient, links: Links, events: Events, sent: Sent, sqlite: Database
) -> None:
    sent(settled_at=datetime.now(UTC) + timedelta(minutes=1))  # however slow the machine is
    click = path(links.click("1-1-0", 0))
    await http.get(click, headers={"User-Agent": FIREFOX})
    with sqlite.write() as conn:  # the mail has lain there for an hour
        conn.execute(update(table(Message)).values(settled_at=datetime.now(UTC) - timedelta(hours=1)))
    await http.get(click, headers={"User-Agent": FIREFOX})
    await http.get(click, headers={"User-Agent": f"{FIREFOX} another"})
    assert [event.name for event in events()] == ["email.scanned", "email.scanned", "email.clicked"]
    assert [event.payload.get("by") for event in events()] == [
        "sooner after the send than anybody reads", "a scanner that goes on", None,
    ]  # fmt: skip
    assert "127.0.0.1" not in str([event.payload for event in events()])


async def test_R12_several_links_within_a_moment_are_a_scanners(
    http: httpx.AsyncClient, links: Links, events: Events, sent: Sent, sqlite: Database
) -> None:
    urls = [{"name": name, "url": f"https://shop.example/{name}"} for name in ("a", "b", "c")]
    for key in ("1-1-0", "2-1-0"):
        sent(key, links=urls)
    await http.get(path(links.click("1-1-0", 0)), headers={"User-Agent": FIREFOX})
    await http.get(
        path(links.click("1-1-0", 0)), headers={"User-Agent": FIREFOX}
    )  # twice the same: a person's impatience
    assert [event.name for event in events()] == ["email.clicked"] * 2
    for index in (1, 2):
        await http.get(path(links.click("1-1-0", index)), headers={"User-Agent": FIREFOX})
    assert [event.name for event in events()] == ["email.scanned"] * 4
    await http.get(path(links.click("2-1-0", 0)), headers={"User-Agent": FIREFOX})
    with sqlite.write() as conn:  # the first has moved her already
        conn.execute(update(table(Event)).values(fate="delivered"))
    await http.get(path(links.click("2-1-0", 1)), headers={"User-Agent": FIREFOX})
    assert [event.name for event in events()[4:]] == ["email.clicked", "email.scanned"]


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"data": {"action": "withdraw"}},
        {},
    ],
    ids=["RFC 8058 urlencoded", "RFC 8058 multipart", "the page's button", "nothing"],
)
async def test_unsubscribing_is_one_post_and_at_once(
    http: httpx.AsyncClient, links: Links, events: Events, sent: Sent, sqlite: Database, body: dict[str, Any]
) -> None:
    sent()
    with sqlite.write() as conn:
        for channel in ("email", "letter"):
            consent.grant(conn, "c1", channel, "marketing", "api", NOW)
    for _ in range(3):
        response = await http.post(path(links.unsubscribe("1-1-0")), **body)
        assert (response.status_code, len(response.history)) == (200, 0)
        assert "set-cookie" not in response.headers
    assert granted(sqlite) == {"email": False, "letter": True}
    withdrawn = [event for event in events() if event.name == "consent.withdrawn"]
    assert [(event.customer_id, event.message_key) for event in withdrawn] == [("c1", None)]
    assert withdrawn[0].payload == {"channel": "email", "purpose": "marketing", "message": "1-1-0"}


async def test_the_preferences_page_has_a_button_and_changes_channels(
    http: httpx.AsyncClient, links: Links, sent: Sent, sqlite: Database
) -> None:
    sent()
    with sqlite.write() as conn:
        for channel in ("email", "sms"):
            consent.grant(conn, "c1", channel, "marketing", "api", NOW)
    url = path(links.unsubscribe("1-1-0"))
    page = await http.get(url)
    assert 'value="withdraw"' in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "c1" not in page.text
    assert "subscribe again" in (await http.post(url, data={"channel": "sms", "action": "withdraw"})).text.lower()
    assert granted(sqlite) == {"email": True, "sms": False}
    await http.post(url, data={"channel": "sms", "action": "grant"})
    assert granted(sqlite) == {"email": True, "sms": True}


@pytest.mark.parametrize("form", [{"action": "delete"}, {"channel": "pigeon"}, {"channel": "<script>"}])
async def test_a_wrong_form_changes_nothing(
    http: httpx.AsyncClient, links: Links, events: Events, sent: Sent, form: dict[str, str]
) -> None:
    sent()
    response = await http.post(path(links.unsubscribe("1-1-0")), data=form)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_value")
    assert events() == []


@pytest.mark.parametrize("how", ["click", "open", "unsubscribe"])
async def test_a_mail_in_doubt_that_somebody_uses_went_out(
    http: httpx.AsyncClient, links: Links, events: Events, sqlite: Database, sent: Sent, how: str
) -> None:
    for key in ("1-1-0", "2-1-0"):
        sent(key, status="unknown", reason="unknown", detail={"provider": "timed out"}, sent_awaited=True)
    for _ in range(2):
        match how:
            case "click":
                await http.get(path(links.click("1-1-0", 0)))
            case "open":
                await http.get(path(links.open_pixel("1-1-0")))
            case _:
                assert (await http.get(path(links.unsubscribe("1-1-0")))).status_code == 200
                await http.post(path(links.unsubscribe("1-1-0")))
    with sqlite.read() as conn:
        rows = {row.key: (row.status, row.reason) for row in conn.execute(select(table(Message)))}
    assert rows == {"1-1-0": ("sent", None), "2-1-0": ("unknown", "unknown")}
    assert [event.name for event in events()].count("email.sent") == 1
