"""The newer words in the IR: knobs, learned shares, former names, entries; what they say, and what is hashed of it."""

from __future__ import annotations

import json

import pytest
from kit.stepping import Stepped

import dsl
from dsl import (
    Anywhere,
    Api,
    Arrows,
    Audience,
    Call,
    Consent,
    Customer,
    Email,
    Final,
    Goal,
    Journey,
    Knob,
    LanguageError,
    Problems,
    Purchase,
    Shop,
    Sms,
    Split,
    Stage,
    Wait,
    after,
    compile_journey,
    cron,
    daily,
    days,
    event,
    everyone,
    hours,
    learned,
    marketing,
    queue,
    reject,
    restart,
    share,
    transactional,
)
from dsl.entry import Active
from dsl.events import Events
from dsl.ir import IR, Every
from dsl.ir_json import from_json, to_json
from dsl.step import Acted, Decide, Decided
from dsl.testing import walk


def again(ir: IR) -> IR:
    """Through JSON and back."""
    return from_json(json.loads(json.dumps(to_json(ir))))


class Tuned(Journey):
    """Everything that can be tuned."""

    enters = Api()
    purpose = marketing
    pause = Knob(days(3), min=days(1), max=days(10), label="Wait before the text")
    tries = Knob(2, min=1, max=5)
    gap = Knob(hours(20), min=hours(1), max=hours(48))
    part = Knob(30.0, min=10.0, max=50.0)
    won = Goal()
    lapsed = Final()

    @Split()
    def offer(self) -> Arrows:
        yield share(self.part) >> self.mail
        yield share(70) >> self.text

    @Stage()
    def contact(self) -> Arrows:
        yield after(self.pause) >> self.lapsed

    @Email("t/mail", stage=contact)
    def mail(self) -> Arrows:
        yield Email.clicked.up_to(self.tries, every=self.gap) >> self.mail
        yield after(self.pause) >> self.text

    @Sms("t/sms")
    def text(self) -> Arrows:
        yield after(days=1) >> self.lapsed

    @Anywhere()
    def exits(self) -> Arrows:
        yield Shop.purchased.up_to(self.tries) >> self.text
        yield Shop.purchased >> self.won


def test_a_knob_says_what_it_sets_and_the_numbers_stand_there() -> None:
    ir = compile_journey(Tuned)
    knobs = {knob.name: knob for knob in ir.knobs}
    assert knobs["pause"].uses == (("mail", 1, "seconds"), ("contact", 0, "seconds"))
    assert knobs["tries"].uses == (("mail", 0, "times"), ("", 0, "times"))
    assert knobs["gap"].uses == (("mail", 0, "every"),)
    assert knobs["part"].uses == (("offer", 0, "percent"),)
    assert (knobs["pause"].kind, knobs["pause"].value, knobs["pause"].min, knobs["pause"].max) == (
        "duration", 3 * 86400, 86400, 10 * 86400,
    )  # fmt: skip
    assert (knobs["tries"].kind, knobs["tries"].value, knobs["pause"].label) == ("number", 2, "Wait before the text")
    mail = ir.by_name["mail"]
    assert mail.arrows[0].limit is not None
    assert (mail.arrows[0].limit.times, mail.arrows[0].limit.every) == (2, 20 * 3600)
    assert again(ir) == ir


def test_a_knob_s_bounds_are_no_behaviour_and_its_value_is() -> None:
    class Wider(Tuned, name="tuned"):
        pause = Knob(days(3), min=days(1), max=days(20), label="Other words")

    class Longer(Tuned, name="tuned"):
        pause = Knob(days(4), min=days(1), max=days(10))

    same, other = compile_journey(Tuned).hash, compile_journey(Longer).hash
    assert compile_journey(Wider).hash == same
    assert other != same


def test_a_knob_out_of_bounds_or_of_two_kinds_is_refused() -> None:
    with pytest.raises(LanguageError, match="min=3 d is above max=2 d"):
        Knob(days(2), min=days(3), max=days(2), label="Wait")
    with pytest.raises(LanguageError, match="not between"):
        Knob(days(30), min=days(1), max=days(10))
    with pytest.raises(LanguageError, match="three durations or three numbers"):
        Knob(3, min=days(1), max=days(10))  # pyright: ignore[reportArgumentType]  # the point of the test
    assert repr(Tuned.pause) == "<knob pause: 3 d>"
    assert repr(Knob(1, min=1, max=2)) == "<knob without a name: 1>"


class Learning(Journey):
    """The better of two ways."""

    enters = Api()
    purpose = marketing
    goal = Shop.purchased.within(days=30)
    lapsed = Final()

    @Split()
    def offer(self) -> Arrows:
        yield learned >> self.mail
        yield learned >> self.text

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield after(days=1) >> self.lapsed

    @Sms("t/sms")
    def text(self) -> Arrows:
        yield after(days=1) >> self.lapsed


def test_learned_shares_are_asked_for() -> None:
    for results, to in (((True, False), "mail"), ((False, True), "text"), ((False, False), "mail")):
        m = Stepped(Learning)
        assert m.effects[-1] == Decide(0, 1, (0, 1))
        m.tell(Decided(results))
        assert (m.at, m.causes) == (to, ["share"])
        m.tell(Acted())
    assert walk(Learning).at is Learning.mail
    assert walk(Learning, take=Learning.text).at is Learning.text
    assert again(compile_journey(Learning)) == compile_journey(Learning)


def test_a_former_name_is_a_note_and_no_behaviour() -> None:
    class Renamed(Journey, name="care"):
        enters = Api()
        lapsed = Final("Over.", was="gone")

        @Wait(was="wait")
        def pause(self) -> Arrows:
            yield after(days=1) >> self.lapsed

    class Plain(Journey, name="care"):
        enters = Api()
        lapsed = Final()

        @Wait()
        def pause(self) -> Arrows:
            yield after(days=1) >> self.lapsed

    ir = compile_journey(Renamed)
    assert {name: note.was for name, note in ir.notes.items()} == {"pause": "wait", "lapsed": "gone"}
    assert ir.hash == compile_journey(Plain).hash
    with pytest.raises(LanguageError, match="the name that it had before"):
        Final(was="Gone!")


@pytest.mark.parametrize(("word", "rule"), [(reject, "reject"), (restart, "restart"), (queue, "queue")])
def test_E1_what_becomes_of_a_second_entry_stands_in_the_ir(word: Active, rule: str) -> None:
    class Care(Tuned):
        while_active = word

    ir = compile_journey(Care)
    assert ir.again.active == rule
    assert again(ir) == ir
    assert (ir.hash == compile_journey(type("Care", (Tuned,), {})).hash) == (word is reject)


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (cron("0  9 1,15 * 1-5"), Every("cron", cron="0 9 1,15 * 1-5")),
        (cron("*/10 * * * *", local=True), Every("cron", cron="*/10 * * * *", local=True)),
        (daily(at="09:00", local=True), Every("daily", "09:00", local=True)),
    ],
)
def test_when_an_audience_is_read(every: Every, expected: Every) -> None:
    when_read = every

    class Care(Tuned):
        enters = Audience(everyone, every=when_read)

    assert compile_journey(Care).entry.every == expected
    assert again(compile_journey(Care)).entry.every == expected


@pytest.mark.parametrize(
    "line",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "a * * * *"],
)
def test_a_crontab_line_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(LanguageError, match="five fields"):
        cron(line)


def test_what_a_call_asks_of_an_agent_is_checked() -> None:
    assert Call("care/ring", skills="wine").skills == ("wine",)
    for wrong in (["wine", ""], 3, ["two words"]):
        with pytest.raises(LanguageError, match="names of skills"):
            Call("care/ring", skills=wrong)  # pyright: ignore[reportArgumentType]  # an author without a type checker
    for odd in (0, 10, True):
        with pytest.raises(LanguageError, match="from 1 \\(first\\) to 9"):
            Call("care/ring", priority=odd)


@pytest.mark.parametrize("enters", [Audience(everyone), Api()])
def test_a_journey_is_planned_where_an_audience_enters_it(enters: Audience | Api) -> None:
    way = enters

    class Care(Journey):
        enters = way
        over = Final()

        @Wait()
        def pause(self) -> Arrows:
            yield after(days=1) >> self.over

    assert compile_journey(Care).planned is isinstance(enters, Audience)


class Parcel(Events):
    delivered = event()


class Ordered(Journey):
    """One enrolment for each order."""

    enters = Shop.purchased
    parallel = Purchase.order_id
    purpose = transactional
    arrived = Goal()
    left = Final()
    lapsed = Final()

    @Email("t/mail")
    def thanks(self) -> Arrows:
        yield Parcel.delivered.by(Purchase.order_id) >> self.arrived
        yield Consent.withdrawn.moves("all") >> self.left
        yield after(days=30) >> self.lapsed


def test_R10_an_event_with_a_key_moves_only_the_enrolment_of_that_key() -> None:
    ir = compile_journey(Ordered)
    assert [(answer.event, answer.by, answer.moves) for answer in ir.listens] == [
        ("parcel.delivered", "order_id", None),
        ("consent.withdrawn", None, "all"),
    ]
    assert ir.again.parallel == "order_id"
    assert again(ir) == ir
    w = walk(Ordered, key="A-1")
    assert w.tell(Parcel.delivered, order_id="B-2").at is Ordered.thanks
    assert w.late == [], "it is another enrolment's"
    assert w.tell(Parcel.delivered, order_id="A-1").reason == "arrived"
    assert walk(Ordered, key="A-1").tell(Consent.withdrawn).reason == "left"


def test_R10_a_rule_for_several_may_stand_where_there_is_one_and_a_key_may_not() -> None:
    class Single(Ordered):
        parallel = None

    with pytest.raises(Problems) as caught:
        compile_journey(Single)
    assert [error.code for error in caught.value] == ["J131"]

    class Free(Single):
        @Email("t/mail")
        def thanks(self) -> Arrows:
            yield Consent.withdrawn.moves("oldest") >> self.left
            yield Consent.withdrawn.moves("all") >> self.left
            yield Parcel.delivered >> self.arrived
            yield after(days=30) >> self.lapsed

    assert compile_journey(Free).listens[0].moves == "oldest"
    with pytest.raises(LanguageError, match="takes all, oldest, newest, error"):
        Consent.withdrawn.moves("first")  # pyright: ignore[reportArgumentType]  # the point of the test
    with pytest.raises(LanguageError, match="a field of a payload"):
        Consent.withdrawn.by(Customer.country)


def test_the_engine_s_own_event_can_t_be_declared() -> None:
    with pytest.raises(LanguageError, match="the engine's own"):
        type("Changes", (Events,), {"changed": event()}, name="customer")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("Email.not_sent.late()", "can't be late"),
        ("Email.clicked.any_send().late()", "can't be late"),
        ("Email.clicked.looking_back(days=3)", "can't come before it"),
        ("Email.not_sent.because()", "takes reasons"),
        ('Email.not_sent.because("bored")', "takes reasons"),
        ('between("09:00", "09:00")', "leaves no time"),
        ('between("9:00", "18:00")', "HH:MM"),
        ('after(days=1, on=["monday"])', "go with a time of day"),
        ('after(days=1, at="09:00", during=between("09:00", "18:00"))', "not both"),
        ('after(days=1, at="09:00", on=[])', "names no day"),
        ('after(days=1, at="09:00", on="funday")', "day of the week"),
        ('after(days=1, at="09:00", holidays=1)', "True or False"),
        ("until(Orders.count(), past=now, missing=now)", "a date of the customer's"),
        ("until(Customer.created_at, past=3, missing=now)", "now, skip or a box"),
        ("until(Customer.created_at.yearly(), past=now, missing=now)", "comes round again"),
        ('Email("a/b", hours=3)', "window of the day"),
        ('Email("a/b", offers=99)', "0 to 50"),
        ('Email("a/b", stage=3)', "a stage of the journey"),
        ("Shop.purchased.looking_back()", "one length of time"),
    ],
)
def test_A1_a_newer_word_with_a_wrong_value_is_refused(written: str, says: str) -> None:
    with pytest.raises(LanguageError, match=says):
        eval(written, dict(vars(dsl)))  # noqa: S307  # as text, since pyright refuses nearly all of them too
