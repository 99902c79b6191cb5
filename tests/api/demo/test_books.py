"""The books' check finds what is wrong: one row of each kind is made wrong, and must be named."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from api.demo.books import Check, check_books
from api.demo.ledger import Answer
from engine.db import Database, table
from engine.settings import Settings
from engine.tables import Consent, Customer, Enrolment, Event, Message, Step

NOW = datetime(2017, 10, 5, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
CLICK = Answer("email.clicked", "1-1-0", "/c/x", 302, NOW)


def put(database: Database, model: Any, **row: Any) -> None:
    with database.write() as conn:
        conn.execute(insert(table(model)), [row])


def event(database: Database, ident: str, **more: Any) -> None:
    row: dict[str, Any] = {
        "id": ident,
        "name": "email.clicked",
        "customer_id": "a",
        "message_key": "1-1-0",
        "at": NOW,
        "received_at": NOW,
        "payload": {},
        "source": "link",
        "fate": "delivered",
    }
    put(database, Event, **{**row, **more})


@pytest.fixture
def sound(sqlite: Database, settings: Settings) -> Database:
    """A customer who entered, got a mail, clicked and moved: everything is right."""
    put(sqlite, Customer, id="a", attributes={}, created_at=NOW, updated_at=NOW)
    enrolment = {"journey": "j", "hash": "h", "customer_id": "a", "slot": "a", "entry": "api:1", "arm": "treated"}
    put(sqlite, Enrolment, id=1, entered_at=NOW, seq=2, state="call", **enrolment)
    step = {"enrolment_id": 1, "visit": 1, "at": NOW, "hash": "h", "arm": "treated"}
    put(sqlite, Step, seq=1, state="mail", cause="entry", **step)
    event(sqlite, "parcours:1")
    put(sqlite, Step, seq=2, state="call", cause="answer", event_seq=1, **step)
    message(sqlite, "1-1-0")
    sink = settings.data / "sink"
    sink.mkdir(parents=True)
    (sink / "00000001-1-1-0.eml").write_text("Message-ID: <1-1-0@shop.example>\n\nhello\n")
    return sqlite


def message(database: Database, key: str, **more: Any) -> None:
    row: dict[str, Any] = {
        "key": key,
        "enrolment_id": 1,
        "customer_id": "a",
        "journey": "j",
        "hash": "h",
        "state": "mail",
        "visit": 1,
        "arm": "treated",
        "channel": "email",
        "purpose": "marketing",
        "status": "sent",
        "cost": 0,
        "reserved_at": NOW,
    }
    put(database, Message, **{**row, **more})


def wrong(
    database: Database, settings: Settings, answers: list[Answer], texts: list[Mapping[str, Any]] | None = None
) -> dict[str, tuple[str, ...]]:
    with database.read() as conn:
        checks: list[Check] = check_books(conn, settings, answers, texts or [], LATER)
    return {check.name: check.differences for check in checks if not check.holds}


def test_a_sound_system_balances(sound: Database, settings: Settings) -> None:
    assert wrong(sound, settings, [CLICK]) == {}


def test_an_answer_that_was_lost_is_named(sound: Database, settings: Settings) -> None:
    lost = Answer("email.clicked", "9-1-0", "/c/y", 302, NOW)
    assert wrong(sound, settings, [CLICK, lost]) == {
        "every accepted answer of the ledger is one event": ("email.clicked 9-1-0: given 1×, kept 0×",)
    }


def test_an_answer_that_was_refused_needs_no_event(sound: Database, settings: Settings) -> None:
    assert wrong(sound, settings, [CLICK, Answer("email.clicked", "9-1-0", "/c/y", 404, NOW)]) == {}


def test_an_answer_that_was_kept_twice_is_named(sound: Database, settings: Settings) -> None:
    event(sound, "parcours:2", fate="unheard")
    assert "given 1×, kept 2×" in str(wrong(sound, settings, [CLICK]))


def test_an_event_without_a_fate_is_named(sound: Database, settings: Settings) -> None:
    event(sound, "in:basket-1", name="shop.purchased", message_key=None, fate=None)
    assert wrong(sound, settings, [CLICK]) == {
        "every event that was taken in has a fate": ("shop.purchased in:basket-1 has none",)
    }


def test_a_delivered_event_without_a_trace_is_named(sound: Database, settings: Settings) -> None:
    event(sound, "in:basket-1", name="shop.purchased", message_key=None)
    assert "shop.purchased in:basket-1 was delivered and left no trace" in str(wrong(sound, settings, [CLICK]))


def test_a_mail_that_came_twice_is_named(sound: Database, settings: Settings) -> None:
    (settings.data / "sink" / "00000002-1-1-0.eml").write_text("Message-ID: <1-1-0@shop.example>\n\nagain\n")
    assert "1-1-0 is there 2×" in str(wrong(sound, settings, [CLICK]))


def test_a_mail_that_is_missing_and_one_that_nobody_sent_are_named(sound: Database, settings: Settings) -> None:
    message(sound, "1-2-0")
    _mail(settings.data / "sink", "7-7-0")
    found = str(wrong(sound, settings, [CLICK]))
    assert "1-2-0 was sent and is not there" in found
    assert "7-7-0 is there and was not sent" in found


def test_a_text_that_the_gateway_has_and_we_have_not_is_named(sound: Database, settings: Settings) -> None:
    assert "unknown SM1 is there and was not sent" in str(wrong(sound, settings, [CLICK], [{"sid": "SM1"}]))


def test_a_message_to_the_held_out_is_named(sound: Database, settings: Settings) -> None:
    with sound.write() as conn:
        conn.execute(update(table(Message)).values(arm="held_out"))
    assert wrong(sound, settings, [CLICK]) == {"nothing was sent to the held-out": ("1-1-0 is sent",)}


def test_a_message_that_hangs_is_named(sound: Database, settings: Settings) -> None:
    message(sound, "1-2-0", channel="sms", status="reserved")
    assert wrong(sound, settings, [CLICK]) == {"every message is settled": ("sms 1-2-0 is not",)}


def test_somebody_who_never_took_a_step_is_named(sound: Database, settings: Settings) -> None:
    row = {"journey": "j", "hash": "h", "customer_id": "b", "slot": "b", "entry": "api:2", "arm": "treated"}
    put(sound, Enrolment, id=2, entered_at=NOW, seq=0, **row)
    assert "enrolment 2 (b in j) entered and never took a step" in str(wrong(sound, settings, [CLICK]))


def test_somebody_who_is_not_where_her_last_step_led_is_named(sound: Database, settings: Settings) -> None:
    put(sound, Step, enrolment_id=1, seq=3, visit=1, at=NOW, hash="h", arm="treated", state="won", cause="answer")
    assert "enrolment 1 in j is call, and its last step led to won" in str(wrong(sound, settings, [CLICK]))


def test_a_withdrawal_that_was_not_heeded_is_named(sound: Database, settings: Settings) -> None:
    put(
        sound,
        Consent,
        customer_id="a",
        channel="sms",
        purpose="marketing",
        granted=True,
        at=NOW,
        source="import",
    )
    said = Answer("consent.withdrawn", "a/sms", "/v1/sms/twilio/inbound", 200, NOW)
    assert wrong(sound, settings, [CLICK, said]) == {
        "whoever withdrew has no consent left there": ("a/sms is still granted",)
    }


def _mail(sink: Path, key: str) -> None:
    (sink / f"00000009-{key}.eml").write_text(f"Message-ID: <{key}@shop.example>\n\nhello\n")
