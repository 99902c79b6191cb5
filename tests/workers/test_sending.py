"""Sends: at most one a key whatever breaks, nothing to whoever said no, and what was sent can be read for ever."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from kit.bench import Bench, Plain, Sorry
from kit.mail import Taker, mail_server
from kit.outage import put_away, put_back
from kit.rude_mail import Manners, rude_server
from sqlalchemy import insert, update
from sqlalchemy.exc import DBAPIError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from dsl import Api, Arrows, Email, Final, Journey, Sms, after, marketing
from dsl.step import Late, Row, chart
from engine import consent
from engine.db import Database, table
from engine.settings import Settings
from engine.steps import Moved, record
from engine.steps import people as people_of
from engine.tables import Bounce, Customer, Message, Suppression, TemplateVersion
from workers.batch import Batch, Item, Outcome
from workers.server import free_port


class Other(Plain):
    """Another journey."""


class Two(Journey):
    """A mail and a text; each has its own reason not to go out."""

    enters = Api()
    purpose = marketing
    done = Final()
    said_no = Final()
    unknown = Final()

    @Email("t/mail")
    @Sms("t/sms")
    def both(self) -> Arrows:
        yield Sms.not_sent.because("no consent") >> self.said_no
        yield Email.not_sent.because("address missing") >> self.unknown
        yield after(days=900) >> self.done


@pytest.fixture
def bench(tmp_path: Path, templates: Path, db: Database) -> Callable[..., Bench]:
    def make(port: int, **given: Any) -> Bench:
        return Bench(Settings(data=tmp_path / "var", journeys=templates, smtp_port=port, **given), db)

    return make


def away(made: Bench, keys: int, gone: threading.Event) -> None:
    """Put the database away as soon as so many keys are taken, and say so: the mails whose keys are taken go on meanwhile."""
    until = time.monotonic() + 60
    while sum(row.status == "sending" for row in made.engine.rows(Message)) < keys and time.monotonic() < until:
        time.sleep(0.01)
    put_away(made.engine.database)
    gone.set()


def assert_each_once(made: Bench, taker: Taker, people: Sequence[str]) -> None:
    """The server has one mail of each, and the rows say so."""
    sent = Counter(re.findall(rb"Message-ID: <(\d+-\d+-\d+)@", b"\n".join(taker.taken)))
    assert len(sent) == len(people)
    assert set(sent.values()) == {1}
    assert {made.engine.messages(each)[0].status for each in people} == {"sent"}


async def test_C2_who_withdraws_before_the_provider_is_called_gets_nothing(bench: Callable[..., Bench]) -> None:
    """All three are reserved; while the first mail is handed over, by the only line, the others withdraw."""

    def withdraw(_: int) -> None:
        with made.engine.database.write() as conn:
            for customer in ("ben", "cat"):
                consent.withdraw(conn, customer, "email", "marketing", "test", made.engine.now())

    taker = Taker(withdraw)
    with mail_server(taker) as port:
        made = bench(port, smtp_connections=1)
        made.enter("ann", "ben", "cat")
        outcome = await made.perform(made.batch("ann", "ben", "cat"))
    assert len(taker.taken) == 1
    assert outcome.not_sent == (1, 2)
    rows = [made.engine.messages(customer)[0] for customer in ("ann", "ben", "cat")]
    assert [(row.status, row.reason) for row in rows] == [
        ("sent", None),
        ("not_sent", "consent withdrawn"),
        ("not_sent", "consent withdrawn"),
    ]
    assert rows[1].detail["source"] == "test"


async def test_C2_consent_that_cant_be_read_sends_nothing_and_is_tried_again(bench: Callable[..., Bench]) -> None:
    taker = Taker()
    with mail_server(taker) as port:
        made = bench(port)
        made.enter("ann")
        with made.engine.database.write() as conn:
            conn.exec_driver_sql("ALTER TABLE consent RENAME TO consent_away")
        batch = made.batch("ann")
        with pytest.raises(Exception, match="consent"):
            await made.perform(batch)
        assert taker.taken == []
        with made.engine.database.write() as conn:
            conn.exec_driver_sql("ALTER TABLE consent_away RENAME TO consent")
        await made.perform(batch)
    assert len(taker.taken) == 1


async def test_S1_a_batch_that_is_performed_again_sends_nothing_twice(bench: Callable[..., Bench]) -> None:
    taker = Taker()
    with mail_server(taker) as port:
        made = bench(port)
        made.enter("ann", "ben")
        batch = made.batch("ann", "ben")
        assert await made.perform(batch) == Outcome()
        assert await made.perform(batch) == Outcome()
    assert len(taker.taken) == 2


async def test_S1_two_attempts_at_once_send_each_mail_once(bench: Callable[..., Bench]) -> None:
    """A worker that Temporal gave up goes on beside the next attempt: each key is one's or the other's."""
    taker = Taker(lambda _: time.sleep(0.01))
    people = [f"c{number}" for number in range(30)]
    with mail_server(taker) as port:
        made = bench(port)
        made.enter(*people)
        batch = made.batch(*people)
        await asyncio.gather(*(made.perform(batch) for _ in range(3)))
    sent = Counter(re.findall(rb"Message-ID: <(\d+-\d+-\d+)@", b"\n".join(taker.taken)))
    assert len(sent) == 30
    assert set(sent.values()) == {1}


async def test_a_worker_that_is_to_stop_ends_its_calls_and_leaves_the_rest_to_another(
    bench: Callable[..., Bench],
) -> None:
    environment = ActivityEnvironment()
    taker = Taker(lambda count: environment.worker_shutdown() if count == 3 else None)
    people = [f"c{number}" for number in range(20)]
    with mail_server(taker) as port:
        made = bench(port, smtp_connections=2)
        made.enter(*people)
        batch = made.batch(*people)
        with pytest.raises(ApplicationError, match="the worker stops"):
            await environment.run(made.performer.perform, json.loads(json.dumps(batch.to_wire())))
        assert 3 <= len(taker.taken) <= 5
        rows = [made.engine.messages(customer)[0].status for customer in people]
        assert Counter(rows) == {"sent": len(taker.taken), "reserved": 20 - len(taker.taken)}, "none is in doubt"
        assert await made.perform(batch) == Outcome()
    assert len(taker.taken) == 20


async def test_S1_what_a_batch_called_off_could_not_write_down_is_waited_for(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called off while the database is away, it doesn't wait long; what it knows is written later, and the next attempt waits for that."""
    monkeypatch.setattr("workers.flow._LAST", 0.2)
    gone = threading.Event()
    taker = Taker(lambda count: away(made, 2, gone) if count == 2 else None)
    people = [f"c{number}" for number in range(8)]
    with mail_server(taker) as port:
        made = bench(port, smtp_connections=1)
        made.enter(*people)
        batch = made.batch(*people)
        environment = ActivityEnvironment()
        wire = json.loads(json.dumps(batch.to_wire()))
        running = asyncio.create_task(environment.run(made.performer.perform, wire))
        await made.engine.until(gone.is_set)
        await asyncio.sleep(0.2)
        environment.cancel()
        with pytest.raises((asyncio.CancelledError, DBAPIError)):
            await running
        put_back(made.engine.database)
        assert await made.perform(batch) == Outcome()
    assert_each_once(made, taker, people)


async def test_S5_a_mailbox_that_is_not_there_is_never_written_to_again(bench: Callable[..., Bench]) -> None:
    def nobody(said: str, _: int) -> str | None:
        return "550 5.1.1 no such user" if said.startswith("RCPT TO:<ben") else None

    manners = Manners(replies=nobody)
    async with rude_server(manners) as port:
        made = bench(port)
        made.enter("ann", "ben")
        assert (await made.perform(made.batch("ann", "ben"))).not_sent == (1,)
        made.enter("ben", journey=Other)
        assert (await made.perform(made.batch("ben"))).not_sent == (0,)
    row, other = made.engine.messages("ben")
    assert (other.status, other.reason, other.detail["reason"]) == ("not_sent", "suppressed", "bounced")
    assert (row.status, row.reason, row.detail) == ("failed", "failed", {"provider": "550 5.1.1 no such user"})
    ((channel, address, reason),) = [(s.channel, s.address, s.reason) for s in made.engine.rows(Suppression)]
    assert (channel, address, reason) == ("email", "ben@example.com", "bounced")


async def test_S5_a_mailbox_that_is_full_again_and_again_is_suppressed(bench: Callable[..., Bench]) -> None:
    """Refused at the door, for good or for now: each message counts once, and none that the server takes later."""
    manners = Manners()

    def says(reply: str) -> None:
        manners.replies = lambda line, _: reply or None if line.startswith("RCPT") else None

    journeys = [Plain, Sorry, *(type(f"Full{number}", (Plain,), {}) for number in range(3))]
    full = ("552 5.2.2 mailbox full", "452 4.2.2 mailbox full", "452 4.2.2 mailbox full", "552 over quota", "")
    found: list[Any] = []
    async with rude_server(manners) as port:
        made = bench(port, soft_bounces=3)
        for reply, journey in zip(full, journeys, strict=True):
            says(reply)
            made.enter("ann", journey=journey)
            batch = made.batch("ann")
            await made.perform(batch)
            await made.perform(batch)
            if journey is Sorry:  # it takes this one after all
                says("")
                await made.perform(batch)
            found.append(made.engine.messages("ann", journey=made.ir.name)[0])
    assert [(row.status, row.reason) for row in found] == [
        ("failed", "failed"), ("sent", None), ("deferred", "deferred"), ("failed", "failed"), ("not_sent", "suppressed"),
    ]  # fmt: skip
    ((address, reason),) = [(row.address, row.reason) for row in made.engine.rows(Suppression)]
    assert (address, reason) == ("ann@example.com", "soft bounces")
    assert sorted(row.code or "" for row in made.engine.rows(Bounce)) == ["", "4.2.2", "4.2.2", "5.2.2"]


async def test_what_the_provider_refuses_has_failed_for_the_arrows_whatever_its_words(
    bench: Callable[..., Bench],
) -> None:
    def full(said: str, _: int) -> str | None:
        return "554 5.7.1 not from you" if said.startswith("RCPT TO:<ben") else None

    async with rude_server(Manners(replies=full)) as port:
        made = bench(port)
        made.enter("ann", "ben", journey=Sorry)
        outcome = await made.perform(made.batch("ann", "ben"))
    assert (outcome.not_sent, outcome.reasons) == ((1,), (("failed",),))


async def test_S3_a_refusal_has_the_reason_of_each_channel(bench: Callable[..., Bench]) -> None:
    """Ann has no address and took her word back for texts; Ben the other way round; Cat gets her text."""
    with mail_server(Taker()) as port:
        made = bench(port)
        made.enter("ann", "ben", "cat", journey=Two)
        with made.engine.database.write() as conn:
            rows = table(Customer)
            conn.execute(update(rows).where(rows.c.id.in_(["ann", "cat"])).values(email=None))
            conn.execute(update(rows).where(rows.c.id == "ben").values(phone=None))
            consent.withdraw(conn, "ann", "sms", "marketing", "test", made.engine.now())
            consent.withdraw(conn, "ben", "email", "marketing", "test", made.engine.now())
        batch = made.batch("ann", "ben", "cat")
        outcome = await made.perform(batch)
    assert outcome.not_sent == (0, 1)
    assert outcome.reasons == (("address missing", "consent withdrawn"), ("consent withdrawn", "address missing"))


async def test_greylisted_mails_are_put_off_for_as_long_as_the_server_says(bench: Callable[..., Bench]) -> None:
    manners = Manners(
        replies=lambda said, number: "451 4.7.1 greylisted, 5 minutes" if said[:4] == "RCPT" and number <= 2 else None
    )
    async with rude_server(manners) as port:
        made = bench(port, smtp_connections=1)
        made.enter("ann", "ben", "cat")
        batch = made.batch("ann", "ben", "cat")
        assert (await made.perform(batch)).deferred == ((0, 300.0, False), (1, 300.0, False))
        assert [made.engine.messages(c)[0].status for c in ("ann", "ben", "cat")] == ["deferred", "deferred", "sent"]
        assert await made.perform(batch) == Outcome()
    assert len(manners.taken) == 3


async def test_S1_a_line_that_breaks_in_mid_mail_is_in_doubt_and_not_sent_again(bench: Callable[..., Bench]) -> None:
    manners = Manners(hang_up_after=".")
    async with rude_server(manners) as port:
        made = bench(port)
        made.enter("ann", "ben")
        batch = made.batch("ann", "ben")
        assert await made.perform(batch) == Outcome()
        manners.hang_up_after = ""
        assert await made.perform(batch) == Outcome()
    assert len(manners.taken) == 2
    assert {made.engine.messages(c)[0].status for c in ("ann", "ben")} == {"unknown"}


async def test_a_batch_that_takes_long_says_that_it_is_alive(bench: Callable[..., Bench]) -> None:
    beats: list[float] = []
    with mail_server(Taker(lambda _: time.sleep(5))) as port:
        made = bench(port)
        made.enter("ann")
        environment = ActivityEnvironment()
        environment.on_heartbeat = lambda *_: beats.append(time.monotonic())
        await environment.run(made.performer.perform, made.batch("ann").to_wire())
    assert len(beats) >= 2


def test_a_repeated_record_ends_nothing_newer(bench: Callable[..., Bench]) -> None:
    made = bench(1)
    made.enter("ann")
    number = made.engine.enrolment("ann").id
    where = chart(made.ir)
    now = made.settings.clock.now_ms()
    old, new = Moved(number, (Row(1, 0, "entry", None, now),)), Moved(number, (Row(2, 0, "answer", None, now),))
    with made.engine.database.write() as conn:
        who = people_of(conn, [number])
        record(conn, where, [old], who, now)
        record(conn, where, [new], who, now)
        conn.execute(insert(table(Message)).values(**deferred(made, f"{number}-2-0")))
        record(conn, where, [old], who, now)
    assert [row.status for row in made.engine.messages("ann")] == ["deferred"]
    assert made.engine.enrolment("ann").seq == 2


def deferred(made: Bench, key: str) -> dict[str, Any]:
    enrolment = made.engine.enrolment("ann")
    return {
        "key": key, "enrolment_id": enrolment.id, "customer_id": "ann", "journey": made.ir.name, "hash": made.ir.hash,
        "state": "mail", "visit": 2, "arm": "treated", "channel": "email", "purpose": "marketing", "status": "deferred",
        "cost": 0, "reserved_at": made.engine.now(),
    }  # fmt: skip


async def test_S2_a_failure_to_record_never_sends_again(bench: Callable[..., Bench]) -> None:
    """The mail is with its server, then our database won't have what became of it: the next try finds the call marked, and sends none."""
    refusing = {
        True: ["CREATE TRIGGER no BEFORE INSERT ON message_event BEGIN SELECT RAISE(ABORT, 'message_event: no'); END"],
        False: [
            "CREATE FUNCTION no() RETURNS trigger AS $$ BEGIN RAISE 'message_event: no'; END $$ LANGUAGE plpgsql",
            "CREATE TRIGGER no BEFORE INSERT ON message_event FOR EACH ROW EXECUTE FUNCTION no()",
        ],
    }

    def refuse(_: int) -> None:
        with made.engine.database.write() as conn:
            for each in refusing[made.engine.database.is_sqlite]:
                conn.exec_driver_sql(each)

    taker = Taker(refuse)
    with mail_server(taker) as port:
        made = bench(port)
        made.enter("ann")
        batch = made.batch("ann")
        with pytest.raises(DBAPIError, match="message_event: no"):
            await made.perform(batch)
        with made.engine.database.write() as conn:
            conn.exec_driver_sql("DROP TRIGGER no" + ("" if made.engine.database.is_sqlite else " ON message_event"))
        assert await made.perform(batch) == Outcome()
    assert len(taker.taken) == 1
    (row,) = made.engine.messages("ann")
    assert row.status == "unknown"


async def test_S2_a_database_that_is_away_for_a_while_leaves_no_mail_in_doubt(bench: Callable[..., Bench]) -> None:
    """By one line, so that others have their key already: what was sent is known to be, and the others get theirs in the next attempt."""
    gone = threading.Event()
    taker = Taker(lambda count: away(made, 2, gone) if count == 2 else None)
    people = [f"c{number}" for number in range(8)]
    with mail_server(taker) as port:
        made = bench(port, smtp_connections=1)
        made.enter(*people)
        batch = made.batch(*people)
        running = asyncio.create_task(made.perform(batch))
        await made.engine.until(gone.is_set)
        await asyncio.sleep(0.2)
        put_back(made.engine.database)
        with pytest.raises(DBAPIError):
            await running
        assert await made.perform(batch) == Outcome()
    assert_each_once(made, taker, people)


async def test_S1_a_batch_that_is_called_off_leaves_no_key_taken_that_it_doesnt_call_for(
    bench: Callable[..., Bench],
) -> None:
    """Its server takes its time: one mail is being handed over, others have their key and wait for the line."""
    called_off = threading.Event()

    def wait(count: int) -> None:
        if count == 2:
            called_off.wait(60)

    taker = Taker(wait)
    people = [f"c{number}" for number in range(8)]
    with mail_server(taker) as port:
        made = bench(port, smtp_connections=1)
        made.enter(*people)
        batch = made.batch(*people)
        environment = ActivityEnvironment()
        wire = json.loads(json.dumps(batch.to_wire()))
        running = asyncio.create_task(environment.run(made.performer.perform, wire))
        await made.engine.until(lambda: len(taker.taken) == 2)
        await made.engine.until(lambda: sum(row.status == "sending" for row in made.engine.rows(Message)) == 2)
        environment.cancel()
        second = asyncio.create_task(made.perform(batch))  # at once: Temporal had lost sight of the first
        await asyncio.sleep(0.2)
        called_off.set()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await second == Outcome()
    assert_each_once(made, taker, people)


async def test_S4_what_was_sent_can_be_read_after_the_template_was_edited(
    bench: Callable[..., Bench], templates: Path
) -> None:
    with mail_server(Taker()) as port:
        made = bench(port)
        made.enter("ann", "ben")
        await made.perform(made.batch("ann"))
        file = templates / "t" / "mail.en.mjml"
        file.write_text(file.read_text().replace("Hello", "Good morning"))
        await made.perform(made.batch("ben"))
    first, second = made.engine.messages("ann")[0], made.engine.messages("ben")[0]
    assert first.template_hash != second.template_hash
    kept = {row.hash: row.source for row in made.engine.rows(TemplateVersion)}
    assert "Good morning" not in kept[first.template_hash]
    assert "Good morning" in kept[second.template_hash]
    assert first.context["customer"]["first_name"] == "Zoé"


async def test_a_suppressed_address_is_not_written_to(bench: Callable[..., Bench]) -> None:
    with mail_server(Taker()) as port:
        made = bench(port)
        made.enter("ann")
        with made.engine.database.write() as conn:
            consent.suppress(conn, "email", "ann@example.com", "bounced", "test", made.engine.now())
        assert (await made.perform(made.batch("ann"))).not_sent == (0,)
    (row,) = made.engine.messages("ann")
    assert (row.reason, row.detail["reason"]) == ("suppressed", "bounced")


async def test_a_mail_server_that_is_away_puts_the_send_off(bench: Callable[..., Bench]) -> None:
    made = bench(free_port())
    made.enter("ann")
    batch = made.batch("ann")
    ((position, wait, held),) = (await made.perform(batch)).deferred
    assert position == 0
    assert wait > 0
    assert not held
    assert made.engine.messages("ann")[0].status == "deferred"
    taker = Taker()
    with mail_server(taker) as port:
        again = bench(port)
        again.ir = made.ir
        again.registry.add(chart(made.ir))
        assert await again.perform(batch) == Outcome()
    assert made.engine.messages("ann")[0].status == "sent"


def test_a_batch_survives_its_wire() -> None:
    rows = (Row(3, 2, "answer", 17, 999), Row(4, 5, "retry", None, 1000))
    batch = Batch("h", "send", 2, (4, 5), (Item(1, 3, rows), Item(2, 9)), 1000)
    assert Batch.from_wire(json.loads(json.dumps(batch.to_wire()))) == batch
    measure = Batch(
        "h", "measure", 2, (4,), (Item(1, 3, since=400), Item(2, 9, rows, (Late(7, 2, "late arrow"),), 999)), 1000
    )
    assert Batch.from_wire(json.loads(json.dumps(measure.to_wire()))) == measure
    outcome = Outcome(
        (1,),
        ((0, 2.5, False), (2, 60.0, True)),
        ((True, False),),
        (((3, 4000), (5, -1)), ()),
        (("address missing", "no consent"),),
    )
    assert Outcome.from_wire(json.loads(json.dumps(outcome.to_wire()))) == outcome
    assert Outcome.from_wire({}) == Outcome()
    assert Outcome.from_wire({"n": [1], "y": ["no consent"]}).reasons == (("no consent",),)  # as it was written before
