"""What the demo came to, in numbers: entered, where they are, sends, answers, reasons, revenue. Counted from the rows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from api.demo.books import Check
from api.demo.shop import OPENING
from dsl.ir import CHANNELS
from engine import journeys
from engine.db import table
from engine.tables import Enrolment, EntryRefusal, Event, LateAnswer, Message, Purchase, Step

__all__ = ["Arm", "Channel", "JourneyCount", "Revenue", "Summary", "summarise"]

WINDOW = timedelta(days=30)
"""How long after entry a household's baskets are counted."""
CERTAIN = 1.96
"""Standard errors on each side of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class JourneyCount:
    """A journey's books; `passed` counts who has been in each box, `now` who is there (or ended there)."""

    title: str
    hash: str
    version: int
    entered: int
    active: int
    ended: dict[str, int]
    arms: dict[str, int]
    passed: dict[str, int]
    now: dict[str, int]
    refused_entries: dict[str, int]


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel's messages by status, and what came back by kind."""

    statuses: dict[str, int]
    answers: dict[str, int]
    not_sent: dict[str, int]
    failed: dict[str, int]


@dataclass(frozen=True, slots=True)
class Arm:
    """What the households of an arm spent in the window after entry, in currency units per household."""

    households: int
    mean: float
    error: float
    """The mean's standard error."""


@dataclass(frozen=True, slots=True)
class Revenue:
    """Treated against held out, per household; `difference` with its 95 % interval."""

    journey: str
    days: float
    """Days of purchases that were seen after entry, on average, of 30."""
    treated: Arm
    held_out: Arm
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole report, as it stands in summary.json."""

    households: int
    opening: str
    until: str
    days: float
    seconds: float
    journeys: dict[str, JourneyCount]
    channels: dict[str, Channel]
    events: dict[str, int]
    fates: dict[str, int]
    late: dict[str, int]
    revenue: list[Revenue]
    acts: dict[str, int]
    requests: int
    checks: list[Check]
    notes: list[str] = field(default_factory=list[str])

    @property
    def balanced(self) -> bool:
        """Whether every check of the books holds."""
        return all(check.holds for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "balanced": self.balanced}


def summarise(
    conn: Connection,
    *,
    households: int,
    until: datetime,
    seconds: float,
    acts: dict[str, int],
    requests: int,
    checks: Sequence[Check],
    notes: Sequence[str] = (),
) -> Summary:
    """Count everything, as of `until` (journey time). `seconds` is how long it took on the wall clock."""
    event, late = table(Event), table(LateAnswer)
    return Summary(
        households=households,
        opening=OPENING.isoformat(),
        until=until.isoformat(),
        days=round((until - OPENING) / timedelta(days=1), 1),
        seconds=round(seconds, 1),
        journeys={row.name: _journey(conn, row.name) for row in journeys.every(conn)},
        channels={channel: _channel(conn, channel) for channel in CHANNELS},
        events=_grouped(conn, event.c.name),
        fates=_grouped(conn, event.c.fate),
        late=_grouped(conn, late.c.reason),
        revenue=[found for row in journeys.every(conn) if (found := _revenue(conn, row.name, until)) is not None],
        acts=dict(sorted(acts.items())),
        requests=requests,
        checks=list(checks),
        notes=list(notes),
    )


def _journey(conn: Connection, name: str) -> JourneyCount:
    row = journeys.get(conn, name)
    books = journeys.books(conn, name)
    enrolment, step, refusal = table(Enrolment), table(Step), table(EntryRefusal)
    passed = (
        select(step.c.state, func.count(step.c.enrolment_id.distinct()))
        .join(enrolment, enrolment.c.id == step.c.enrolment_id)
        .where(enrolment.c.journey == name)
        .group_by(step.c.state)
    )
    return JourneyCount(
        title=row.title,
        hash=row.hash,
        version=row.version,
        entered=books.entered,
        active=books.active,
        ended=dict(books.ended),
        arms=_grouped(conn, enrolment.c.arm, enrolment.c.journey == name),
        passed={str(row[0]): int(row[1]) for row in conn.execute(passed)},
        now=journeys.counts(conn, name),
        refused_entries=_grouped(conn, refusal.c.reason, refusal.c.journey == name),
    )


def _channel(conn: Connection, channel: str) -> Channel:
    message, event = table(Message), table(Event)
    mine = message.c.channel == channel
    answers = _grouped(conn, event.c.name, event.c.name.startswith(f"{channel}."))
    return Channel(
        statuses=_grouped(conn, message.c.status, mine),
        answers={name.partition(".")[2]: number for name, number in answers.items()},
        not_sent=_grouped(conn, message.c.reason, mine, message.c.status == "not_sent"),
        failed=_grouped(conn, message.c.reason, mine, message.c.status == "failed"),
    )


def _revenue(conn: Connection, journey: str, until: datetime) -> Revenue | None:
    """Spending after entry by arm; None where an arm is so small that its spread says nothing."""
    enrolment, purchase = table(Enrolment), table(Purchase)
    baskets: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    rows = (
        select(purchase.c.customer_id, purchase.c.at, func.sum(purchase.c.total))
        .where(purchase.c.at >= OPENING)
        .group_by(purchase.c.customer_id, purchase.c.order_id, purchase.c.at)
    )
    for customer, at, cents in conn.execute(rows):
        baskets[customer].append((at, int(cents)))
    first = select(enrolment.c.customer_id, enrolment.c.arm, func.min(enrolment.c.entered_at))
    first = first.where(enrolment.c.journey == journey).group_by(enrolment.c.customer_id, enrolment.c.arm)
    spent: dict[str, list[float]] = {"treated": [], "held_out": []}
    seen: list[float] = []
    for customer, arm, entered in conn.execute(first):
        end = min(entered + WINDOW, until)
        seen.append(max((end - entered) / timedelta(days=1), 0))
        spent[arm].append(sum(cents for at, cents in baskets[customer] if entered < at <= end) / 100)
    if min(map(len, spent.values())) < 2:  # one household has no spread
        return None
    treated, held_out = _arm(spent["treated"]), _arm(spent["held_out"])
    difference = treated.mean - held_out.mean
    width = CERTAIN * math.hypot(treated.error, held_out.error)
    return Revenue(
        journey,
        round(sum(seen) / len(seen), 1),
        treated,
        held_out,
        round(difference, 2),
        round(difference - width, 2),
        round(difference + width, 2),
    )


def _arm(spent: Sequence[float]) -> Arm:
    number = len(spent)
    mean = sum(spent) / number
    spread = sum((value - mean) ** 2 for value in spent) / (number - 1)
    return Arm(number, round(mean, 2), round(math.sqrt(spread / number), 2))


def _grouped(conn: Connection, column: Any, *where: Any) -> dict[str, int]:
    query = select(column, func.count()).where(*where).group_by(column).order_by(func.count().desc(), column)
    return {str(value) if value is not None else "none": number for value, number in conn.execute(query)}
