"""Consent: the newest word, its event, and nothing for the same word again, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from engine import consent, events, suppressions
from engine.db import Database, table
from engine.errors import Invalid, NotFound
from engine.tables import Suppression

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


def test_a_word_is_a_row_and_an_event_and_the_same_again_is_neither(db: Database) -> None:
    later = NOW + timedelta(days=1)
    with db.write() as conn:
        assert consent.grant(conn, "c1", "email", "marketing", "api", NOW)
        assert not consent.grant(conn, "c1", "email", "marketing", "form", later)
        assert consent.withdraw(conn, "c1", "email", "marketing", "unsubscribe link", later, "1-1-0")
        assert not consent.withdraw(conn, "c1", "email", "marketing", "unsubscribe link", later)
    with db.read() as conn:
        (row,) = consent.of(conn, "c1")
        assert (row.granted, row.at, row.source) == (False, later, "unsubscribe link")
        assert [(event.name, event.message_key, event.payload) for event in events.since(conn, 0, 10)] == [
            ("consent.granted", None, {"channel": "email", "purpose": "marketing"}),
            ("consent.withdrawn", None, {"channel": "email", "purpose": "marketing", "message": "1-1-0"}),
        ]


def test_withdrawing_where_nothing_was_granted_is_a_word_too(db: Database) -> None:
    with db.write() as conn:
        assert consent.withdraw(conn, "c1", "sms", "marketing", "sms STOP", NOW)
        assert [event.name for event in events.since(conn, 0, 10)] == ["consent.withdrawn"]


def test_two_withdrawals_at_once_are_one_event(db: Database) -> None:
    with db.write() as conn:
        consent.grant(conn, "c1", "email", "marketing", "api", NOW)

    def withdraw(_: int) -> bool:
        with db.write() as conn:
            return consent.withdraw(conn, "c1", "email", "marketing", "unsubscribe link", NOW)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(withdraw, range(6))) == [False] * 5 + [True]
    with db.read() as conn:
        assert [event.name for event in events.since(conn, 0, 10)] == ["consent.granted", "consent.withdrawn"]


def test_many_words_in_one_go_the_last_of_a_customer_counts(db: Database) -> None:
    words = [consent.Word(f"c{number % 50}", "letter", granted=number % 3 == 0) for number in range(500)]
    with db.write() as conn:
        changed = consent.record(conn, words, "import", NOW)
        assert len(changed) == 50
        assert consent.record(conn, [], "import", NOW) == []
        assert consent.of(conn, "c49")[0].granted == (499 % 3 == 0)


def test_unknown_channels_and_purposes_are_refused(sqlite: Database) -> None:
    with sqlite.write() as conn:
        for channel, purpose in (("pigeon", "marketing"), ("email", "fun")):
            with pytest.raises(Invalid, match="it must be one of"):
                consent.withdraw(conn, "c1", channel, purpose, "api", NOW)
        with pytest.raises(Invalid):
            consent.suppress(conn, "pigeon", "x", "bounce", "smtp", NOW)
        assert consent.of(conn, "c1") == []


def test_a_suppression_is_listed_and_taken_back_with_who_and_why(db: Database) -> None:
    with db.write() as conn:
        for channel, address in (
            ("email", "a@example.com"),
            ("email", "b_@example.com"),
            ("letter", "c1 @0a1b"),
            ("sms", "c1"),
        ):
            consent.suppress(conn, channel, address, "hard bounce", "smtp", NOW)
        consent.suppress(conn, "letter", "c11 @0a1b", "returned", "post", NOW)
    with db.read() as conn:
        assert [row.address for row in suppressions.listed(conn, channel="email")] == [
            "a@example.com",
            "b_@example.com",
        ]
        assert [row.address for row in suppressions.listed(conn, address="c1")] == ["c1 @0a1b", "c1"]
        assert len(suppressions.listed(conn, after=("email", "b_@example.com"))) == 3
        assert [row.channel for row in suppressions.listed(conn, most=2, after=("email", "a@example.com"))] == [
            "email",
            "letter",
        ]
    with db.write() as conn:
        with pytest.raises(Invalid, match="why"):
            suppressions.lift(conn, "email", "a@example.com", "ada", " ", NOW)
        with pytest.raises(NotFound):
            suppressions.lift(conn, "email", "nobody@example.com", "ada", "x", NOW)
        suppressions.lift(conn, "email", "a@example.com", "ada", "their server was full", NOW)
    with db.read() as conn:
        (kept,) = suppressions.lifts(conn)
        assert (kept.address, kept.reason, kept.who, kept.why) == (
            "a@example.com",
            "hard bounce",
            "ada",
            "their server was full",
        )
        assert suppressions.listed(conn, address="a@example.com") == []


def test_the_first_reason_of_a_suppression_stays(db: Database) -> None:
    with db.write() as conn:
        consent.suppress(conn, "email", "a@example.com", "hard bounce", "smtp", NOW)
        consent.suppress(conn, "email", "a@example.com", "complaint", "arf", NOW)
        assert conn.execute(select(table(Suppression).c.reason)).scalar() == "hard bounce"
