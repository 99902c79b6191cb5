"""Publishing, the switch, the books, the report and a customer's path, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from dsl.ir import IR, After, Answer, Arrow, Entry, Goal, State
from dsl.ir_json import from_json, to_json
from engine import approval, journeys, paths, reports
from engine.db import Database, insert_new, table
from engine.errors import Conflict, NotFound
from engine.events import Incoming, accept
from engine.tables import Enrolment, EntryRefusal, LateAnswer, Message, MessageEvent, Step, TemplateVersion
from engine.templating.templates import Template

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
PURCHASED = Answer("shop.purchased", "customer")


def journey(days: int = 3, **changes: Any) -> IR:
    mail = State(
        "mail",
        "email",
        (Arrow(Answer("email.clicked", "send"), "won"), Arrow(After(seconds=days * 86_400), "lapsed")),
        template="win_back/mail",
    )
    ends = (State("won", "goal"), State("lapsed", "final"))
    made = IR("win_back", "marketing", Entry("api"), (mail, *ends), title="WinBack", doc="Bring them back.")
    return replace(made, **changes)


MAIL = Template("win_back/mail", "email", "en", "<mjml/>", "t1")


def enrolment(number: int, ir: IR, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "journey": ir.name,
        "hash": ir.hash,
        "customer_id": f"c{number}",
        "slot": f"c{number}",
        "entry": f"api:{number}",
        "arm": "treated",
        "entered_at": NOW,
        "state": "mail",
        "state_since": NOW,
        "seq": 1,
        "ended_at": None,
        "end_reason": None,
        **changes,
    }


def test_publishing_the_same_behaviour_again_is_one_version(db: Database) -> None:
    first, other = journey(), journey(days=5)
    with db.write() as conn:
        one = journeys.publish(conn, first, "ada", NOW, [MAIL])
        again = journeys.publish(conn, replace(first, doc="Reworded."), "bob", NOW + timedelta(days=1), [MAIL])
        two = journeys.publish(conn, other, "bob", NOW + timedelta(days=2))
    assert (one.version, again.version, two.version) == (1, 1, 2)
    assert again.published_by == "ada"
    with db.read() as conn:
        row = journeys.get(conn, "win_back")
        assert (row.version, row.hash, row.on, row.title) == (2, other.hash, False, "WinBack")
        assert [version.version for version in journeys.versions(conn, "win_back")] == [2, 1]
        assert journeys.load_ir(conn, first.hash) == from_json(to_json(first))
        assert list(conn.execute(select(table(TemplateVersion).c.hash)).scalars()) == ["t1"]
    with db.write() as conn:
        assert journeys.publish(conn, first, "ada", NOW).version == 1
        assert journeys.get(conn, "win_back").version == 1
        assert journeys.publish(conn, journey(days=7), "ada", NOW).version == 3


def test_versions_count_up_without_gaps_when_many_publish_at_once(db: Database) -> None:
    def publish(days: int) -> int:
        with db.write() as conn:
            return journeys.publish(conn, journey(days), "ada", NOW).version

    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(publish, range(1, 13)))
    assert sorted(numbers) == list(range(1, 13))


def test_L7_the_switch_is_idempotent_and_audited(db: Database) -> None:
    with db.write() as conn:
        journeys.publish(conn, journey(), "ada", NOW)
        assert journeys.switch(conn, "win_back", True, "ada", "spring", NOW)
        assert not journeys.switch(conn, "win_back", True, "bob", "again", NOW)
        journeys.publish(conn, journey(days=5), "ada", NOW)
        assert journeys.get(conn, "win_back").on
        assert journeys.switch(conn, "win_back", False, "bob", "too many", NOW)
        with pytest.raises(NotFound, match="published: win_back"):
            journeys.switch(conn, "winback", True, "bob", "", NOW)
    with db.read() as conn:
        assert [(row.on, row.who, row.why) for row in journeys.toggles(conn, "win_back")] == [
            (False, "bob", "too many"),
            (True, "ada", "spring"),
        ]


def test_L7_a_second_person_approves_of_the_version_that_was_asked_for(db: Database) -> None:
    with db.write() as conn:
        journeys.publish(conn, journey(), "ada", NOW)
        assert approval.ask(conn, "win_back", "ada", "spring", NOW)
        assert not journeys.get(conn, "win_back").on
    with pytest.raises(Conflict, match="ada has asked for it"), db.write() as conn:
        approval.approve(conn, "win_back", "ada", NOW)
    with db.write() as conn:
        journeys.publish(conn, journey(days=5), "ada", NOW)
    with pytest.raises(Conflict, match="version 2 of win_back is newer than what ada asked for"), db.write() as conn:
        approval.approve(conn, "win_back", "bob", NOW)
    with db.write() as conn:
        assert approval.ask(conn, "win_back", "ada", "spring, anew", NOW)
        approval.approve(conn, "win_back", "bob", NOW)
        assert not approval.ask(conn, "win_back", "ada", "again", NOW), "it is on"
        assert approval.waiting(conn, "win_back") is None
    with pytest.raises(Conflict, match="nobody has asked"), db.write() as conn:
        approval.approve(conn, "win_back", "bob", NOW)
    with db.write() as conn:
        (row,) = journeys.toggles(conn, "win_back")
        assert (row.on, row.who, row.why, row.approved_by) == (True, "ada", "spring, anew", "bob")
        journeys.switch(conn, "win_back", False, "cat", "", NOW)
        assert approval.ask(conn, "win_back", "ada", "", NOW)
        journeys.switch(conn, "win_back", False, "cat", "no", NOW)
        assert approval.waiting(conn, "win_back") is None, "off says no to it"


def test_what_is_not_published_is_said_so(db: Database) -> None:
    with db.read() as conn:
        with pytest.raises(NotFound, match="none is published yet"):
            journeys.get(conn, "win_back")
        with pytest.raises(NotFound):
            journeys.load_ir(conn, "0" * 64)
        assert journeys.books(conn, "win_back") == journeys.Books()
        assert journeys.counts(conn, "win_back") == {}


def test_M4_the_books_balance_and_L1_versions_are_told_apart(db: Database) -> None:
    old, new = journey(), journey(days=5)
    ended = {"ended_at": NOW, "state_since": NOW}
    rows = [
        enrolment(1, old),
        enrolment(2, old, state="won", end_reason="won", **ended),
        enrolment(3, new, state="lapsed", end_reason="lapsed", **ended),
        enrolment(4, new, state="mail", end_reason="killed", **ended),
        enrolment(5, new, state=None, end_reason="rejected: off", **ended),
        enrolment(6, new, state=None),
    ]
    with db.write() as conn:
        for ir in (old, new):
            journeys.publish(conn, ir, "ada", NOW)
        insert_new(conn, Enrolment, rows)
    with db.read() as conn:
        books = journeys.books(conn, "win_back")
        assert books == journeys.Books(6, 2, {"killed": 1, "lapsed": 1, "rejected: off": 1, "won": 1})
        assert books.entered == books.active + sum(books.ended.values())
        assert journeys.counts(conn, "win_back") == {"mail": 1, "won": 1, "lapsed": 1}
        assert journeys.books(conn, "win_back", old.hash) == journeys.Books(2, 1, {"won": 1})
        assert journeys.counts(conn, "win_back", new.hash) == {"lapsed": 1}
        assert journeys.all_books(conn) == {"win_back": books}


def step(number: int, seq: int, state: str, cause: str, ir: IR, **more: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"event_seq": None, "detail": None, "at": NOW + timedelta(hours=seq)}
    return {
        **base,
        "enrolment_id": number,
        "seq": seq,
        "state": state,
        "cause": cause,
        "hash": ir.hash,
        "arm": "treated",
        **more,
    }


def message(number: int, ir: IR, **changes: Any) -> dict[str, Any]:
    return {
        "key": f"{number}-1-0",
        "enrolment_id": number,
        "customer_id": f"c{number}",
        "journey": ir.name,
        "hash": ir.hash,
        "state": "mail",
        "visit": 1,
        "arm": "treated",
        "channel": "email",
        "purpose": "marketing",
        "status": "sent",
        "reason": None,
        "detail": None,
        "cost": 1,
        "reserved_at": NOW,
        **changes,
    }


def test_M5_a_path_says_how_she_got_there_and_why_not(db: Database) -> None:
    ir = journey()
    with db.write() as conn:
        journeys.publish(conn, ir, "ada", NOW)
        insert_new(conn, Enrolment, [enrolment(1, ir, state="won", ended_at=NOW, end_reason="won")])
        insert_new(conn, Enrolment, [enrolment(2, ir, customer_id="c1")])
        accept(conn, [Incoming("e1", "email.clicked", NOW, "c1", "1-1-0", {"link": "shop"}, "link")], NOW)
        accept(conn, [Incoming("e2", "email.clicked", NOW, "c1", "1-1-0", {"link": "shop"}, "link")], NOW)
        insert_new(
            conn,
            Step,
            [
                step(1, 1, "mail", "entry", ir),
                step(1, 2, "won", "answer", ir, event_seq=1),
                step(2, 1, "mail", "entry", ir),
            ],
        )
        insert_new(conn, Message, [message(1, ir)])
        no = {"status": "not_sent", "reason": "no consent", "detail": {"channel": "email"}}
        insert_new(conn, Message, [message(2, ir, customer_id="c1", **no)])
        insert_new(conn, MessageEvent, [{"key": "1-1-0", "status": "sent", "detail": "250 ok", "at": NOW}])
        insert_new(
            conn, LateAnswer, [{"event_seq": 2, "enrolment_id": 1, "state": "won", "reason": "ended", "at": NOW}]
        )
        refusal = {"journey": "win_back", "customer_id": "c1", "entry": "api:9", "reason": "active", "at": NOW}
        insert_new(conn, EntryRefusal, [refusal])
    with db.read() as conn:
        second, first = paths.path(conn, "c1", "win_back")
        assert paths.path(conn, "c1", "other") == []
        assert [(row.entry, row.reason) for row in paths.refusals(conn, "c1", "win_back")] == [("api:9", "active")]
    assert [(s.state, s.cause, s.event.name if s.event else None) for s in first.steps] == [
        ("mail", "entry", None),
        ("won", "answer", "email.clicked"),
    ]
    (sent,) = first.steps[0].messages
    assert (sent.status, [(line.status, line.detail) for line in sent.timeline]) == ("sent", [("sent", "250 ok")])
    assert [(late.event.id, late.reason) for late in first.late] == [("e2", "ended")]
    (refused,) = second.steps[0].messages
    assert (refused.status, refused.reason, refused.detail) == ("not_sent", "no consent", {"channel": "email"})


def test_M3_the_report_counts_each_box_and_calls_nothing_incremental_without_a_hold_out(db: Database) -> None:
    ir = journey(goal=Goal(PURCHASED, 30 * 86_400), holdout=20.0)
    arms = ["held_out" if number % 5 == 0 else "treated" for number in range(1, 101)]
    with db.write() as conn:
        journeys.publish(conn, ir, "ada", NOW)
        insert_new(conn, Enrolment, [enrolment(n, ir, arm=arm) for n, arm in enumerate(arms, 1)])
        insert_new(conn, Step, [step(n, 1, "mail", "entry", ir, arm=arm) for n, arm in enumerate(arms, 1)])
        other = {
            1: {"status": "not_sent", "reason": "no consent"},
            3: {"status": "failed", "reason": "hard bounce"},
            4: {"status": "failed", "reason": "failed"},
        }
        insert_new(conn, Message, [message(n, ir, **other.get(n, {})) | {"arm": arm} for n, arm in enumerate(arms, 1)])
        bought = [n for n in range(1, 101) if n % 2 == 0]
        late = NOW + timedelta(days=31)
        accept(conn, [Incoming(f"p{n}", "shop.purchased", NOW + timedelta(days=1), f"c{n}") for n in bought], NOW)
        accept(conn, [Incoming(f"q{n}", "shop.purchased", late, f"c{n}") for n in (1, 3)], NOW)
        accept(conn, [Incoming(f"r{n}", "shop.purchased", NOW + timedelta(days=2), f"c{n}") for n in (2, 4)], NOW)
        accept(conn, [Incoming(f"k{n}", "email.clicked", NOW, "c2", "2-1-0", {}, "link") for n in range(3)], NOW)
    with db.read() as conn:
        made = reports.report(conn, ir, NOW)
        without = reports.report(conn, replace(ir, holdout=0.0), NOW)
    box = made.boxes[0]
    assert (box.state, box.entered, box.here, box.messages, box.not_sent, box.failed) == (
        "mail",
        100,
        100,
        {"not_sent": 1, "failed": 2, "sent": 97},
        {"no consent": 1},
        {"hard bounce": 1, "failed": 1},
    )
    assert (box.answers, box.cost) == ({"email.clicked": 1}, 100)
    assert [(arm.name, arm.entered, arm.reached) for arm in made.arms] == [("treated", 80, 40), ("held_out", 20, 10)]
    assert made.increment is not None
    assert made.increment.low < made.increment.difference == 0 < made.increment.high
    assert without.increment is None


def test_intervals_are_those_of_the_papers() -> None:
    """Newcombe 1998, table I: 81 of 263 by Wilson's score; table II (a): 56/70 less 48/80 by method 10."""
    assert reports.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert reports.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    found = reports.newcombe(56, 70, 48, 80)
    assert (found.difference, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
