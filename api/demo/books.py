"""The books' check: nobody lost, no message twice, every answer accounted for. Each difference is a row that names itself."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_binary_file, policy
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, func, select

from api.demo.ledger import Answer
from engine import events, journeys
from engine.db import table
from engine.settings import Settings
from engine.tables import CallTask, Consent, Enrolment, Event, FeedItem, LateAnswer, Letter, Message, Step

__all__ = ["Check", "check_answers", "check_books"]


@dataclass(frozen=True, slots=True)
class Check:
    """One sentence that must hold: `counted` things were looked at, `differences` are the rows where it does not."""

    name: str
    counted: int
    differences: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.differences

    def shown(self, most: int = 8) -> list[str]:
        """The first few differences, and how many more there are."""
        more = len(self.differences) - most
        return [*self.differences[:most], *([f"… and {more} more"] if more > 0 else [])]


def check_books(
    conn: Connection, settings: Settings, answers: Sequence[Answer], texts: Sequence[Mapping[str, Any]], until: datetime
) -> list[Check]:
    """Every check, with everything stopped: of entries, of what went out, and of answers up to `until`."""
    return [
        *check_answers(conn, answers, until),
        _mails(conn, settings.data / "sink"),
        _texts(conn, texts),
        _kept(conn, "call", table(CallTask).c.id, "call tasks"),
        _kept(conn, "feed", table(FeedItem).c.key, "feed items"),
        _kept(conn, "letter", table(Letter).c.key, "letters", table(Letter).c.status.not_in(("withdrawn", "failed"))),
        _posted(conn, settings.data / "outbox"),
        _nothing_for_the_held_out(conn),
        _settled(conn, until),
    ]


def check_answers(conn: Connection, answers: Sequence[Answer], until: datetime) -> list[Check]:
    """The checks of entries, events and answers up to `until` (journey time): they hold once all had their effect."""
    return [
        _entered(conn, until),
        _dispatched(conn, until),
        _moved(conn, until),
        _answers(conn, answers),
        _withdrawals(conn, answers),
    ]


def _entered(conn: Connection, until: datetime) -> Check:
    books = journeys.all_books(conn)
    wrong = [
        f"{name}: {found.entered} entered, {found.active} active + {sum(found.ended.values())} ended"
        for name, found in books.items()
        if found.entered != found.active + sum(found.ended.values())
    ]
    enrolment, step = table(Enrolment), table(Step)
    lost = conn.execute(
        select(enrolment.c.id, enrolment.c.journey, enrolment.c.customer_id).where(
            enrolment.c.id.not_in(select(step.c.enrolment_id)), enrolment.c.entered_at <= until
        )
    ).all()
    wrong += [f"enrolment {row.id} ({row.customer_id} in {row.journey}) entered and never took a step" for row in lost]
    last = select(step.c.enrolment_id, func.max(step.c.seq).label("seq")).group_by(step.c.enrolment_id).subquery()
    there = (
        select(
            enrolment.c.id, enrolment.c.journey, enrolment.c.state, enrolment.c.end_reason, step.c.state.label("led_to")
        )
        .join(last, last.c.enrolment_id == enrolment.c.id)
        .join(step, and_(step.c.enrolment_id == last.c.enrolment_id, step.c.seq == last.c.seq))
    )
    wrong += [
        f"enrolment {row.id} in {row.journey} is {row.end_reason or row.state}, and its last step led to {row.led_to}"
        for row in conn.execute(there)
        if (row.end_reason or row.state) != row.led_to
    ]
    return Check(
        "entered = active + ended, each where her last step led", sum(b.entered for b in books.values()), tuple(wrong)
    )


def _dispatched(conn: Connection, until: datetime) -> Check:
    event = table(Event)
    waiting = conn.execute(
        select(event.c.id, event.c.name).where(event.c.fate.is_(None), event.c.received_at <= until)
    ).all()
    return Check(
        "every event that was taken in has a fate",
        _count(conn, select(event.c.seq)),
        tuple(f"{row.name} {row.id} has none" for row in waiting),
    )


def _moved(conn: Connection, until: datetime) -> Check:
    """A delivered event moved somebody, let somebody in, or stands among the late answers."""
    event, step, late, enrolment = table(Event), table(Step), table(LateAnswer), table(Enrolment)
    accounted = {row[0] for row in conn.execute(select(step.c.event_seq).where(step.c.event_seq.is_not(None)))}
    accounted |= {row[0] for row in conn.execute(select(late.c.event_seq))}
    for row in conn.execute(select(enrolment.c.entry).where(enrolment.c.entry.startswith("event:"))):
        accounted.add(int(row[0].split(":")[1]))
    delivered = conn.execute(
        select(event.c.seq, event.c.id, event.c.name).where(event.c.fate == "delivered", event.c.received_at <= until)
    ).all()
    lost = [f"{row.name} {row.id} was delivered and left no trace" for row in delivered if row.seq not in accounted]
    return Check("a delivered event moved somebody or is a late answer", len(delivered), tuple(lost))


def _answers(conn: Connection, answers: Sequence[Answer]) -> Check:
    """What the crowd's ledger says was accepted stands in the event table, as often, and nothing that nobody gave does."""
    given = Counter(
        _ledger_key(conn, answer) for answer in answers if answer.accepted and answer.event != "consent.withdrawn"
    )
    event = table(Event)
    names = {name for name, _ in given}
    kept: Counter[tuple[str, str]] = Counter()
    for row in conn.execute(select(event.c.name, event.c.id, event.c.message_key).where(event.c.name.in_(names))):
        ident = row.id.removeprefix(events.OWN).removeprefix("in:").removeprefix("sms:")
        kept[row.name, ident if row.name == "sms.replied" else row.message_key or ident] += 1
    wrong = [
        f"{name} {key}: given {given[name, key]}×, kept {kept[name, key]}×"
        for name, key in sorted(given.keys() | kept.keys())
        if given[name, key] != kept[name, key]
    ]
    return Check("every accepted answer of the ledger is one event", sum(given.values()), tuple(wrong))


def _ledger_key(conn: Connection, answer: Answer) -> tuple[str, str]:
    if answer.event != "letter.answered":
        return answer.event, answer.key
    letter = table(Letter)
    key = conn.execute(select(letter.c.key).where(letter.c.code == answer.key)).scalar()
    return answer.event, str(key or answer.key)


def _withdrawals(conn: Connection, answers: Sequence[Answer]) -> Check:
    """Whoever unsubscribed or said STOP has no consent on that channel any more."""
    asked = sorted({answer.key for answer in answers if answer.accepted and answer.event == "consent.withdrawn"})
    consent = table(Consent)
    granted = {
        f"{row.customer_id}/{row.channel}"
        for row in conn.execute(select(consent.c.customer_id, consent.c.channel).where(consent.c.granted))
    }
    return Check(
        "whoever withdrew has no consent left there",
        len(asked),
        tuple(f"{key} is still granted" for key in asked if key in granted),
    )


def _mails(conn: Connection, sink: Path) -> Check:
    found: Counter[str] = Counter()
    for path in sink.glob("*.eml"):
        with path.open("rb") as file:
            ident = str(message_from_binary_file(file, policy=policy.compat32).get("Message-ID", path.name))
        found[ident.strip("<> ").split("@")[0]] += 1
    return _compare(conn, "email", found, "mails in the sink")


def _texts(conn: Connection, texts: Sequence[Mapping[str, Any]]) -> Check:
    message = table(Message)
    ids = {
        row.provider_id: row.key
        for row in conn.execute(
            select(message.c.provider_id, message.c.key).where(
                message.c.channel == "sms", message.c.provider_id.is_not(None)
            )
        )
    }
    found = Counter(ids.get(str(text["sid"]), f"unknown {text['sid']}") for text in texts)
    return _compare(conn, "sms", found, "texts at the gateway")


def _kept(conn: Connection, channel: str, column: Any, what: str, *where: Any) -> Check:
    return _compare(conn, channel, Counter(str(row[0]) for row in conn.execute(select(column).where(*where))), what)


def _posted(conn: Connection, outbox: Path) -> Check:
    """Each letter that was handed over stands in one manifest, once; no other does."""
    letter = table(Letter)
    over = letter.c.status.in_(("handed over", "returned"))
    handed = {row.key: row.run for row in conn.execute(select(letter.c.key, letter.c.run).where(over))}
    found: Counter[tuple[str, str]] = Counter()
    for manifest in outbox.glob("[!.]*/manifest.csv"):
        with manifest.open(newline="", encoding="utf-8") as file:
            found.update((row["letter_id"], manifest.parent.name) for row in csv.DictReader(file))
    wrong = [f"{key} is in run {run} {number}×" for (key, run), number in sorted(found.items()) if number > 1]
    wrong += [
        f"{key} was handed over with {run} and is not there" for key, run in handed.items() if (key, run) not in found
    ]
    wrong += [f"{key} is in run {run} and was not handed over" for key, run in found if handed.get(key) != run]
    return Check("every letter handed over is in its run once", len(handed), tuple(wrong))


def _compare(conn: Connection, channel: str, found: Counter[str], what: str) -> Check:
    """Each message that went out is there once, and nothing else is."""
    message = table(Message)
    sent = {
        row.key
        for row in conn.execute(
            select(message.c.key).where(message.c.channel == channel, message.c.status.in_(("sent", "delivered")))
        )
    }
    wrong = [f"{key} is there {number}×" for key, number in sorted(found.items()) if number > 1]
    wrong += [f"{key} was sent and is not there" for key in sorted(sent - found.keys())]
    wrong += [f"{key} is there and was not sent" for key in sorted(found.keys() - sent)]
    return Check(f"{what}: each message key once", len(sent), tuple(wrong))


def _nothing_for_the_held_out(conn: Connection) -> Check:
    message = table(Message)
    arm = select(message.c.key, message.c.status).where(message.c.arm == "held_out", message.c.purpose == "marketing")
    rows = conn.execute(arm).all()
    wrong = [f"{row.key} is {row.status}" for row in rows if row.status not in ("held_out", "not_sent")]
    return Check("nothing was sent to the held-out", len(rows), tuple(wrong))


def _settled(conn: Connection, until: datetime) -> Check:
    message = table(Message)
    rows = conn.execute(
        select(message.c.key, message.c.channel).where(
            message.c.status.in_(("reserved", "unknown", "deferred")), message.c.reserved_at <= until
        )
    ).all()
    return Check(
        "every message is settled",
        _count(conn, select(message.c.key)),
        tuple(f"{row.channel} {row.key} is not" for row in rows),
    )


def _count(conn: Connection, query: Any) -> int:
    return int(conn.execute(select(func.count()).select_from(query.subquery())).scalar_one())
