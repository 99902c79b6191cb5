"""The gate's two ways of asking agree: rule by rule, and all rules in the one question before the call."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import OperationalError

from dsl.ir import IR, After, Arrow, Entry, State
from engine import consent, gate
from engine.db import Database, table
from engine.enrolments import Applicant, enter
from engine.gate import Candidate
from engine.journeys import publish, switch
from engine.tables import Consent, Customer, Enrolment, Journey, Suppression

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
MAIL = IR(
    name="one_mail",
    title="OneMail",
    purpose="marketing",
    entry=Entry("api"),
    states=(State("mail", "email", (Arrow(After(86_400), "done"),), template="t"), State("done", "final")),
)
ANN = Candidate("1-1-0", 1, "ann", MAIL.name, MAIL.hash, "mail", 1, "treated", "email", "marketing", "ann@example.com")


def all_is_well(db: Database) -> None:
    with db.write() as conn:
        conn.execute(table(Customer).insert(), [{"id": "ann", "attributes": {}, "created_at": NOW, "updated_at": NOW}])
        publish(conn, MAIL, "test", NOW)
        switch(conn, MAIL.name, True, "test", "", NOW)
        enter(conn, MAIL, [Applicant("ann", "api:ann", None, NOW)], NOW)
        consent.grant(conn, "ann", "email", "marketing", "api", NOW)


@pytest.mark.parametrize("purpose", ["marketing", "transactional"])
def test_C2_the_last_look_is_clear_where_no_rule_says_no(db: Database, purpose: str) -> None:
    all_is_well(db)
    ann = replace(ANN, purpose=purpose)
    said: set[str] = set()
    for ended, suppressed, granted, on in product((False, True), (False, True), (None, False, True), (False, True)):
        with db.write() as conn:
            conn.execute(
                update(table(Enrolment)).values(ended_at=NOW if ended else None, end_reason="left" if ended else None)
            )
            conn.execute(delete(table(Suppression)))
            if suppressed:
                consent.suppress(conn, "email", "ann@example.com", "bounced", "provider", NOW)
            conn.execute(delete(table(Consent)))
            if granted is not None:
                row = {"customer_id": "ann", "channel": "email", "purpose": "marketing"}
                conn.execute(table(Consent).insert(), [row | {"granted": granted, "at": NOW, "source": "api"}])
            conn.execute(update(table(Journey)).values(is_on=on))
            refused = gate.judge(conn, [ann])
        said |= {no.reason for no in refused.values()}
        assert gate.clear(db, ann) == (db.is_sqlite and not refused), (ended, suppressed, granted, on)
    words = {"consent withdrawn", "no consent"} if purpose == "marketing" else set[str]()
    assert said == {"ended", "suppressed", "journey off"} | words


def test_C2_a_word_is_seen_as_soon_as_it_is_kept_and_not_before(sqlite: Database) -> None:
    all_is_well(sqlite)
    assert gate.clear(sqlite, ANN)
    with sqlite.write() as conn:
        consent.withdraw(conn, "ann", "email", "marketing", "unsubscribe link", NOW)
        assert gate.clear(sqlite, ANN)
    assert not gate.clear(sqlite, ANN)


def test_C2_consent_that_cant_be_read_is_no_leave_to_write(sqlite: Database) -> None:
    all_is_well(sqlite)
    assert gate.clear(sqlite, ANN)
    with sqlite.write() as conn:
        conn.exec_driver_sql("ALTER TABLE consent RENAME TO consent_away")
    assert not gate.clear(sqlite, ANN)
    with sqlite.read() as conn, pytest.raises(OperationalError, match="consent"):
        gate.judge(conn, [ANN])


def test_a_database_that_was_closed_can_be_asked_again(sqlite: Database) -> None:
    all_is_well(sqlite)
    for _ in range(2):
        assert gate.clear(sqlite, ANN)
        sqlite.close()
