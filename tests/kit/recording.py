"""A recorder for tests: customers go through a published journey by the stepper, and every row is written that a worker writes.

Quicker than a worker by a thousand times, and its clock is the test's own. `tests/workers` compares it with the real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from dsl.expression import Facts
from dsl.ir import IR, Learned
from dsl.localtime import zone_of
from dsl.planning import Place, measured, moment_of, over
from dsl.step import (
    ENDED,
    Acted,
    Answered,
    Chart,
    Decide,
    Decided,
    Due,
    Effect,
    Event,
    Late,
    Measure,
    Row,
    Send,
    Snapshot,
    chart,
    step,
)
from dsl.step import enter as enter_chart
from engine import enrolments, facts, learned, tables
from engine.clock import to_ms
from engine.db import Database, insert_new, table, upsert
from engine.events import Incoming, accept
from engine.journeys import publish, switch
from engine.messages import message_key
from engine.steps import Moved, Person, explain, record

__all__ = ["START", "Recorder"]

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
CHANNELS = ("email", "sms", "feed", "call", "letter")


@dataclass
class Recorder:
    """Records a journey in a database. `refused`: by customer, the channels by which she can't be reached, and why."""

    database: Database
    ir: IR
    refused: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    members: dict[str, Snapshot] = field(default_factory=dict[str, Snapshot])
    people: dict[int, Person] = field(default_factory=dict[int, Person])
    now: datetime = START

    def __post_init__(self) -> None:
        self.chart: Chart = chart(self.ir)
        with self.database.write() as conn:
            publish(conn, self.ir, "test", self.now)
            switch(conn, self.ir.name, True, "test", "", self.now)

    def customers(self, *ids: str, **fields: Any) -> None:
        given: dict[str, Any] = {
            "first_name": "Zoé", "phone": "+12025550101", "address": "3 rue des Lilas", "city": "Lyon", "country": "FR",
            "zone": "Europe/Paris", "attributes": {}, "created_at": self.now, "updated_at": self.now,
        }  # fmt: skip
        word = {"purpose": "marketing", "granted": True, "at": self.now, "source": "test"}
        with self.database.write() as conn:
            upsert(conn, tables.Customer, [given | {"id": c, "email": f"{c}@example.com"} | fields for c in ids])
            insert_new(
                conn,
                tables.Consent,
                [word | {"customer_id": c, "channel": channel} for c in ids for channel in CHANNELS],
            )

    def enter(self, *customers: str) -> None:
        """They enter now."""
        applicants = [enrolments.Applicant(c, f"api:{c}:{self.now.isoformat()}", None, self.now) for c in customers]
        with self.database.write() as conn:
            assert set(enrolments.enter(conn, self.ir, applicants, self.now)) == {"entered"}
            rows = table(tables.Enrolment)
            found = conn.execute(select(rows).where(rows.c.customer_id.in_(customers), rows.c.ended_at.is_(None)))
            entered = {row.customer_id: row for row in found if row.journey == self.ir.name}
            for customer in customers:
                row = entered[customer]
                self.people[row.id] = Person(customer, row.arm)
                self.members[customer], effects = enter_chart(self.chart, row.id, to_ms(self.now))
                self._perform(conn, customer, effects)

    def arm(self, customer: str) -> str:
        return self.people[self.members[customer].id].arm

    def at(self, customer: str) -> str:
        return self.ir.states[self.members[customer].state].name

    def wait(self, *, days: float = 0, hours: float = 0) -> None:
        """Time passes; whatever falls due happens when it does."""
        until = self.now + timedelta(days=days, hours=hours)
        with self.database.write() as conn:
            while True:
                ahead = [
                    (m.deadline, c) for c, m in self.members.items() if m.deadline is not None and m.phase != ENDED
                ]
                if not ahead or min(ahead)[0] > to_ms(until):
                    break
                deadline, customer = min(ahead)
                self.now = moment_of(deadline)
                self._step(conn, customer, Due())
        self.now = until

    def tell(self, customer: str, name: str, **payload: Any) -> None:
        """She does something now: an answer is to the newest message of its channel."""
        channel = name.partition(".")[0]
        messages, events = table(tables.Message), table(tables.Event)
        key = None
        with self.database.write() as conn:
            if channel in CHANNELS:
                newest = select(messages).where(messages.c.customer_id == customer, messages.c.channel == channel)
                key = conn.execute(newest.order_by(messages.c.visit.desc())).first()
                assert key is not None, f"{customer} got nothing by {channel}"
                key = key.key
            number = f"{customer}/{name}/{self.now.isoformat()}"
            accept(conn, [Incoming(number, name, self.now, customer, key, payload, "test")], self.now)
            seq = conn.execute(select(events.c.seq).where(events.c.id == number)).scalar_one()
            if customer in self.members:
                known = Facts(payload=payload)
                listens = tuple(
                    index
                    for index, answer in enumerate(self.ir.listens)
                    if answer.event == name and (answer.where is None or answer.where.evaluate(known, self.now))
                )
                visit = int(key.split("-")[1]) if key else None
                self._step(conn, customer, Answered(seq, to_ms(self.now), listens, visit))

    def _step(self, conn: Connection, customer: str, event: Event) -> None:
        self.members[customer], effects = step(self.chart, self.members[customer], event, to_ms(self.now))
        self._perform(conn, customer, effects)

    def _perform(self, conn: Connection, customer: str, effects: list[Effect]) -> None:
        member = self.members[customer]
        rows = [effect for effect in effects if isinstance(effect, Row)]
        late = [effect for effect in effects if isinstance(effect, Late)]
        asked = next((effect for effect in effects if isinstance(effect, Send | Measure | Decide)), None)
        record(conn, self.chart, [Moved(member.id, rows, late)], self.people, to_ms(self.now))
        answer: Event | None = None
        match asked:
            case Decide() if isinstance(self.chart.arrows[asked.arrows[0]].on, Learned):
                box = self.ir.states[asked.state].name
                fell = learned.decide(self.ir, box, learned.arms(conn, self.ir, box, self.now), member.id)
                explain(conn, [(member.id, member.seq, fell.detail)])
                answer = Decided(tuple(self.chart.arrows[arrow].to == fell.to for arrow in asked.arrows))
            case Decide():
                guards = [guard for arrow in asked.arrows if (guard := self.chart.arrows[arrow].guard) is not None]
                decided = facts.decide(conn, guards, [customer], self.now)[customer]
                detail = [
                    {"predicate": guard.sentence(), "holds": holds, "values": values}
                    for guard, holds, values in zip(guards, decided.results, decided.inputs, strict=True)
                ]
                explain(conn, [(member.id, member.seq, {"decided": detail})])
                answer = Decided(decided.results)
            case Measure() | Send():
                waits = [(arrow, measured(self.chart.arrows[arrow].on)) for arrow in asked.arrows]
                values = [
                    (a, facts.measure(conn, [e], [customer], self.now)[customer][0] if e else None) for a, e in waits
                ]
                ends = over(self.chart, values, self.now, self.now, Place(zone_of("Europe/Paris")))
                sent, reasons = self._send(conn, customer, asked) if isinstance(asked, Send) else (True, ())
                answer = Acted(sent, ends, reasons)
            case None:
                pass
        if answer is not None:
            self._step(conn, customer, answer)

    def _send(self, conn: Connection, customer: str, asked: Send) -> tuple[bool, tuple[str, ...]]:
        member, state = self.members[customer], self.ir.states[asked.state]
        held_out = self.people[member.id].arm == "held_out"
        actions = [(state.kind, state.template), *((action.kind, action.template) for action in state.also)]
        went, whys = False, list[str]()
        for number, (channel, template) in enumerate(actions):
            reason = self.refused.get((customer, channel))
            status = "held_out" if held_out else "not_sent" if reason else "sent"
            went = went or status != "not_sent"
            whys.append(reason or "")
            insert_new(
                conn,
                tables.Message,
                [
                    {
                        "key": message_key(member.id, asked.visit, number), "enrolment_id": member.id,
                        "customer_id": customer, "journey": self.ir.name, "hash": self.ir.hash, "state": state.name,
                        "visit": asked.visit, "arm": self.people[member.id].arm, "channel": channel,
                        "purpose": state.purpose or self.ir.purpose, "status": status, "reason": reason,
                        "template": template if status == "sent" else None, "cost": 4_500 if channel == "sms" else 0,
                        "reserved_at": self.now, "settled_at": self.now,
                    }
                ],
            )  # fmt: skip
        return went, () if went else tuple(whys)
