"""The post: letters' rows. A letter is open until the cut-off of its print run, and can be withdrawn as long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, select, update

from dsl.localtime import clock_time, next_local
from engine import events, went
from engine.db import chunked, insert_new, table
from engine.errors import Conflict, NotFound
from engine.settings import Settings
from engine.tables import Letter, Message, MessageEvent, PrintRun

__all__ = ["Placed", "fail", "get", "hand_over", "keep", "log", "open_run", "withdraw", "withdraw_one"]

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a letter stands in its run: what its row is told when it is handed over."""

    key: str
    file: str
    sequence: int
    first_page: int
    pages: int
    provider_id: str | None = None


def keep(conn: Connection, settings: Settings, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Insert letters, each with the run that is open. A key that is there already is passed over."""
    if rows:
        run = open_run(conn, settings, now)
        insert_new(conn, Letter, [{**row, "run": run, "status": "open"} for row in rows])


def open_run(conn: Connection, settings: Settings, now: datetime) -> str:
    """The name of the run that letters of `now` are printed with: it closes at the next cut-off."""
    zone, clock, moment = ZoneInfo(settings.zone), clock_time(settings.letter_cutoff), now
    target = table(PrintRun)
    while True:
        cut_off = next_local(moment, zone, clock)
        name = f"{cut_off.astimezone(zone):%Y-%m-%d-%H%M}"
        row = {"name": name, "status": "open", "cut_off_at": cut_off, "letters": 0, "pages": 0}
        insert_new(conn, PrintRun, [row])
        # The row stays locked until we commit: who closes the run waits for us, or we find it closed.
        asked = select(target.c.status).where(target.c.name == name).with_for_update(read=True)
        if conn.execute(asked).scalar_one() == "open":
            return name
        moment = cut_off


def withdraw(conn: Connection, of: Sequence[str | int], reason: str, now: datetime) -> list[str]:
    """Withdraw the open letters of these message keys (text) and enrolments (numbers); returns the keys withdrawn."""
    target = table(Letter)
    gone: list[str] = []
    for piece in chunked(of, _CHUNK):
        named = target.c.key.in_([each for each in piece if isinstance(each, str)])
        theirs = target.c.enrolment_id.in_([each for each in piece if not isinstance(each, str)])
        statement = (
            update(target)
            .where(named | theirs, target.c.status == "open")
            .values(status="withdrawn", reason=reason, settled_at=now)
            .returning(target.c.key)
        )
        gone.extend(conn.execute(statement).scalars())
    _settle(conn, [(key, "not_sent", reason) for key in gone], "withdrawn", now)
    return gone


def withdraw_one(conn: Connection, key: str, reason: str, now: datetime) -> Letter:
    """Withdraw a letter. Again is no harm. Raises NotFound, Conflict (its run was closed)."""
    withdraw(conn, [key], reason, now)
    letter = get(conn, key)
    if letter.status != "withdrawn":
        raise Conflict(
            "run_closed", f"letter {key} can't be withdrawn any more: it is {letter.status} with the run {letter.run}"
        )
    return letter


def fail(conn: Connection, wrong: Mapping[str, str], now: datetime) -> None:
    """Letters that can't be printed, or that the provider won't take: they leave their run, rows and journeys are told why."""
    target = table(Letter)
    for key, reason in wrong.items():
        conn.execute(
            update(target).where(target.c.key == key).values(status="failed", reason=reason[:500], settled_at=now)
        )
    _settle(conn, [(key, "failed", reason[:500]) for key, reason in wrong.items()], "failed", now)
    for key, reason in wrong.items():
        letter = events.sent_as(conn, key)
        if letter is not None:
            told, of = {"detail": reason[:500]}, f"letter:{key}:undelivered"
            events.answer(conn, letter, "undelivered", now, source="printing", payload=told, event_id=of)


def hand_over(conn: Connection, run: str, placed: Sequence[Placed], cost: int, now: datetime) -> None:
    """Write down where these letters are, and what each cost. Once: one that is handed over already stays as it is."""
    target, message = table(Letter), table(Message)
    new: list[Placed] = []
    for each in placed:
        done = conn.execute(
            update(target)
            .where(target.c.key == each.key, target.c.status == "closed")
            .values(
                status="handed over",
                file=each.file,
                sequence=each.sequence,
                first_page=each.first_page,
                pages=each.pages,
                provider_id=each.provider_id,
                settled_at=now,
            )
        )
        if done.rowcount:
            new.append(each)
    if new:
        conn.execute(
            update(message)
            .where(message.c.key == bindparam("of"))
            .values(provider_id=bindparam("theirs"), cost=bindparam("price")),
            [{"of": p.key, "theirs": p.provider_id or f"{run}/{p.file}#{p.sequence}", "price": cost} for p in new],
        )
        went.tell_of(conn, [each.key for each in new], now)
        log(conn, [(p.key, "handed over", p.provider_id or f"{run}, number {p.sequence}") for p in new], now)


def get(conn: Connection, key: str) -> Letter:
    """A letter by its key. Raises NotFound."""
    target = table(Letter)
    row = conn.execute(select(target).where(target.c.key == key)).mappings().first()
    if row is None:
        raise NotFound("letter_not_found", f"there is no letter {key!r}")
    return Letter(**row)


def log(conn: Connection, entries: Sequence[tuple[str, str, str]], now: datetime) -> None:
    """Lines of messages' time-lines: key, status, detail."""
    rows = [{"key": key, "status": status, "detail": detail, "at": now} for key, status, detail in entries]
    insert_new(conn, MessageEvent, rows)


def _settle(conn: Connection, changes: Sequence[tuple[str, str, str]], event: str, now: datetime) -> None:
    message = table(Message)
    if changes:
        conn.execute(
            update(message)
            .where(message.c.key == bindparam("of"))
            .values(status=bindparam("new"), reason=bindparam("why"), settled_at=now),
            [{"of": key, "new": status, "why": reason} for key, status, reason in changes],
        )
        log(conn, [(key, event, reason) for key, _, reason in changes], now)
