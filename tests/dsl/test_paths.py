"""Generated paths: every arrow is taken, conditions are met at their borders, and what can't be taken is told with its reason."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path as File
from typing import Any, cast

import pytest
from kit.journey_source import source_of
from kit.random_journeys import random_ir

import dsl
from dsl import (
    Anywhere,
    Api,
    Arrows,
    Call,
    Choice,
    Click,
    Customer,
    Email,
    Events,
    Feed,
    Final,
    Goal,
    Journey,
    Letter,
    Orders,
    Payload,
    Purchase,
    Reply,
    Shop,
    Sms,
    Split,
    Stage,
    Wait,
    after,
    between,
    days,
    event,
    flag,
    forever,
    hours,
    learned,
    marketing,
    moment,
    now,
    number,
    otherwise,
    share,
    skip,
    then,
    until,
    when,
)
from dsl import testing as kit
from dsl.chart import chart
from dsl.ir import IR, Answer, Arrow
from dsl.loading import load
from dsl.nodes import Node
from dsl.predicate import And, Compare, Constant, IsIn, Not, Operator, Or, Predicate
from dsl.step import Chart, Effect, Event, Snapshot, step
from dsl.testing import customer, driver, walk
from dsl.testing.paths import Path, Paths, paths
from dsl.testing.solving import nodes
from journeys.reorder import Reorder
from journeys.welcome import Welcome
from journeys.win_back import WinBack

SHIPPED = [WinBack, Welcome, Reorder]


def lines(found: Paths) -> list[str]:
    return [line.strip() for line in str(found).splitlines()]


def walked(path: Path, names: dict[str, Any]) -> kit.Walk:
    """What the path's own text walks, read as Python."""
    words = {**vars(dsl), **vars(kit), "datetime": datetime, "UTC": UTC, "Duration": dsl.Duration}
    return eval(f"({path}\n)", {**words, **names})  # noqa: S307  # our own words


# --- every arrow ------------------------------------------------------------------------------------------------------


class Member(Customer):
    renewal = moment()
    birthday = moment()
    points = number()
    vip = flag()


class Club(Events):
    upgraded = event()


class Upgrade(Payload):
    seats = number()
    at = moment()
    gift = flag()


class Care(Journey):
    """Everything that the language has, one box each."""

    enters = Api()
    purpose = marketing
    quiet_hours = between("21:00", "08:00")
    goal = Shop.purchased.within(days=30)
    won = Goal()
    over = Final()
    lost = Final()

    @Stage()
    def near(self) -> Arrows:
        yield Shop.purchased.where((Purchase.total >= 100) & (Purchase.category == "wine")) >> self.won
        yield after(days=12) >> self.lost

    @Choice()
    def known(self) -> Arrows:
        yield when((Member.points >= 100) & (Orders.last(days=90).sum(Orders.total) > 200)) >> self.lot
        yield when(Member.vip.is_true() | (Customer.country == "FR")) >> self.renewing
        yield when(Orders.where(Orders.category == "wine").recency() > days(30)) >> self.ringing
        yield when(Customer.created_at.age() < days(10)) >> self.written
        yield when(Customer.city.starts_with("Ly") & ~Customer.phone.is_missing()) >> self.rhythm
        yield otherwise >> self.lost

    @Split()
    def lot(self) -> Arrows:
        yield share(30) >> self.mail
        yield share(70) >> self.text

    @Email("care/mail", stage=near)
    def mail(self) -> Arrows:
        yield Email.clicked.link("shop").when(Customer.phone.is_missing()) >> self.won
        yield Email.clicked.link("shop") >> self.text
        yield Email.opened.by_human() >> self.text
        yield Email.not_sent.because("no consent", "consent withdrawn") >> self.lost
        yield Email.not_sent >> self.written
        yield Email.clicked.link("shop").late() >> self.won
        yield after(days=10) >> self.text

    @Sms("care/text", stage=near)
    def text(self) -> Arrows:
        yield Sms.replied.keyword("YES") >> self.won
        yield Sms.replied.matching(r"^(no thanks|nie+)\b") >> self.lost
        yield Sms.replied >> self.ringing
        yield after(days=10) >> self.ringing

    @Wait()
    def renewing(self) -> Arrows:
        yield until(Member.renewal - days(14), at="09:00", past=now, missing=self.celebrating) >> self.written
        yield after(days=900) >> self.over

    @Wait()
    def celebrating(self) -> Arrows:
        yield until(Member.birthday.yearly(), missing=skip) >> self.learning
        yield after(days=500) >> self.over

    @Split()
    def learning(self) -> Arrows:
        yield learned >> self.written
        yield learned >> self.ringing

    @Call("care/ring")
    def ringing(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.lost
        yield Call.not_reached.up_to(2, every=hours(20)) >> self.ringing
        yield Club.upgraded.where((Upgrade.seats > 3) & Upgrade.gift.is_false()).looking_back(days=3) >> self.won
        yield Call.not_reached.ignored
        yield after(days=7).when(self.ringing.visits >= 3) >> self.over
        yield after(days=8) >> self.written

    @Letter("care/paper")
    @Feed("care/item")
    def written(self) -> Arrows:
        yield Letter.answered >> self.won
        yield Feed.clicked.any_send() >> self.won
        yield after(Orders.rhythm(), missing=days(20), at_most=days(60)) >> self.over

    @Feed("care/rhythm")
    def rhythm(self) -> Arrows:
        yield then >> self.over

    @Anywhere()
    def exits(self) -> Arrows:
        yield Club.upgraded.where(Upgrade.seats.is_in([1, 2])) >> self.over
        yield Email.bounced >> self.lost


@pytest.fixture(scope="module")
def care() -> Paths:
    return paths(Care)


def test_A3_every_arrow_of_everything_that_the_language_has_is_taken(care: Paths) -> None:
    assert [str(missed) for missed in care.missed] == []
    assert {arrow for path in care for arrow in path.arrows} == set(range(len(care.ir.arrows)))
    assert len(care) < len(care.ir.arrows), "several arrows to a walk"


@pytest.mark.parametrize("journey", SHIPPED)
def test_A3_every_arrow_of_the_shipped_journeys_is_taken(journey: type[Journey]) -> None:
    found = paths(journey)
    assert found.missed == ()
    assert {arrow for path in found for arrow in path.walk().arrows} == set(range(len(found.ir.arrows)))


def test_A3_the_same_journey_gives_the_same_paths(care: Paths) -> None:
    assert str(paths(Care)) == str(care)


def test_A3_a_path_is_the_code_that_walks_it(care: Paths) -> None:
    names = {journey.__name__: journey for journey in (*SHIPPED, Care)} | {"Club": Club}
    for path in (*care, *(path for journey in SHIPPED for path in paths(journey))):
        assert tuple(walked(path, names).arrows) == path.arrows, str(path)
        assert tuple(path.walk().arrows) == path.arrows
    assert care[0] is next(iter(care))
    assert list(care[:1]) == [care[0]]


@pytest.mark.parametrize("seed", range(25))
def test_A3_paths_of_any_journey_can_be_walked_and_what_is_missed_has_a_reason(seed: int, tmp_path: File) -> None:
    file = tmp_path / "chance.py"
    file.write_text(source_of(random_ir(random.Random(seed))))  # noqa: S311  # repeatable on purpose
    (loaded,) = load(file)
    found = paths(loaded.cls, limit=150)
    taken = {arrow for path in found for arrow in path.arrows}
    assert taken | {missed.arrow for missed in found.missed} == set(range(len(loaded.ir.arrows)))
    assert taken.isdisjoint(missed.arrow for missed in found.missed)
    assert all(missed.why for missed in found.missed)
    for path in found:
        assert tuple(path.walk().arrows) == path.arrows, str(path)


class Renewed(Journey):
    """Dates that come before the other waits of the box, and of its stage, and dates that come after them."""

    enters = Api()
    purpose = marketing
    won = Goal()
    over = Final()

    @Stage()
    def near(self) -> Arrows:
        yield after(days=12) >> self.over

    @Email("renewed/mail", stage=near)
    def mail(self) -> Arrows:
        yield Email.clicked >> self.ring
        yield until(Member.renewal - days(3), at="09:00", past=skip, missing=skip) >> self.ring
        yield after(days=5) >> self.text

    @Sms("renewed/text", stage=near)
    def text(self) -> Arrows:
        yield until(Member.birthday.yearly() - days(1), missing=skip) >> self.ring
        yield after(days=2) >> self.ring

    @Call("renewed/ring", stage=near)
    def ring(self) -> Arrows:
        yield Call.interested >> self.won
        yield Call.refused >> self.over
        yield Call.not_reached.ignored
        yield until(Member.renewal, on=["friday"], at="18:00", past=self.over, missing=now) >> self.text
        yield after(days=6) >> self.over


def test_A3_a_date_of_hers_comes_before_the_other_waits_and_after_them() -> None:
    found = paths(Renewed, limit=1_000)
    assert [str(missed) for missed in found.missed] == []
    assert any("renewal=" in line for line in lines(found))
    assert any("birthday=" in line for line in lines(found))
    names = {"Renewed": Renewed}
    assert all(tuple(walked(path, names).arrows) == path.arrows for path in found)


# --- borders ----------------------------------------------------------------------------------------------------------


def test_A3_conditions_are_met_just_so_and_just_not(care: Paths) -> None:
    assert lines(paths(Welcome)).count(".change(orders=orders(10, every=days(7), ago=days(1)))") == 1
    said = str(paths(Welcome))
    assert "orders(9, every=days(7)" in said
    assert ".tell(Shop.purchased, total=24.99)  # moves nobody\n    .tell(Shop.purchased, total=25)  # at_home" in said
    told = [line for line in lines(care) if line.startswith(".tell(Club.upgraded")]
    assert ".tell(Club.upgraded, seats=4, gift=False)  # won" in told
    assert any("seats=3, gift=False)  # moves nobody" in line for line in told), "each part of a condition alone"
    assert any("seats=4, gift=True)  # moves nobody" in line for line in told)
    assert {".tell(Club.upgraded, seats=1)  # over", ".tell(Club.upgraded, seats=2)  # over"} <= set(told)


SHIFTED: dict[Operator, tuple[Operator, ...]] = {
    "ge": ("gt", "le"), "gt": ("ge",), "lt": ("le",), "le": ("lt",), "eq": ("ne",),
}  # fmt: skip


def mutants(guard: Predicate) -> Iterator[Predicate]:
    """The condition with one thing wrong."""
    yield Not(guard)
    for node in nodes(guard):
        match node:
            case Compare(left, op, Constant(kind, value)):
                for other in {"ge": ("gt", "le"), "gt": ("ge",), "lt": ("le",), "le": ("lt",), "eq": ("ne",)}.get(
                    op, ()
                ):
                    yield put(guard, node, replace(node, op=other))
                counted = "journey" in node.sources()  # counts are the stepper's own: they come as the walk goes
                if isinstance(value, int | float) and not isinstance(value, bool) and not counted:
                    for more in (1, -1):
                        yield put(guard, node, replace(node, right=Constant(kind, value + more)))
            case IsIn(left, values) if len(values) > 1:
                for value in values:
                    yield put(guard, node, IsIn(left, tuple(each for each in values if each != value)))
            case And(parts) | Or(parts):
                for part in parts:
                    yield put(guard, node, type(node)(tuple(each for each in parts if each is not part)))
            case _:
                pass


def put(whole: Any, old: object, new: object) -> Any:
    """The tree with one node put for another."""
    if whole is old:
        return new
    if isinstance(whole, tuple):
        return tuple(put(each, old, new) for each in cast("tuple[object, ...]", whole))
    if not isinstance(whole, Node):
        return whole
    held = cast("Any", whole)
    return replace(held, **{each.name: put(getattr(held, each.name), old, new) for each in fields(held)})


def mutated(ir: IR) -> Iterator[tuple[str, IR]]:
    """The journey with one condition of one arrow wrong, of the customer or of the payload."""
    for state in ir.states:
        for place, arrow in enumerate(state.arrows):
            for said, wrong in _wrong(arrow):
                arrows = (*state.arrows[:place], wrong, *state.arrows[place + 1 :])
                boxes = tuple(replace(each, arrows=arrows) if each is state else each for each in ir.states)
                yield f"{state.name}: {said}", replace(ir, states=boxes)
    for place, arrow in enumerate(ir.anywhere):
        for said, wrong in _wrong(arrow):
            yield f"anywhere: {said}", replace(ir, anywhere=(*ir.anywhere[:place], wrong, *ir.anywhere[place + 1 :]))


def _wrong(arrow: Arrow) -> Iterator[tuple[str, Arrow]]:
    if arrow.guard is not None:
        for guard in mutants(arrow.guard):
            yield guard.sentence(), replace(arrow, guard=guard)
    if isinstance(arrow.on, Answer) and arrow.on.where is not None:
        for where in mutants(arrow.on.where):
            yield where.sentence(), replace(arrow, on=replace(arrow.on, where=where))


def same(path: Path) -> bool:
    """Whether the path still goes where it went, at each move."""
    walked = path.found.begun(kit.Walk)
    steps = [len(walked.steps)]
    try:
        for move, _ in path.found.moves:
            move.do(walked)
            steps.append(len(walked.steps))
    except ValueError:  # there is nothing to answer where she is now
        return False
    there = tuple(step.state.name for step in walked.steps)
    return there == path.boxes and steps == [path.found.entered, *(after for _, after in path.found.moves)]


@pytest.mark.parametrize("journey", [*SHIPPED, Care])
def test_A3_a_mutated_guard_is_caught_by_the_paths(journey: type[Journey], monkeypatch: pytest.MonkeyPatch) -> None:
    found = paths(journey)
    survived: list[str] = []
    tried = 0
    for said, ir in mutated(found.ir):
        tried += 1
        monkeypatch.setitem(driver._charts, journey, chart(ir))  # pyright: ignore[reportPrivateUsage]  # the mutant
        if all(same(path) for path in found):
            survived.append(said)
    assert tried > 4
    assert survived == []


# --- what can't be taken ----------------------------------------------------------------------------------------------


class Barred(Journey):
    enters = Api()
    purpose = marketing
    done = Final()

    @Choice()
    def never(self) -> Arrows:
        yield when((Customer.country == "FR") & Customer.country.starts_with("D")) >> self.beyond
        yield otherwise >> self.mail

    @Email("barred/mail")
    def mail(self) -> Arrows:
        yield Email.clicked.where((Click.link == "b") & Click.link.contains("a")) >> self.done
        yield (
            Shop.purchased.where((Purchase.total > Purchase.quantity) & (Purchase.quantity > 2) & (Purchase.total < 1))
            >> self.done
        )
        yield Sms.clicked.any_send() >> self.done
        yield Email.opened.when(self.mail.visits >= 2) >> self.done
        yield after(days=3) >> self.thirds

    @Split()
    def thirds(self) -> Arrows:
        yield share(50) >> self.done
        yield share(25) >> self.done
        yield share(25) >> self.done

    @Sms("barred/beyond")
    def beyond(self) -> Arrows:
        yield after(days=1) >> self.done


SHUT = (
    "never: country is FR and country starts with D → beyond: no facts were found that open it, and none of the arrows before it: "
    "country is FR and country starts with D"
)


def test_A3_what_no_walk_takes_is_told_with_its_reason() -> None:
    found = paths(Barred)
    assert [str(missed) for missed in found.missed] == [
        SHUT,
        "beyond: after 1 d → done: no walk comes to `beyond`",
        "mail: clicked, link is b and link contains a → done: no event of which it holds was found (link is b and link contains a)",
        "mail: purchased, total > quantity and quantity > 2 and total < 1 → done: no event of which it holds was found (total > quantity and quantity > 2 and total < 1)",  # noqa: E501  # as it is told
        "mail: sms clicked (any send) → done: nothing was sent by then that it could answer",
        "mail: opened, if visits of mail ≥ 2 → done: wherever it could be taken, another arrow is taken before it",
        "thirds: 25 % → done: another share leads to the same box",
    ]
    assert lines(found)[:2] == [
        "# barred: 4 of 11 arrows, in 3 walks",
        f"# not taken · {SHUT}",
    ]


def test_A3_a_search_that_was_cut_short_says_so() -> None:
    assert {missed.why for missed in paths(Care, limit=5).missed} >= {
        "it was not come upon in 5 moves; a larger limit= looks further"
    }


class Spoken(Journey):
    enters = Api()
    purpose = marketing
    yes = Goal()
    no = Final()

    @Sms("spoken/ask")
    def ask(self) -> Arrows:
        yield Sms.replied.matching(r"(?<!not )\bgl[aeiou]d{1,2}\b") >> self.yes
        yield forever

    @Anywhere()
    def exits(self) -> Arrows:
        yield Sms.replied.where(Reply.words == "STOP") >> self.no


def test_A3_a_text_that_a_pattern_is_found_in_may_be_given() -> None:
    assert [missed.said for missed in paths(Spoken).missed] == [
        'ask: replied, text matches "(?<!not )\\bgl[aeiou]d{1,2}\\b" → yes'
    ]
    found = paths(Spoken, texts=["I am glad"])
    assert found.missed == ()
    assert 'tell(Sms.replied, text="I am glad")' in str(found)


def test_A3_they_begin_with_the_customer_that_they_are_given() -> None:
    found = paths(WinBack, customer=customer(country="DE"))
    assert found.missed == ()
    assert "walk(WinBack, customer=customer(), take=WinBack.story)  # eligible → offer → story" in lines(found)
    knows = customer(orders=kit.orders(12, every=days(3)))
    assert "orders=[dict(total=30, ago=Duration(86400), " in str(paths(Welcome, customer=knows))


def test_A3_a_year_with_twenty_waits_is_forty_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Event] = []

    def counted(c: Chart, member: Snapshot, event: Event, at: int) -> tuple[Snapshot, list[Effect]]:
        taken.append(event)
        return step(c, member, event, at)

    monkeypatch.setattr(driver, "take_step", counted)
    names = [f"wait_{place:02}" for place in range(20)]
    body = [f"    @Wait()\n    def {one}(self) -> Arrows:\n        yield after(days=18) >> self.{other}\n"
            for one, other in zip(names, [*names[1:], "over"], strict=True)]  # fmt: skip
    space: dict[str, Any] = dict(vars(dsl))
    exec("class Year(Journey):\n    enters = Api()\n    over = Final()\n" + "".join(body), space)  # noqa: S102  # written above
    w = walk(space["Year"]).wait(days=360)
    assert w.reason == "over"
    assert len(w.steps) == 21
    assert len(taken) == 20, "virtual time costs nothing: one step of the stepper for each wait"
    assert paths(space["Year"]).tried == 21


# --- conditions that are hard to meet ---------------------------------------------------------------------------------


class Counted(Journey):
    """Everything that can be counted over orders."""

    enters = Api()
    purpose = marketing
    done = Final()
    other = Final()

    @Choice()
    def counted(self) -> Arrows:
        yield when(Orders.where((Orders.category == "a") & (Orders.category == "b")).count() >= 1) >> self.other
        yield when(Orders.avg(Orders.total) >= 20) >> self.by_rhythm
        yield when(Orders.count().is_in([2, 5])) >> self.other
        yield (
            when((Customer.city == "Lyon") | ((Customer.country == "FR") & Customer.country.starts_with("D")))
            >> self.other
        )
        yield otherwise >> self.done

    @Wait()
    def by_rhythm(self) -> Arrows:
        yield after(days=40).when(Orders.recency() < days(2)) >> self.other
        yield after(days=41).when(Orders.rhythm() * 2 < days(20)) >> self.done
        yield after(days=42).when(Orders.last(days=3).count() >= 1) >> self.done
        yield (
            Shop.purchased.where(
                (Purchase.category == "a")
                | ((Purchase.total > Purchase.quantity) & (Purchase.quantity > 2) & (Purchase.total < 1))
            )
            >> self.done
        )
        yield after(days=43) >> self.other


def test_A3_whatever_is_counted_over_orders_is_met_or_told() -> None:
    found = paths(Counted)
    assert [missed.said.partition(" →")[0] for missed in found.missed] == [
        "counted: ≥ 1 a b order",
    ]
    assert ".wait(days=39, hours=23, minutes=59)" in lines(found), (
        "who is to have bought two days ago buys within the wait"
    )
    for path in found:
        assert same(path)


class Twice(Journey):
    """A mail that must fail once, and reach her later."""

    enters = Api()
    purpose = marketing
    won = Final()
    lost = Final()

    @Email("twice/mail")
    def mail(self) -> Arrows:
        yield Email.clicked.when(self.pause.visits >= 1) >> self.won
        yield Email.not_sent.up_to(1) >> self.pause
        yield after(days=3) >> self.lost

    @Wait()
    def pause(self) -> Arrows:
        yield after(days=1) >> self.mail


def test_A3_what_was_refused_once_reaches_her_again() -> None:
    found = paths(Twice)
    assert found.missed == ()
    assert ".reach(Twice.mail)" in lines(found)
    assert 'unreachable={Twice.mail: "address missing"}' in str(found)


def test_A3_what_a_trigger_says_by_equality_is_told_by_itself() -> None:
    told = walk(Barred, customer={}).copy().tell(Email.clicked.link("a").where(Click.url == "x"))
    assert told.late == ["not awaited here"]


def test_A3_a_condition_with_too_many_ways_is_given_up() -> None:
    class Wide(Journey):
        enters = Api()
        done = Final()
        other = Final()

        @Choice()
        def wide(self) -> Arrows:
            yield (
                when(
                    ~((Customer.id == "a") | (Customer.city == "b") | (Customer.phone == "c") | (Customer.email == "d"))
                    & ~(
                        (Customer.id != "x")
                        | (Customer.postcode != "e")
                        | (Customer.address != "f")
                        | (Customer.zone != "g")
                    )
                    & ~(
                        ~Customer.id.starts_with("y")
                        | (Customer.first_name != "h")
                        | (Customer.last_name != "i")
                        | (Customer.language != "j")
                    )
                )
                >> self.other
            )
            yield otherwise >> self.done

    (missed,) = paths(Wide).missed
    assert missed.why.startswith("no facts were found that open it")
