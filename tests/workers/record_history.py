"""Records the histories that `test_L4_every_recorded_history_replays` replays: run it once for a release, never for a change.

`python tests/workers/record_history.py NAME` plays a small journey with every kind of box, answers, joins, retries, a stop, new
runs and sends that are put off on an embedded server, and writes `tests/histories/NAME-*.json`, one for each run. Old files
stay: each stands for customers who may still be under way.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent)]

from kit.engine import TEMPLATES, Engine, working  # noqa: E402  # the path comes first
from temporalio.client import Client, WorkflowHandle  # noqa: E402

from dsl import (  # noqa: E402
    Anywhere,
    Api,
    Arrows,
    Call,
    Choice,
    Consent,
    Customer,
    Email,
    Feed,
    Final,
    Goal,
    Journey,
    Letter,
    Orders,
    Shop,
    Sms,
    Split,
    Wait,
    after,
    days,
    hours,
    marketing,
    otherwise,
    share,
    then,
    when,
)
from dsl.ir_json import to_json  # noqa: E402
from engine.db import Database  # noqa: E402
from engine.endings import end  # noqa: E402
from engine.settings import Settings  # noqa: E402
from engine.tables import Enrolment, Message  # noqa: E402
from workers.local.sink import Sink  # noqa: E402
from workers.server import EmbeddedServer, free_port  # noqa: E402


class Everything(Journey):
    """Every kind of box."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()
    left = Final()

    @Choice()
    def near(self) -> Arrows:
        yield when(Customer.country == "FR") >> self.draw
        yield otherwise >> self.pace

    @Split()
    def draw(self) -> Arrows:
        yield share(50) >> self.mail
        yield share(50) >> self.item

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked.when(Customer.country == "FR") >> self.call
        yield Email.not_sent >> self.item
        yield after(days=3) >> self.item

    @Feed("t/feed")
    def item(self) -> Arrows:
        yield then >> self.sms

    @Sms("t/sms")
    def sms(self) -> Arrows:
        yield after(days=2) >> self.letter

    @Letter("t/letter")
    def letter(self) -> Arrows:
        yield after(days=2) >> self.pace

    @Call("t/call", queue="q")
    def call(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.not_reached.up_to(2, every=hours(20)) >> self.call
        yield Call.not_reached >> self.lapsed
        yield Call.refused.ignored
        yield after(days=7) >> self.lapsed

    @Wait()
    def pace(self) -> Arrows:
        yield after(Orders.rhythm(), at_least=days(1), at_most=days(9), missing=days(2)) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased >> self.won
        yield Consent.withdrawn >> self.left


async def play(name: str) -> None:
    """Play and write."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for file, text in TEMPLATES.items():
            (folder / "journeys" / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / "journeys" / file).write_text(text)
        server = EmbeddedServer(folder / "temporal", free_port())
        await server.start()
        now = datetime.now(UTC)
        with Sink(folder / "var" / "sink") as sink:
            settings = Settings(
                data=folder / "var", journeys=folder / "journeys", temporal_address=server.address, smtp_port=sink.port,
                history_events=250, tick=0.05, grace=0.1, time_scale=86400, time_real_origin=now, time_origin=now,
            )  # fmt: skip
            database = Database(settings.database_url)
            database.migrate()
            engine = Engine(settings, database, await Client.connect(server.address))
            async with working(settings):
                await _life(engine)
                ir = engine.publish(Everything)
                for run, workflow in enumerate(await _runs(engine)):
                    history = await workflow.fetch_history()
                    kept = {"ir": to_json(ir), "id": history.workflow_id, "history": history.to_json_dict()}
                    target = HERE / "histories" / f"{name}-{run}.json"
                    target.parent.mkdir(exist_ok=True)
                    target.write_text(json.dumps(kept, sort_keys=True, indent=1) + "\n")
        await server.stop()


async def _life(engine: Engine) -> None:
    ir = engine.publish(Everything)
    people = [f"c{number}" for number in range(24)]
    engine.customers(*people[:16])
    engine.customers(*people[16:20], country="DE")
    engine.customers(*people[20:], consent=("feed",))
    with engine.database.write() as conn:  # texts for the first two alone: their gateway is away, and they are put off
        conn.exec_driver_sql("DELETE FROM consent WHERE channel = 'sms' AND customer_id NOT IN ('c0', 'c1')")
    engine.enter(ir, *people[:8])
    await engine.until(lambda: len([m for m in engine.rows(Message) if m.status == "sent"]) >= 4)
    engine.enter(ir, *people[8:])
    await engine.until(lambda: len(engine.rows(Message, state="mail")) >= 6)
    for message in engine.rows(Message, state="mail", status="sent")[:5]:
        engine.tell("email.clicked", message.customer_id, key=message.key)
    await engine.until(lambda: engine.rows(Message, state="call", status="sent"))
    calls = engine.rows(Message, state="call", status="sent")
    for number, message in enumerate(calls):
        engine.tell("call.interested" if number % 2 else "call.not_reached", message.customer_id, key=message.key)
    engine.tell("shop.purchased", people[9], total=10)
    engine.tell("consent.withdrawn", people[10])
    (stopped,) = engine.rows(Enrolment, customer_id=people[11])
    with engine.database.write() as conn:
        end(conn, [stopped.id], "erased", engine.now())
    await engine.until(lambda: sum(not row.ended_at for row in engine.rows(Enrolment)) <= 2)
    for customer in people[:2]:
        engine.tell("shop.purchased", customer, total=10)
    await engine.until(_done(engine))


def _done(engine: Engine) -> Callable[[], bool]:
    return lambda: all(row.ended_at for row in engine.rows(Enrolment))


async def _runs(engine: Engine) -> list[WorkflowHandle[Any, Any]]:
    found = engine.client.list_workflows("WorkflowType = 'everything'")
    return [engine.client.get_workflow_handle(each.id, run_id=each.run_id) async for each in found]


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(play(sys.argv[1]))
