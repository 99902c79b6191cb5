"""Clicks and opens on both databases: a person's is an answer, a machine's is none (behaviour R12)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from kit.waiting import waiting

from engine.db import Database, insert_new
from engine.events import Answered, since
from engine.hits import Visit, record
from engine.machines import looker
from engine.tables import Message

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SOON = timedelta(seconds=2)


def sent(db: Database, channel: str = "email") -> Answered:
    row = {
        "key": "1-1-0", "enrolment_id": 1, "customer_id": "zoe", "journey": "spring", "hash": "h", "state": "mail",
        "visit": 1, "arm": "treated", "channel": channel, "purpose": "marketing", "status": "sent",
        "address": "zoe@example.com", "cost": 0, "reserved_at": NOW, "settled_at": NOW,
    }  # fmt: skip
    with db.write() as conn:
        insert_new(conn, Message, [row])
    return Answered("1-1-0", "zoe", channel, [])


def hit(db: Database, message: Answered, after: float, link: str = "a", agent: str = FIREFOX) -> bool:
    visit = Visit(agent, "192.0.2.1", NOW + timedelta(seconds=after))
    with db.write() as conn:
        return record(conn, message, "clicked", {"link": link, "url": "https://x.example/"}, visit, SOON)


def names(db: Database) -> list[str]:
    with db.read() as conn:
        return [event.name for event in since(conn, 0, 100)]


def test_R12_a_scanner_is_known_by_its_manner(db: Database) -> None:
    message = sent(db)
    assert not hit(db, message, 1)  # as the mail arrives
    assert not hit(db, message, 300)  # and goes on
    assert hit(db, message, 300, agent=f"{FIREFOX} another")
    assert hit(db, message, 3600)  # an hour later the same browser is a person's
    assert hit(db, message, 3700, "b")
    assert not hit(db, message, 3701, "c")
    assert names(db) == ["email.scanned"] * 2 + ["email.clicked"] * 2 + ["email.scanned"] * 2


@pytest.mark.parametrize("db", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_R12_a_scanner_that_presses_two_links_in_the_same_moment(db: Database) -> None:
    message = sent(db)
    visit = Visit(FIREFOX, "192.0.2.1", NOW + timedelta(hours=1))
    with ThreadPoolExecutor(1) as pool:
        with db.write() as conn:
            assert record(conn, message, "clicked", {"link": "a", "url": "https://x.example/"}, visit, SOON)
            other = pool.submit(hit, db, message, 3600, "b")
            waiting(db, 1)
        assert not other.result()
    assert names(db) == ["email.scanned"] * 2


def test_R12_a_text_is_read_at_once(db: Database) -> None:
    message = sent(db, "sms")
    assert hit(db, message, 1)
    assert not hit(db, message, 1, agent="WhatsApp/2.23.20.0")
    assert names(db) == ["sms.clicked", "sms.scanned"]


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        (FIREFOX, "person"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", "person"),
        ("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0)", "person"),
        ("Mozilla/5.0", "machine"),
        ("  ", "machine"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "machine"),
        ("facebookexternalhit/1.1", "machine"),
        ("Mozilla/5.0 (Windows) HeadlessChrome/120.0", "machine"),
        ("curl/8.0", "machine"),
        ("Mozilla/5.0 (via ggpht.com GoogleImageProxy)", "proxy"),
    ],
)
def test_R12_who_calls_himself_what(agent: str, kind: str) -> None:
    assert looker(agent).kind == kind
