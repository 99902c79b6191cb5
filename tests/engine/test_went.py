"""That a message went out is told once, from wherever it is known first, and only where an arrow waits for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from engine.db import Database, insert_new, table
from engine.events import since
from engine.letters import post
from engine.mail.event import MailEvent
from engine.mail.keeping import Keeping
from engine.messages import settle
from engine.outgoing import Receipt
from engine.receipts import Told, settle_by_provider
from engine.settings import Settings
from engine.tables import Letter, Message, PrintRun

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
Sent = Callable[..., None]


@pytest.fixture
def sent(db: Database) -> Sent:
    def make(key: str, channel: str, *, awaited: bool = True, **changes: Any) -> None:
        row = {
            "key": key, "enrolment_id": int(key.split("-", maxsplit=1)[0]), "customer_id": "zoe", "journey": "spring", "hash": "h",
            "state": "box", "visit": 1, "arm": "treated", "channel": channel, "purpose": "marketing", "status": "sending",
            "address": "zoe@example.com", "cost": 0, "reserved_at": NOW - timedelta(hours=2),
            "sent_awaited": awaited or None, **changes,
        }  # fmt: skip
        with db.write() as conn:
            insert_new(conn, Message, [row])

    return make


def told(db: Database) -> list[tuple[str, str | None]]:
    with db.read() as conn:
        return [(event.name, event.message_key) for event in since(conn, 0, 100)]


def test_a_receipt_tells_it_of_what_was_taken_alone(db: Database, sent: Sent) -> None:
    for number in range(1, 5):
        sent(f"{number}-1-0", "sms")
    sent("5-1-0", "sms", awaited=False)
    statuses = ("sent", "rejected", "deferred", "unknown", "sent")
    receipts = [(f"{number}-1-0", Receipt(status)) for number, status in enumerate(statuses, 1)]  # type: ignore[arg-type]  # statuses
    with db.write() as conn:
        settle(conn, receipts, NOW)
    assert told(db) == []
    with db.write() as conn:
        settle(conn, receipts, NOW, [key for key, _ in receipts])
    assert told(db) == [("sms.sent", "1-1-0")]


@pytest.mark.parametrize("status", ["sent", "delivered"])
def test_a_provider_may_be_the_first_to_say_so_and_its_receipt_says_it_again(
    db: Database, sent: Sent, status: str
) -> None:
    sent("1-1-0", "sms")
    more = [("sms.delivered", "1-1-0")] if status == "delivered" else []
    with db.write() as conn:
        assert settle_by_provider(conn, Told("sms", "SM1", status), NOW, "1-1-0")
    assert told(db) == [("sms.sent", "1-1-0"), *more]
    with db.write() as conn:
        settle(conn, [("1-1-0", Receipt("sent", "SM1"))], NOW, ["1-1-0"])
    assert told(db) == [("sms.sent", "1-1-0"), *more]


def test_what_a_provider_says_has_failed_is_not_told_as_sent(db: Database, sent: Sent) -> None:
    sent("1-1-0", "sms", status="unknown", provider_id="SM1")
    with db.write() as conn:
        assert settle_by_provider(conn, Told("sms", "SM1", "failed"), NOW)
    assert told(db) == [("sms.undelivered", "1-1-0")]


def test_a_mail_in_doubt_that_was_delivered_went_out(db: Database, sent: Sent) -> None:
    sent("1-1-0", "email", status="unknown")
    event = MailEvent("delivered", "e1", "mailgun", key="1-1-0", recipient="zoe@example.com", signed=True)
    with db.write() as conn:
        assert Keeping.of(Settings()).keep(conn, event) == "kept"
    assert sorted(told(db)) == [("email.delivered", "1-1-0"), ("email.sent", "1-1-0")]


def test_a_letter_went_out_with_its_run_and_one_that_cant_be_printed_did_not(db: Database, sent: Sent) -> None:
    settings = Settings()
    for number in range(1, 4):
        sent(f"{number}-1-0", "letter", status="sent", awaited=number != 3)
    rows: list[dict[str, Any]] = [
        {
            "key": f"{number}-1-0", "code": f"C{number}", "customer_id": "zoe", "enrolment_id": number, "template_hash": "h",
            "data": {}, "lines": ["Zoé"], "country": "FR", "postcode": "69003", "missing": "", "at": NOW,
        }
        for number in range(1, 4)
    ]  # fmt: skip
    with db.write() as conn:
        post.keep(conn, settings, rows, NOW)
        run = post.open_run(conn, settings, NOW)
        conn.execute(update(table(Letter)).values(status="closed"))
        conn.execute(update(table(PrintRun)).values(status="closed"))
    assert told(db) == []
    for _ in range(2):
        with db.write() as conn:
            post.fail(conn, {"2-1-0": "a picture is gone"}, NOW)
            placed = [post.Placed(f"{number}-1-0", "a.pdf", number, number, 1) for number in (1, 3)]
            post.hand_over(conn, run, placed, 100, NOW)
    assert told(db) == [("letter.undelivered", "2-1-0"), ("letter.sent", "1-1-0")]
