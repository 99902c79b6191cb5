"""What the language can say, on a real server: dates that change, late answers, keys, quiet hours, boxes that send twice, stages."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from kit.engine import Engine, working
from temporalio.client import Client

from dsl import (
    Api,
    Arrows,
    Call,
    Customer,
    Email,
    Events,
    Feed,
    Final,
    Goal,
    Journey,
    Payload,
    Stage,
    Wait,
    after,
    always,
    between,
    event,
    forever,
    marketing,
    moment,
    text,
    then,
    until,
)
from dsl.compile import compile_journey
from dsl.ir import Answer
from engine import customers
from engine.db import Database
from engine.settings import Settings
from engine.tables import CallTask, Enrolment, Event, FeedItem, LateAnswer, Message, Step

TOKYO, LOS_ANGELES = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Los_Angeles")


class Member(Customer):
    """A member of the club."""

    renewal = moment()


class Parcel(Payload):
    """A parcel on its way."""

    parcel = text()


class Post(Events):
    """What the carrier reports."""

    left = event()
    arrived = event()
    noticed = event()


class Renewal(Journey):
    """Waits for her renewal."""

    enters = Api()
    purpose = marketing
    reminded = Final()
    unknown = Final()

    @Wait()
    def pause(self) -> Arrows:
        yield until(Member.renewal, past=self.unknown, missing=self.unknown) >> self.reminded


def renews(engine: Engine, customer: str, day: date | None = None, **fields: str) -> None:
    given = dict(fields) if day is None else {"attributes": {"renewal": day.isoformat()}}
    with engine.database.write() as conn:
        customers.put(conn, customer, given, engine.now())


def reached(engine: Engine, customer: str) -> datetime:
    (step,) = engine.rows(Step, state="reminded", enrolment_id=engine.enrolment(customer).id)
    at: datetime = step.at
    return at


async def test_T6_a_date_that_changes_is_waited_for_anew(engine_on_both: Engine) -> None:
    engine = engine_on_both
    ir = engine.publish(Renewal)
    far = engine.now() + timedelta(days=4000)
    engine.customers("ann", "ben", zone="UTC", attributes={"renewal": far.date().isoformat()})
    engine.enter(ir, "ann", "ben")
    await engine.until_at("ann", "pause")
    near = engine.now() + timedelta(days=8)
    renews(engine, "ann", near.date())
    await engine.until(lambda: engine.enrolment("ann").ended_at)
    due = datetime.combine(near.date(), time(0), UTC)
    assert due <= reached(engine, "ann") < due + timedelta(days=60), "a day lasts a second here"
    assert engine.at("ben") == "pause", "another's date is no business of hers"
    assert engine.rows(LateAnswer) == [], "a changed field is no answer that came too late"


async def test_T6_a_date_that_is_taken_away_leads_out(engine: Engine) -> None:
    ir = engine.publish(Renewal)
    engine.customers("ann", attributes={"renewal": (engine.now() + timedelta(days=4000)).date().isoformat()})
    engine.enter(ir, "ann")
    await engine.until_at("ann", "pause")
    with engine.database.write() as conn:
        customers.put(conn, "ann", {"attributes": {"renewal": None}}, engine.now())
    await engine.until(lambda: engine.enrolment("ann").ended_at)
    assert engine.enrolment("ann").end_reason == "unknown"


async def test_T7_a_change_of_zone_plans_the_wait_anew(engine_settings: Settings, sqlite: Database) -> None:
    """An hour lasts a second: seventeen hours lie between the customer's two midnights."""
    now = datetime.now(UTC)
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    settings = engine_settings.model_copy(
        update={"time_scale": 3600.0, "time_real_origin": now, "time_origin": start, "grace": 0.05}
    )
    async with engine_of(settings, sqlite) as engine:
        ir = engine.publish(Renewal)
        day = date(2026, 3, 3)
        engine.customers("ann", zone="America/Los_Angeles", attributes={"renewal": day.isoformat()})
        engine.enter(ir, "ann")
        await engine.until_at("ann", "pause")
        renews(engine, "ann", zone="Asia/Tokyo")
        await engine.until(lambda: engine.enrolment("ann").ended_at)
        tokyo, los_angeles = (datetime.combine(day, time(0), zone) for zone in (TOKYO, LOS_ANGELES))
        if engine.rows(Event, name="customer.changed")[0].received_at < tokyo:
            assert tokyo <= reached(engine, "ann") < los_angeles - timedelta(hours=8)


@asynccontextmanager
async def engine_of(settings: Settings, database: Database) -> AsyncGenerator[Engine]:
    client = await Client.connect(settings.temporal_address)
    async with working(settings):
        yield Engine(settings, database, client)


class Patient(Journey):
    """Gives up the mail soon, but still listens."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked >> self.won
        yield after(days=2) >> self.item
        yield Email.clicked.late() >> self.call

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield after(days=4000) >> self.lapsed

    @Call("t/call")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=4000) >> self.lapsed


async def test_R7_a_late_click_takes_the_late_arrow_and_leaves_a_row(engine_on_both: Engine) -> None:
    engine = engine_on_both
    ir = engine.publish(Patient)
    engine.customers("ann")
    engine.enter(ir, "ann")
    mail = await engine.until_sent("ann", "mail")
    await engine.until_at("ann", "item")
    click = engine.tell("email.clicked", "ann", key=mail.key)
    await engine.until_at("ann", "call")
    (row,) = engine.rows(LateAnswer)
    assert (row.event_seq, row.state, row.reason) == (engine.rows(Event, id=click)[0].seq, "item", "late arrow")
    assert engine.path("ann") == ["mail", "item", "call"]


class Tracking(Journey):
    """One enrolment for each parcel."""

    enters = Post.left
    again = always
    parallel = Parcel.parcel
    purpose = marketing
    there = Goal()
    seen = Goal()
    lost = Final()

    @Wait()
    def road(self) -> Arrows:
        yield Post.arrived.by(Parcel.parcel) >> self.there
        yield Post.noticed.moves("all") >> self.seen
        yield after(days=4000) >> self.lost


async def test_R10_an_event_with_a_key_moves_its_own_enrolment(engine_on_both: Engine) -> None:
    engine = engine_on_both
    engine.publish(Tracking)
    engine.customers("ann")
    for parcel in ("a", "b", "c"):
        engine.tell("post.left", "ann", parcel=parcel)
    await engine.until(lambda: [row.state for row in engine.rows(Enrolment)] == ["road"] * 3)
    engine.tell("post.arrived", "ann", parcel="b")
    engine.tell("post.arrived", "ann", parcel="of nobody")
    await engine.until(lambda: engine.rows(Enrolment, slot="ann/b")[0].ended_at)
    await engine.until(lambda: all(row.fate for row in engine.rows(Event)))
    assert {row.slot: row.state for row in engine.rows(Enrolment)} == {
        "ann/a": "road",
        "ann/b": "there",
        "ann/c": "road",
    }


@pytest.mark.parametrize(
    ("moves", "moved"), [("all", {1, 2, 3}), ("oldest", {1}), ("newest", {3}), ("error", set[int]())]
)
async def test_R10_without_a_key_the_policy_decides(engine: Engine, moves: str, moved: set[int]) -> None:
    ir = compile_journey(Tracking)
    arrows = tuple(
        replace(arrow, on=replace(arrow.on, moves=moves))  # type: ignore[arg-type]  # of the table above
        if isinstance(arrow.on, Answer) and arrow.on.event == "post.noticed"
        else arrow
        for arrow in ir.start.arrows
    )
    engine.publish(replace(ir, states=(replace(ir.start, arrows=arrows), *ir.states[1:])))
    engine.customers("ann")
    for parcel in ("a", "b", "c"):
        engine.tell("post.left", "ann", parcel=parcel)
    await engine.until(lambda: [row.state for row in engine.rows(Enrolment)] == ["road"] * 3)
    numbers = sorted(row.id for row in engine.rows(Enrolment))
    noticed = engine.tell("post.noticed", "ann")
    await engine.until(lambda: engine.rows(Event, id=noticed)[0].fate)
    await engine.until(lambda: len([row for row in engine.rows(Enrolment) if row.ended_at]) == len(moved))
    assert {numbers.index(row.id) + 1 for row in engine.rows(Enrolment, state="seen")} == moved
    if moves == "error":
        assert engine.rows(Event, id=noticed)[0].fate == "ambiguous"
        assert {row.reason for row in engine.rows(LateAnswer)} == {"several enrolments"}


class Quiet(Journey):
    """Doesn't write at night."""

    enters = Api()
    purpose = marketing
    quiet_hours = between("21:00", "08:00")
    zone = "Asia/Tokyo"
    done = Final()

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield then >> self.done


@pytest.mark.parametrize(
    ("local", "held"),
    [("20:59", False), ("21:00", True), ("07:59", True), ("08:00", False)],
)
async def test_T3_quiet_hours_are_exact(engine_settings: Settings, sqlite: Database, local: str, held: bool) -> None:
    start = datetime.combine(date(2026, 3, 3), time.fromisoformat(local), TOKYO).astimezone(UTC)
    still = engine_settings.model_copy(
        update={"time_scale": 0.001, "time_real_origin": datetime.now(UTC), "time_origin": start}
    )
    async with engine_of(still, sqlite) as engine:  # the clock stands, as good as
        ir = engine.publish(Quiet)
        engine.customers("ann", zone=None)
        engine.enter(ir, "ann")
        await engine.until_at("ann", "item")
        if held:
            await engine.history_length("ann")  # until it grows no more
            assert engine.rows(Message) == []
        else:
            await engine.until(lambda: engine.rows(FeedItem))


async def test_T3_a_send_that_quiet_hours_hold_is_released_when_they_end(
    engine_settings: Settings, sqlite: Database
) -> None:
    start = datetime(2026, 3, 3, 21, tzinfo=TOKYO).astimezone(UTC)
    settings = engine_settings.model_copy(
        update={"time_scale": 7200.0, "time_real_origin": datetime.now(UTC), "time_origin": start}
    )
    async with engine_of(settings, sqlite) as engine:  # two hours a second
        ir = engine.publish(Quiet)
        engine.customers("ann", "ben", zone=None)
        engine.customers("la", zone="America/Los_Angeles")
        engine.enter(ir, "ann", "ben", "la")
        await engine.until(lambda: len(engine.rows(FeedItem)) == 3)
        ends = datetime(2026, 3, 4, 8, tzinfo=TOKYO)
        for message in engine.rows(Message):
            morning = ends if message.customer_id != "la" else datetime(2026, 3, 3, 8, tzinfo=LOS_ANGELES)
            assert morning <= message.reserved_at < morning + timedelta(hours=6), "T4: of no zone known, the journey's"


class Twice(Journey):
    """An item and a task in one box."""

    enters = Api()
    purpose = marketing
    read = Goal()
    wanted = Goal()
    lapsed = Final()

    @Feed("t/feed")
    @Call("t/call")
    def both(self) -> Arrows:
        yield Feed.clicked >> self.read
        yield Call.interested >> self.wanted
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=4000) >> self.lapsed


async def test_a_box_sends_by_two_channels_and_listens_to_both(engine_on_both: Engine) -> None:
    engine = engine_on_both
    ir = engine.publish(Twice)
    engine.customers("ann", "ben")
    engine.customers("cat", consent=("feed",))
    engine.customers("dan", consent=())
    engine.enter(ir, "ann", "ben", "cat", "dan")
    await engine.until(lambda: len(engine.rows(Message)) == 8)
    number = {row.customer_id: row.id for row in engine.rows(Enrolment)}
    engine.tell("feed.clicked", "ann", key=f"{number['ann']}-1-0")
    engine.tell("call.interested", "ben", key=f"{number['ben']}-1-1")
    engine.tell("feed.clicked", "cat", key=f"{number['cat']}-1-0")
    await engine.until(lambda: len([row for row in engine.rows(Enrolment) if row.ended_at]) == 3)
    ends = {row.customer_id: row.state for row in engine.rows(Enrolment)}
    assert ends == {"ann": "read", "ben": "wanted", "cat": "read", "dan": "both"}
    sent = {row.key: (row.channel, row.status) for row in engine.rows(Message, customer_id="cat")}
    assert sent == {
        f"{number['cat']}-1-0": ("feed", "sent"),
        f"{number['cat']}-1-1": ("call", "not_sent"),
    }
    tasks = {row.id: row.status for row in engine.rows(CallTask)}
    assert tasks.keys() == {f"{number['ann']}-1-1", f"{number['ben']}-1-1"}
    assert tasks[f"{number['ann']}-1-1"] == "withdrawn", "she answered the item: nobody rings for what is over"


class Staged(Journey):
    """Two boxes in a stage, which has its own time-out and its own way out."""

    enters = Api()
    purpose = marketing
    bought = Goal()
    lapsed = Final()

    @Stage()
    def contact(self) -> Arrows:
        yield Post.arrived >> self.bought
        yield after(days=14) >> self.lapsed

    @Wait(stage=contact)
    def first(self) -> Arrows:
        yield after(days=5) >> self.second

    @Wait(stage=contact)
    def second(self) -> Arrows:
        yield forever


async def test_a_stages_arrows_hold_in_mid_wait_and_its_time_runs_from_its_entry(engine_on_both: Engine) -> None:
    engine = engine_on_both
    ir = engine.publish(Staged)
    engine.customers("ann", "ben")
    engine.enter(ir, "ann", "ben")
    await engine.until_at("ben", "second")
    engine.tell("post.arrived", "ben")
    await engine.until(lambda: engine.enrolment("ben").ended_at)
    assert engine.enrolment("ben").end_reason == "bought"
    await engine.until(lambda: engine.enrolment("ann").ended_at)
    assert engine.path("ann") == ["first", "second", "lapsed"]
    steps = {row.state: row.at for row in engine.rows(Step, enrolment_id=engine.enrolment("ann").id)}
    assert timedelta(days=14) <= steps["lapsed"] - steps["first"] < timedelta(days=19), "from the stage's entry"


class Because(Journey):
    """Tells by the reason what to do where nothing could be sent."""

    enters = Api()
    purpose = marketing
    asked = Final()
    wrote = Final()
    other = Final()
    lapsed = Final()

    @Call("t/call")
    def call(self) -> Arrows:
        yield Call.not_sent.because("no consent", "consent withdrawn") >> self.asked
        yield Call.not_sent.because("address missing") >> self.wrote
        yield Call.not_sent >> self.other
        yield Call.interested >> self.lapsed
        yield Call.refused.ignored
        yield Call.not_reached.ignored
        yield after(days=4000) >> self.lapsed


async def test_the_reason_of_a_send_that_was_not_made_chooses_the_arrow(engine_on_both: Engine) -> None:
    engine = engine_on_both
    ir = engine.publish(Because)
    engine.customers("ann", consent=())
    engine.customers("ben", phone=None)
    engine.customers("cat")
    engine.enter(ir, "ann", "ben", "cat")
    await engine.until(lambda: len([row for row in engine.rows(Enrolment) if row.ended_at]) == 2)
    await engine.until(lambda: engine.rows(CallTask))
    assert {row.customer_id: row.state for row in engine.rows(Enrolment)} == {
        "ann": "asked",
        "ben": "wrote",
        "cat": "call",
    }
