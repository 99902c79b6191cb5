"""A knob that is turned while customers are under way: they stay on their version, who comes later takes the new one."""

from __future__ import annotations

from kit.engine import Engine

from dsl import Api, Arrows, Final, Journey, Knob, Wait, after, days
from engine import knobs
from engine.tables import Step


class Rest(Journey):
    """Waits for as long as a marketer says."""

    enters = Api()
    pause = Knob(days(2), min=days(1), max=days(9000), label="How long")
    done = Final()

    @Wait()
    def rest(self) -> Arrows:
        yield after(self.pause) >> self.done


async def test_L1_customers_under_way_stay_on_their_version(engine_on_both: Engine) -> None:
    engine = engine_on_both
    code = engine.publish(Rest)
    engine.customers("ann", "ben", "cat")
    with engine.database.write() as conn:
        slow = knobs.turn(conn, "rest", "pause", "9000 days", "marie", "let them be", engine.now())
    enter(engine, "ann")
    with engine.database.write() as conn:
        quick = knobs.turn(conn, "rest", "pause", "3 days", "marie", "no, quicker", engine.now())
    enter(engine, "ben")
    await engine.until(lambda: engine.enrolment("ben").ended_at)
    with engine.database.write() as conn:
        back = knobs.turn(conn, "rest", "pause", None, "marie", "as it was", engine.now())
    enter(engine, "cat")
    await engine.until(lambda: engine.enrolment("cat").ended_at)
    await engine.until_at("ann", "rest")
    assert {each: engine.enrolment(each).hash for each in ("ann", "ben", "cat")} == {
        "ann": slow.hash, "ben": quick.hash, "cat": code.hash,
    }  # fmt: skip
    assert (slow.version, quick.version, back.version) == (2, 3, 1)
    first, last = sorted(engine.rows(Step, enrolment_id=engine.enrolment("ben").id), key=lambda step: step.seq)
    assert (last.at - first.at).days >= 3


def enter(engine: Engine, customer: str) -> None:
    """By the version that is current."""
    from engine.journeys import get, load_ir  # noqa: PLC0415  # `engine` is the argument's name here too

    with engine.database.read() as conn:
        ir = load_ir(conn, get(conn, "rest").hash)
    assert engine.enter(ir, customer) == ["entered"]
