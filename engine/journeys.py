"""Published journeys: versions by content, the switch, the books, and where the customers are.

A version is content-addressed: publishing the same behaviour twice is one version. `entered = active + ended by each
reason` counts rows of `enrolment`, so it holds at every moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, delete, func, or_, select, true, update

from dsl.ir import IR
from dsl.ir_json import from_json, to_json
from engine import knob_changes
from engine.db import insert_new, table
from engine.errors import NotFound
from engine.tables import Enrolment, Journey, JourneyRequest, JourneyToggle, JourneyVersion
from engine.templating.templates import Template
from engine.templating.versions import store
from engine.tuning import tuned

__all__ = [
    "Books",
    "all_books",
    "books",
    "counts",
    "every",
    "get",
    "load_code",
    "load_ir",
    "lock",
    "make_current",
    "publish",
    "switch",
    "toggles",
    "version",
    "versions",
]


@dataclass(frozen=True, slots=True)
class Books:
    """A journey's books: `entered = active + sum(ended.values())`."""

    entered: int = 0
    active: int = 0
    ended: Mapping[str, int] = field(default_factory=dict[str, int])


def publish(conn: Connection, ir: IR, who: str, now: datetime, templates: Sequence[Template] = ()) -> JourneyVersion:
    """Make this behaviour the journey's newest version. One that was published before keeps its number, and is current again.

    A knob that was turned stays as it was turned, where the code still has it and the value fits: then the version that is
    current, and given back, is the code's with that value in it. Knobs that don't fit any more are let go, and a row says so.
    A journey is off until it is switched on; a new version leaves the switch as it is.
    """
    facts = {
        "title": ir.title,
        "doc": ir.doc,
        "code_hash": ir.hash,
        "knobs": to_json(ir).get("knobs", []),
    }
    insert_new(conn, Journey, [{"name": ir.name, "hash": ir.hash, "version": 0, "is_on": False, **facts}])
    journey = table(Journey)
    lock(conn, ir.name)
    conn.execute(update(journey).where(journey.c.name == ir.name).values(**facts))
    row = make_current(conn, ir, who, now)
    store(conn, templates, now, published=True)
    turned, unfit = knob_changes.holding(conn, ir)
    if turned:
        row = make_current(conn, tuned(ir, turned), who, now)
    knob_changes.let_go(conn, ir.name, unfit, row.version, who, now)
    return row


def make_current(conn: Connection, ir: IR, who: str, now: datetime) -> JourneyVersion:
    """Keep this behaviour as a version, if it isn't one already, and let customers enter with it from now on."""
    lock(conn, ir.name)
    journey, kept = table(Journey), table(JourneyVersion)
    newest = conn.execute(select(func.max(kept.c.version)).where(kept.c.journey == ir.name)).scalar()
    insert_new(
        conn,
        JourneyVersion,
        [
            {
                "hash": ir.hash,
                "journey": ir.name,
                "version": (newest or 0) + 1,
                "ir": to_json(ir),
                "published_at": now,
                "published_by": who,
            }
        ],
    )
    row = JourneyVersion(**conn.execute(select(kept).where(kept.c.hash == ir.hash)).mappings().one())
    conn.execute(update(journey).where(journey.c.name == ir.name).values(hash=ir.hash, version=row.version))
    return row


def lock(conn: Connection, name: str) -> None:
    """One at a time: versions count up without gaps, and no turn of a knob is lost to another."""
    journey = table(Journey)
    conn.execute(select(journey.c.name).where(journey.c.name == name).with_for_update()).one()


def switch(
    conn: Connection, name: str, on: bool, who: str, why: str, now: datetime, *, approved_by: str | None = None
) -> bool:
    """Turn a journey on or off, and note who did it and why. False if it was so already: nothing is noted.

    What was asked for before, and not approved, is settled by it (`engine.approval`). Raises NotFound.
    """
    journey, asked = table(Journey), table(JourneyRequest)
    conn.execute(delete(asked).where(asked.c.journey == name))
    change = update(journey).where(journey.c.name == name, journey.c.is_on.is_(not on)).values(is_on=on)
    if conn.execute(change).rowcount == 0:
        get(conn, name)
        return False
    row = {"journey": name, "is_on": on, "at": now, "who": who, "why": why, "approved_by": approved_by}
    conn.execute(table(JourneyToggle).insert(), [row])
    return True


def get(conn: Connection, name: str) -> Journey:
    """A journey by its name. Raises NotFound, naming those there are."""
    journey = table(Journey)
    for row in _journeys(conn, journey.c.name == name):
        return row
    names = conn.execute(select(journey.c.name).order_by(journey.c.name)).scalars()
    known = ", ".join(names) or "none is published yet"
    raise NotFound("journey_not_found", f"there is no journey {name!r}; published: {known}")


def every(conn: Connection) -> list[Journey]:
    """Every published journey, by name."""
    return _journeys(conn)


def versions(conn: Connection, name: str) -> list[JourneyVersion]:
    """A journey's versions, the newest first."""
    kept = table(JourneyVersion)
    query = select(kept).where(kept.c.journey == name).order_by(kept.c.version.desc())
    return [JourneyVersion(**row) for row in conn.execute(query).mappings()]


def version(conn: Connection, name: str, number: int) -> JourneyVersion:
    """One version of a journey. Raises NotFound."""
    kept = table(JourneyVersion)
    row = conn.execute(select(kept).where(kept.c.journey == name, kept.c.version == number)).mappings().first()
    if row is None:
        raise NotFound("version_not_found", f"journey {name!r} has no version {number}")
    return JourneyVersion(**row)


def toggles(conn: Connection, name: str) -> list[JourneyToggle]:
    """Who turned a journey on or off, the newest first."""
    kept = table(JourneyToggle)
    query = select(kept, kept.c.is_on.label("on")).where(kept.c.journey == name).order_by(kept.c.id.desc())
    return [
        JourneyToggle(**{column: value for column, value in row.items() if column != "is_on"})
        for row in conn.execute(query).mappings()
    ]


def load_ir(conn: Connection, digest: str) -> IR:
    """The IR of a hash. Raises NotFound."""
    kept = table(JourneyVersion)
    obj = conn.execute(select(kept.c.ir).where(kept.c.hash == digest)).scalar()
    if obj is None:
        raise NotFound("version_not_found", f"no journey with the hash {digest[:12]} is published")
    return from_json(obj)


def load_code(conn: Connection, name: str) -> IR:
    """The IR as the code says it, with no knob turned; its knobs have the newest bounds and labels. Raises NotFound."""
    row = get(conn, name)
    kept = table(JourneyVersion)
    obj = conn.execute(select(kept.c.ir).where(kept.c.hash == row.code_hash)).scalar_one()
    return from_json({**obj, "knobs": row.knobs})


def counts(conn: Connection, name: str, digest: str | None = None) -> dict[str, int]:
    """How many customers are in each state: at a box those waiting there, at an end those who ended there.

    `digest` narrows it to those who entered with one version.
    """
    enrolment = table(Enrolment)
    here = or_(enrolment.c.ended_at.is_(None), enrolment.c.end_reason == enrolment.c.state)
    query = (
        select(enrolment.c.state, func.count())
        .where(enrolment.c.journey == name, enrolment.c.state.is_not(None), here)
        .group_by(enrolment.c.state)
    )
    if digest is not None:
        query = query.where(enrolment.c.hash == digest)
    return {row[0]: row[1] for row in conn.execute(query)}


def books(conn: Connection, name: str, digest: str | None = None) -> Books:
    """A journey's books, of all its versions or of one."""
    return all_books(conn, name, digest).get(name, Books())


def all_books(conn: Connection, name: str | None = None, digest: str | None = None) -> dict[str, Books]:
    """The books of every journey that somebody entered, in one query."""
    enrolment = table(Enrolment)
    reason = case((enrolment.c.ended_at.is_(None), None), else_=func.coalesce(enrolment.c.end_reason, "ended"))
    each = (
        select(enrolment.c.journey, reason.label("reason"))
        .where(
            and_(
                enrolment.c.journey == name if name is not None else true(),
                enrolment.c.hash == digest if digest is not None else true(),
            )
        )
        .subquery()
    )
    query = select(each.c.journey, each.c.reason, func.count()).group_by(each.c.journey, each.c.reason)
    found: dict[str, dict[str | None, int]] = {}
    for journey, why, number in conn.execute(query):
        found.setdefault(journey, {})[why] = number
    return {
        journey: Books(
            sum(of.values()),
            of.get(None, 0),
            {why: number for why, number in sorted(of.items(), key=str) if why is not None},
        )
        for journey, of in found.items()
    }


def _journeys(conn: Connection, *where: ColumnElement[bool]) -> list[Journey]:
    journey = table(Journey)
    query = select(journey, journey.c.is_on.label("on")).where(*where).order_by(journey.c.name)
    return [
        Journey(**{name: value for name, value in row.items() if name != "is_on"})
        for row in conn.execute(query).mappings()
    ]
