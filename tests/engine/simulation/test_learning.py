"""Learning from what is recorded: rates that come near what was seen, and stay near the default where little was."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from kit.recording import START, Recorder

from dsl import (
    Anywhere,
    Api,
    Arrows,
    Choice,
    Customer,
    Email,
    Final,
    Goal,
    Journey,
    Orders,
    Purchase,
    Shop,
    Sms,
    Wait,
    after,
    days,
    marketing,
    otherwise,
    when,
)
from dsl.compile import compile_journey
from engine.db import Database
from engine.errors import NotFound
from engine.simulation.kinds import Kind
from engine.simulation.learning import learn
from engine.simulation.model_file import parse
from engine.simulation.model_text import document, template
from engine.simulation.responses import DAY, DEFAULTS, Delay, ResponseModel


class Learnt(Journey):
    """A choice, a mail, a text, a measured wait, a purchase from anywhere."""

    enters = Api()
    purpose = marketing
    won = Goal()
    lapsed = Final()

    @Choice()
    def first(self) -> Arrows:
        yield when(Customer.country == "FR") >> self.mail
        yield otherwise >> self.pause

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.clicked.link("shop") >> self.text
        yield Email.clicked >> self.pause
        yield after(days=3) >> self.text

    @Sms("t/text")
    def text(self) -> Arrows:
        yield Sms.clicked >> self.won
        yield after(days=2) >> self.lapsed

    @Wait()
    def pause(self) -> Arrows:
        yield after(Orders.rhythm(), missing=days(9)) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased.where(Purchase.total >= 40) >> self.won


IR = compile_journey(Learnt)
LINK = Kind("email.clicked", next(a.where for a in IR.listens if a.event == "email.clicked" and a.where is not None))


def recorded(db: Database, ids: Sequence[str], country: str = "FR", **refused: Sequence[str]) -> Recorder:
    """A recorder with these customers in the journey, since its start."""
    who = {(customer, channel): "no consent" for channel, of in refused.items() for customer in of}
    found = Recorder(db, IR, who)
    found.customers(*ids, country=country)
    found.enter(*ids)
    return found


def learnt(db: Database, model: ResponseModel | None = None, after: timedelta = timedelta(days=60)) -> ResponseModel:
    with db.read() as conn:
        return learn(conn, IR, START + after, model)


def test_rates_and_delays_are_those_that_were_seen(db: Database) -> None:
    ids = [f"c{n:03}" for n in range(200)]
    books = recorded(db, ids, sms=ids[150:])
    books.wait(hours=2)
    for customer in ids[:60]:
        books.tell(customer, "email.clicked", link="shop")
    books.wait(hours=4)
    for customer in ids[60:80]:
        books.tell(customer, "email.clicked", link="elsewhere")
    books.wait(days=30)
    model = learnt(db)
    link, other = model.rate("mail", LINK), model.rate("mail", Kind("email.clicked"))
    assert (link.seen, other.seen) == (200, 200)
    assert link.share == pytest.approx(60 / 200, abs=0.03)
    assert other.share == pytest.approx(20 / 200, abs=0.02)
    assert link.delay.median == pytest.approx(2 * 3600, rel=0.1)
    assert other.delay.median == pytest.approx(6 * 3600, rel=0.1)
    assert model.rate("text", Kind("sms.clicked")).share < 0.03
    assert model.reach["text"] == pytest.approx(130 / 180, abs=0.03)  # 20 of those who clicked elsewhere got no text
    assert model.reach["mail"] > 0.98
    assert model.channel("sms").cost == pytest.approx(0.045)
    assert model.channel("email").cost == DEFAULTS["email"].cost
    assert model.guards["country is FR"] > 0.9
    assert model.seen["country is FR"] == 200


def test_few_observations_stay_near_the_default_and_many_do_not(db: Database) -> None:
    usual = DEFAULTS["email"].answers["clicked"].share
    books = recorded(db, ["a"])
    books.tell("a", "email.clicked", link="shop")
    books.wait(days=10)
    one = learnt(db).rate("mail", LINK)
    assert usual < one.share < 0.2  # one of one, and still no certainty
    assert one.seen == 1
    assert 3600 < one.delay.median < DEFAULTS["email"].answers["clicked"].delay.median
    assert (
        learnt(db, ResponseModel(boxes={}, channels={**DEFAULTS, "email": DEFAULTS["sms"]})).rate("mail", LINK).share
        > one.share
    )


def test_a_message_that_may_yet_be_answered_counts_for_nothing(db: Database) -> None:
    books = recorded(db, ["a", "b"])
    books.tell("a", "email.clicked", link="shop")
    model = learnt(db, after=timedelta(hours=1))
    assert model.rate("mail", LINK).seen == 1  # b may click any minute
    assert "text" not in model.boxes


def test_held_out_customers_teach_nothing_about_messages(db: Database) -> None:
    held = replace(IR, holdout=99.99)
    books = Recorder(db, held)
    books.customers("a", country="FR")
    books.enter("a")
    assert books.arm("a") == "held_out"
    books.wait(days=20)
    with db.read() as conn:
        model = learn(conn, held, books.now)
    assert model.boxes == {}
    assert model.reach == {}


def test_events_and_waits_are_learnt_from_the_time_that_was_watched(db: Database) -> None:
    ids = [f"c{n:02}" for n in range(90)]
    books = recorded(db, ids, country="DE")
    books.wait(days=4)
    for customer in ids[:30]:
        books.tell(customer, "shop.purchased", total=10)
    for customer in ids[30:60]:
        books.tell(customer, "shop.purchased", total=50)
    books.wait(days=10)
    model = learnt(db)
    purchased = Kind("shop.purchased", next(a.where for a in IR.listens if a.event == "shop.purchased"))
    months = (30 * 4 + 60 * 9) / 30  # a third were won after four days, the others waited for nine
    assert model.monthly(purchased) == pytest.approx((30 + 5 * 0.25) / (months + 5), rel=0.01)
    assert model.seen[purchased.name] == 30
    assert model.waits["pause"].median == pytest.approx(9 * DAY, rel=0.02)
    assert model.seen["pause"] == 60
    assert model.guards["country is FR"] < 0.1


def test_a_learnt_model_is_a_file_that_reads_back(db: Database) -> None:
    books = recorded(db, ["a", "b", "c"])
    books.tell("a", "email.clicked", link="shop")
    books.wait(days=10)
    model = learnt(db)
    text = template(model, IR)
    assert "seen = 3" in text
    assert "are learned" in text
    assert document(parse(tomllib.loads(text), IR, "m.toml"), IR) == document(model, IR)


def test_a_renamed_box_keeps_what_was_learnt(db: Database) -> None:
    books = recorded(db, [f"c{n}" for n in range(40)])
    for n in range(40):
        books.tell(f"c{n}", "email.clicked", link="shop")
    books.wait(days=10)
    states = tuple(replace(state, name="letter_by_mail") if state.name == "mail" else state for state in IR.states)
    arrows = tuple(
        replace(state, arrows=tuple(replace(a, to="letter_by_mail") if a.to == "mail" else a for a in state.arrows))
        for state in states
    )
    notes = {**IR.notes, "letter_by_mail": replace(IR.notes["mail"], was="mail")}
    renamed = replace(IR, states=arrows, notes=notes)
    with db.read() as conn:
        model = learn(conn, renamed, books.now)
    assert model.rate("letter_by_mail", LINK).seen == 40


def test_where_nothing_is_recorded_nothing_is_learnt(db: Database) -> None:
    Recorder(db, IR)
    with db.read() as conn, pytest.raises(NotFound, match="nobody has entered learnt yet") as error:
        learn(conn, IR, START)
    assert error.value.code == "nothing_recorded"


def test_delays_without_any_answer_are_the_usual_ones() -> None:
    assert ResponseModel().wait("pause", IR.by_name["pause"].arrows[0]) == Delay(9 * DAY, 18 * DAY)
