"""Print runs: letters gather until the cut-off, are closed then, in their order for postage, and are handed over once.

What closes a run asks once more what each customer has said, so that nobody is printed who has said no since. From then
on nothing about a run changes: it can be made again, byte by byte, from its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from engine import gate
from engine.db import chunked, table
from engine.errors import NotFound
from engine.gate import Candidate
from engine.letters import post
from engine.settings import Settings
from engine.tables import Journey, Letter, Message, PrintRun

__all__ = ["FILE", "close", "counts", "due", "every", "finish", "get", "letters_of"]

FILE = 100
"""Most letters in one file of a run."""

_UNPRINTED = 1 << 31


def due(conn: Connection, now: datetime) -> list[PrintRun]:
    """The runs whose cut-off is over and that are not handed over, oldest first."""
    target = table(PrintRun)
    query = select(target).where(target.c.status.in_(("open", "closed")), target.c.cut_off_at <= now)
    return [PrintRun(**row) for row in conn.execute(query.order_by(target.c.cut_off_at)).mappings()]


def close(conn: Connection, settings: Settings, name: str, now: datetime) -> None:
    """Close a run: no letter of it can be withdrawn any more.

    Before that, letters are withdrawn of who is suppressed or has taken her consent back since; those of a journey that
    is off go on to the next run.
    """
    run, letter, message, journey = table(PrintRun), table(Letter), table(Message), table(Journey)
    status = conn.execute(select(run.c.status).where(run.c.name == name).with_for_update()).scalar()
    if status != "open":
        return
    fields = [message.c[field] for field in Candidate.__dataclass_fields__ if field in message.c]
    inside = letter.c.run == name, letter.c.status == "open"
    query = select(*fields).join(letter, letter.c.key == message.c.key).where(*inside)
    candidates = [Candidate(**row) for row in conn.execute(query).mappings()]
    by_reason: dict[str, list[str]] = {}
    for key, no in gate.said_no(conn, candidates).items():
        by_reason.setdefault(no.reason, []).append(key)
    for reason, keys in by_reason.items():
        post.withdraw(conn, keys, reason, now)
    conn.execute(update(run).where(run.c.name == name).values(status="closed", closed_at=now))
    on = set(conn.execute(select(journey.c.name).where(journey.c["is_on"])).scalars())
    off = [candidate.key for candidate in candidates if candidate.journey not in on]
    if off:
        later = post.open_run(conn, settings, now)
        for piece in chunked(off):
            conn.execute(update(letter).where(*inside, letter.c.key.in_(piece)).values(run=later))
    conn.execute(update(letter).where(*inside).values(status="closed"))


def letters_of(conn: Connection, name: str, home: str, *statuses: str) -> list[Letter]:
    """A run's letters as they were printed; before that in their order for postage.

    That is: the sender's country first, then by country, postcode, and key.
    """
    target = table(Letter)
    query = select(target).where(target.c.run == name)
    if statuses:
        query = query.where(target.c.status.in_(statuses))
    found = [Letter(**row) for row in conn.execute(query).mappings()]
    return sorted(
        found,
        key=lambda each: (
            each.sequence or _UNPRINTED,
            each.country != home.upper(),
            each.country,
            each.postcode,
            *_numbers(each.key),
        ),
    )


def finish(
    conn: Connection,
    name: str,
    files: Sequence[Mapping[str, Any]],
    letters: int,
    pages: int,
    now: datetime,
    made_of: Mapping[str, Any] | None = None,
) -> None:
    """The run is with the printer."""
    target = table(PrintRun)
    values: dict[str, Any] = {"status": "handed over", "handed_at": now, "files": [dict(each) for each in files]}
    values["made_of"] = dict(made_of) if made_of is not None else None
    conn.execute(
        update(target)
        .where(target.c.name == name, target.c.status == "closed")
        .values(**values, letters=letters, pages=pages)
    )


def get(conn: Connection, name: str) -> PrintRun:
    """A run by its name. Raises NotFound."""
    target = table(PrintRun)
    row = conn.execute(select(target).where(target.c.name == name)).mappings().first()
    if row is None:
        raise NotFound(
            "run_not_found", f"there is no print run {name!r}; a run's name is its cut-off, as 2026-03-02-1600"
        )
    return PrintRun(**row)


def every(conn: Connection, limit: int = 100) -> list[tuple[PrintRun, dict[str, int]]]:
    """The newest runs, each with how many of its letters are in which status."""
    target = table(PrintRun)
    rows = conn.execute(select(target).order_by(target.c.cut_off_at.desc()).limit(limit)).mappings()
    found = [PrintRun(**row) for row in rows]
    counted = counts(conn, [run.name for run in found])
    return [(run, counted[run.name]) for run in found]


def counts(conn: Connection, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many letters of each run are in which status."""
    letter = table(Letter)
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    query = select(letter.c.run, letter.c.status, func.count().label("n")).where(letter.c.run.in_(names))
    for row in conn.execute(query.group_by(letter.c.run, letter.c.status).order_by(letter.c.status)):
        found[row.run][row.status] = row.n
    return found


def _numbers(key: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in key.split("-"))
