"""Waits for times and dates of the customer, as an author walks through them. Behaviours T1 to T8."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from kit.stepping import Stepped

from dsl import (
    Api,
    Arrows,
    Choice,
    Customer,
    Email,
    Final,
    Goal,
    Journey,
    Letter,
    Problems,
    Sms,
    Wait,
    after,
    always,
    at,
    between,
    compile_journey,
    days,
    hours,
    marketing,
    moment,
    now,
    otherwise,
    skip,
    then,
    transactional,
    until,
    when,
    workdays,
)
from dsl.chart import chart
from dsl.ir import CHANGED, After, Clock, State, Until
from dsl.localtime import fitting, moments
from dsl.planning import Place, may_send, over
from dsl.step import Acted, Due, Measure
from dsl.testing import Walk, walk


class Member(Customer):
    birthday = moment()
    renewal = moment()


PARIS = {"zone": "Europe/Paris"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def ended(w: Walk, most: int = 1200) -> str:
    """When she came to the end, as her clock has it."""
    w.wait(days=most)
    assert w.ended
    there = w.steps[-1].at.astimezone(ZoneInfo(str(w.customer.get("zone", "UTC"))))
    return there.strftime("%Y-%m-%d %H:%M")


class Nine(Journey):
    """Next nine o'clock."""

    enters = Api()
    done = Final()

    @Wait()
    def pause(self) -> Arrows:
        yield at("09:00") >> self.done


@pytest.mark.parametrize(
    ("asked", "fires"),
    [
        ("2026-03-28T10:00", "2026-03-29 09:00"),  # the clocks go forward in that night
        ("2026-10-24T10:00", "2026-10-25 09:00"),  # and back in this one
        ("2026-07-01T08:59", "2026-07-01 09:00"),
        ("2026-07-01T09:00", "2026-07-02 09:00"),  # whoever asks for nine at nine waits a day
    ],
)
def test_T1_tomorrow_nine_is_nine_across_a_clock_change(asked: str, fires: str) -> None:
    assert ended(walk(Nine, customer=PARIS, at=local(asked, "Europe/Paris"))) == fires


class Night(Journey):
    """Half past two, three nights in a row."""

    enters = Api()
    done = Final()

    @Wait()
    def pause(self) -> Arrows:
        yield at("02:30").up_to(2) >> self.pause
        yield at("02:30") >> self.done


def test_T1_half_past_two_in_the_gap_is_three_and_in_the_fold_it_comes_once() -> None:
    for begins, expected in (
        ("2026-03-28T00:00", ["2026-03-28 02:30", "2026-03-29 03:00", "2026-03-30 02:30"]),
        ("2026-10-24T00:00", ["2026-10-24 02:30", "2026-10-25 02:30", "2026-10-26 02:30"]),
    ):
        w = walk(Night, customer=PARIS, at=local(begins, "Europe/Paris")).wait(days=3)
        there = [step.at.astimezone(ZoneInfo("Europe/Paris")).strftime("%Y-%m-%d %H:%M") for step in w.steps[1:]]
        assert there == expected


class Mondays(Journey):
    """Two days, then Monday at eight."""

    enters = Api()
    done = Final()

    @Wait()
    def pause(self) -> Arrows:
        yield after(days=2, at="08:00", on=["monday"]) >> self.done


@pytest.mark.parametrize(
    ("zone", "fires"),
    [
        ("Asia/Tokyo", "2026-03-01T23:00"),
        ("Pacific/Auckland", "2026-03-01T19:00"),
        ("America/Los_Angeles", "2026-03-02T16:00"),
    ],
)
def test_T2_monday_eight_is_the_customers_monday(zone: str, fires: str) -> None:
    w = walk(Mondays, customer={"zone": zone}, at=utc("2026-02-27T12:00"))
    assert ended(w) == "2026-03-02 08:00"
    assert w.steps[-1].at == utc(fires)


class Quiet(Journey):
    """A text, but not at night; a receipt at any time."""

    enters = Api()
    purpose = marketing
    quiet_hours = between("21:00", "08:00")
    done = Final()

    @Sms("t/sms")
    def text(self) -> Arrows:
        yield then >> self.receipt

    @Email("t/mail", purpose=transactional)
    def receipt(self) -> Arrows:
        yield then >> self.done


@pytest.mark.parametrize(
    ("clock", "sent"),
    [
        ("2026-05-04T20:59", "2026-05-04T20:59"),
        ("2026-05-04T21:00", "2026-05-05T08:00"),
        ("2026-05-04T23:59", "2026-05-05T08:00"),
        ("2026-05-05T00:00", "2026-05-05T08:00"),
        ("2026-05-05T07:59", "2026-05-05T08:00"),
        ("2026-05-05T08:00", "2026-05-05T08:00"),
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Paris", "Asia/Tokyo", "America/Los_Angeles"])
def test_T3_quiet_hours_are_exact_and_overnight(clock: str, sent: str, zone: str) -> None:
    w = walk(Quiet, customer={"zone": zone}, at=local(clock, zone)).wait(days=1)
    assert [message.at for message in w.messages] == [local(sent, zone)] * 2


def test_T3_what_must_be_told_is_told_at_night() -> None:
    class Receipt(Journey):
        enters = Api()
        purpose = transactional
        quiet_hours = between("21:00", "08:00")
        done = Final()

        @Email("t/mail")
        def receipt(self) -> Arrows:
            yield then >> self.done

    assert walk(Receipt, customer=PARIS, at=local("2026-05-05T03:00", "Europe/Paris")).ended


@pytest.mark.parametrize(
    ("fold", "ends"),
    [(0, "2026-10-25T00:30"), (1, "2026-10-25T01:30")],  # 02:10 before the clocks go back, and after
)
def test_T3_a_quiet_time_that_ends_in_the_fold_ends_twice_not_a_day_later(fold: int, ends: str) -> None:
    class Late(Journey):
        enters = Api()
        purpose = marketing
        quiet_hours = between("21:00", "02:30")
        done = Final()

        @Sms("t/sms")
        def text(self) -> Arrows:
            yield then >> self.done

    begins = datetime(2026, 10, 25, 2, 10, tzinfo=ZoneInfo("Europe/Paris"), fold=fold)
    assert walk(Late, customer=PARIS, at=begins).wait(days=1).messages[0].at == utc(ends)
    assert len(moments(date(2026, 10, 25), datetime(2026, 1, 1, 2, 30).time(), ZoneInfo("Europe/Paris"))) == 2  # noqa: DTZ001  # a time of day


def test_T3_quiet_days_are_quiet_and_no_others() -> None:
    class Sundays(Journey):
        enters = Api()
        purpose = marketing
        quiet_hours = between("12:00", "09:00", on=["sunday"])
        done = Final()

        @Sms("t/sms", hours=between("07:00", "20:00"))
        def text(self) -> Arrows:
            yield then >> self.done

    for begins, sent in (
        ("2026-05-02T13:00", "2026-05-02T13:00"),  # a Saturday
        ("2026-05-03T08:00", "2026-05-03T09:00"),
        ("2026-05-03T12:00", "2026-05-04T07:00"),  # Sunday noon: till midnight it is quiet, then the box's hours count
    ):
        w = walk(Sundays, customer=PARIS, at=local(begins, "Europe/Paris")).wait(days=2)
        assert w.messages[0].at == local(sent, "Europe/Paris")


def test_A1_hours_within_quiet_ones_are_refused_on_the_same_days_only() -> None:
    def problems(hours: Clock, quiet: Clock) -> list[str]:
        class Silent(Journey):
            enters = Api()
            purpose = marketing
            quiet_hours = quiet
            done = Final()

            @Sms("t/sms", hours=hours)
            def text(self) -> Arrows:
                yield then >> self.done

        try:
            compile_journey(Silent)
        except Problems as found:
            return [error.code for error in found]
        return []

    night = between("21:00", "08:00")
    assert problems(between("22:00", "23:00"), night) == ["J138"]
    assert problems(between("22:00", "07:00", on=["monday"]), night) == ["J138"]
    assert problems(between("22:00", "08:01"), night) == []
    assert problems(between("22:00", "23:00"), between("21:00", "08:00", on=["sunday"])) == []
    assert problems(between("22:00", "23:00"), between("21:00", "08:00", holidays=False)) == []
    assert problems(between("22:00", "23:00", holidays=False), between("21:00", "08:00", holidays=False)) == ["J138"]


def test_T4_without_a_zone_it_is_the_journeys_then_utc() -> None:
    class Zoned(Nine):
        zone = "Asia/Tokyo"

    begins = utc("2026-05-04T12:00")
    assert walk(Nine, at=begins).wait(days=1).steps[-1].at == utc("2026-05-05T09:00")
    assert walk(Zoned, at=begins).wait(days=1).steps[-1].at == utc("2026-05-05T00:00")
    assert walk(Zoned, customer={"zone": "Mars/Olympus"}, at=begins).wait(days=1).steps[-1].at == utc(
        "2026-05-05T00:00"
    )
    assert walk(Zoned, customer=PARIS, at=begins).wait(days=1).steps[-1].at == utc("2026-05-05T07:00")


class Renewal(Journey):
    """Two weeks before the contract is renewed, at nine."""

    enters = Api()
    told = Goal()
    over = Final()
    unknown = Final()
    lapsed = Final()

    @Wait()
    def pause(self) -> Arrows:
        yield until(Member.renewal - days(14), at="09:00", past=self.over, missing=self.unknown) >> self.told
        yield after(days=3000) >> self.lapsed


class Hurried(Renewal):
    @Wait()
    def pause(self) -> Arrows:
        yield until(Member.renewal, past=now, missing=now) >> self.told
        yield after(days=3000) >> self.lapsed


class Calm(Renewal):
    @Wait()
    def pause(self) -> Arrows:
        yield until(Member.renewal, past=skip, missing=skip) >> self.told
        yield after(days=3000) >> self.lapsed


@pytest.mark.parametrize(
    ("journey", "past", "missing"), [(Renewal, "over", "unknown"), (Hurried, "told", "told"), (Calm, None, None)]
)
def test_T5_a_date_past_or_missing_follows_its_rule(
    journey: type[Journey], past: str | None, missing: str | None
) -> None:
    gone = {**PARIS, "renewal": utc("2026-03-01T00:00")}
    assert walk(journey, customer=gone, at=utc("2026-03-02T12:00")).wait(minutes=1).reason == past
    assert walk(journey, customer=PARIS, at=utc("2026-03-02T12:00")).wait(minutes=1).reason == missing


@pytest.mark.parametrize("journey", [Renewal, Hurried, Calm])
def test_T5_a_date_to_come_is_waited_for(journey: type[Journey]) -> None:
    w = walk(journey, customer={**PARIS, "renewal": utc("2026-06-15T00:00")}, at=utc("2026-03-02T12:00"))
    assert ended(w) == ("2026-06-01 09:00" if journey is Renewal else "2026-06-15 00:00")
    assert w.reason == "told"


def test_T5_a_date_with_a_time_of_day_is_that_moment_and_one_without_is_her_own_day() -> None:
    class Shifted(Renewal):
        @Wait()
        def pause(self) -> Arrows:
            yield until(Member.renewal - hours(12), past=skip, missing=skip) >> self.told
            yield after(days=3000) >> self.lapsed

    tokyo = {"zone": "Asia/Tokyo"}
    day, noon = utc("2026-06-15T00:00"), utc("2026-06-15T12:00")
    assert ended(walk(Shifted, customer={**tokyo, "renewal": day})) == "2026-06-14 12:00"
    assert ended(walk(Shifted, customer={**tokyo, "renewal": noon})) == "2026-06-15 09:00"
    assert ended(walk(Calm, customer={**tokyo, "renewal": noon})) == "2026-06-15 21:00"


def test_T6_a_date_that_changes_is_planned_anew() -> None:
    w = walk(Renewal, customer={**PARIS, "renewal": utc("2026-06-15T00:00")}, at=utc("2026-03-02T12:00"))
    w.wait(days=60).change(renewal=utc("2026-07-15T00:00"))
    assert ended(w) == "2026-07-01 09:00"

    w = walk(Renewal, customer=PARIS | {"renewal": utc("2026-06-15T00:00")}, at=utc("2026-03-02T12:00"))
    assert w.wait(days=60).change(renewal=utc("2026-01-01T00:00")).wait(minutes=1).reason == "over"
    assert w.late == []
    w = walk(Calm, customer=PARIS, at=utc("2026-03-02T12:00"))
    assert ended(w.wait(days=60).change(renewal=utc("2026-07-15T00:00"))) == "2026-07-15 00:00"


def test_T7_a_zone_that_changes_moves_the_wait() -> None:
    w = walk(Nine, customer=PARIS, at=utc("2026-05-04T12:00"))
    w.change(zone="America/Los_Angeles")
    assert w.wait(hours=3).at is Nine.pause
    assert ended(w) == "2026-05-04 09:00"


def test_T6_T7_what_no_wait_hangs_on_changes_nothing() -> None:
    w = walk(Nine, customer=PARIS, at=utc("2026-05-04T12:00"))
    before = w.wait(hours=1).change(first_name="Zoé").steps
    assert [step.state for step in before] == [Nine.pause]
    assert {answer.event for answer in w.ir.listens} == {CHANGED}


class Guarded(Journey):
    """On the day it asks; else it waits on."""

    enters = Api()
    told = Goal()
    over = Final()
    lapsed = Final()

    @Wait()
    def pause(self) -> Arrows:
        yield until(Member.renewal, past=self.over, missing=skip).when(Customer.country == "FR") >> self.told
        yield after(days=100) >> self.lapsed


def test_T6_a_date_that_has_come_is_no_past_one_when_something_else_changes_later() -> None:
    w = walk(Guarded, customer={**PARIS, "renewal": utc("2026-03-10T00:00")}, at=utc("2026-03-02T12:00"))
    w.wait(days=10).change(zone="Asia/Tokyo").wait(days=1)
    assert w.at is Guarded.pause
    w.change(zone="Europe/Paris", country="FR").wait(days=1)
    assert w.at is Guarded.pause
    w.change(renewal=utc("2026-04-10T00:00"))
    assert ended(w) == "2026-04-10 00:00"
    assert w.reason == "told"


def test_T6_a_change_that_comes_in_the_grace_is_too_late_to_move_what_is_over() -> None:
    m = Stepped(Calm)
    asked = m.effects[-1]
    assert isinstance(asked, Measure)
    m.tell(Acted(waits=((0, 5000),)), 1000)
    m.tell(m.answer(CHANGED, at=4999), 5500)
    assert m.effects == []
    m.tell(Due(), 6000)
    assert m.at == "told"


class Owing(Journey):
    """Sends, and waits for a date."""

    enters = Api()
    purpose = marketing
    paper = Final()
    told = Final()
    lapsed = Final()

    @Email("t/mail")
    def mail(self) -> Arrows:
        yield Email.not_sent >> self.paper
        yield until(Member.renewal, past=skip, missing=skip) >> self.told
        yield after(days=100) >> self.lapsed


def test_T7_a_change_that_comes_during_a_send_loses_nothing_that_the_box_owes() -> None:
    m = Stepped(Owing)
    m.tell(m.answer(CHANGED), 500)
    m.tell(Acted(sent=False), 1000)
    asked = m.effects[-1]
    assert isinstance(asked, Measure)
    assert asked.since == 1000
    m.tell(Acted(waits=()), 2000)
    assert m.at == "paper"


class Birthday(Journey):
    """A card every year, three days ahead."""

    enters = Api()
    purpose = marketing
    unknown = Final()

    @Wait()
    def pause(self) -> Arrows:
        yield until(Member.birthday.yearly() - days(3), missing=self.unknown) >> self.card

    @Letter("t/letter")
    def card(self) -> Arrows:
        yield then >> self.pause


@pytest.mark.parametrize(
    ("born", "first", "cards"),
    [
        ("1980-03-04", "2026-03-02T12:00", ["2027-03-01", "2028-03-01", "2029-03-01"]),
        ("1980-03-06", "2026-03-02T12:00", ["2026-03-03", "2027-03-03", "2028-03-03"]),
        ("1984-02-29", "2026-03-02T12:00", ["2027-02-25", "2028-02-26", "2029-02-25"]),
        ("1984-01-02", "2026-03-02T12:00", ["2026-12-30", "2027-12-30", "2028-12-30"]),
    ],
)
def test_T8_a_birthday_comes_every_year_and_once(born: str, first: str, cards: list[str]) -> None:
    w = walk(Birthday, customer={"birthday": utc(f"{born}T00:00")}, at=utc(first)).wait(days=3 * 365 + 1)
    assert [message.at.strftime("%Y-%m-%d") for message in w.messages] == cards
    assert walk(Birthday, at=utc(first)).wait(minutes=1).reason == "unknown"


def test_T8_two_years_are_fine_and_nothing_times_out_that_nobody_declared() -> None:
    class Long(Journey):
        enters = Api()
        purpose = marketing
        done = Final()

        @Email("t/mail")
        def mail(self) -> Arrows:
            yield after(days=730) >> self.done

    w = walk(Long)
    assert w.wait(days=729, hours=23).at is Long.mail
    assert len(w.steps) == 1
    assert w.wait(hours=1).reason == "done"


# --- office hours and holidays ----------------------------------------------------------------------------------------


class Office(Journey):
    """In office hours only: the wait ends in them, the text goes out in them."""

    enters = Api()
    purpose = marketing
    done = Final()

    @Wait()
    def pause(self) -> Arrows:
        yield after(hours=1, during=between("09:00", "18:00", on=workdays, holidays=False)) >> self.text

    @Sms("t/sms", hours=between("10:00", "12:00", on=workdays))
    def text(self) -> Arrows:
        yield then >> self.done


@pytest.mark.parametrize(
    ("begins", "waits", "sends"),
    [
        ("2026-05-04T08:00", "2026-05-04T09:00", "2026-05-04T10:00"),
        ("2026-05-04T10:30", "2026-05-04T11:30", "2026-05-04T11:30"),
        ("2026-05-04T16:59", "2026-05-04T17:59", "2026-05-05T10:00"),
        ("2026-05-04T17:00", "2026-05-05T09:00", "2026-05-05T10:00"),
        ("2026-05-08T17:30", "2026-05-11T09:00", "2026-05-11T10:00"),  # a Friday
        ("2026-04-30T17:30", "2026-05-04T09:00", "2026-05-04T10:00"),  # before the first of May, a Friday
    ],
)
def test_office_hours_are_kept_on_workdays_and_not_on_holidays(begins: str, waits: str, sends: str) -> None:
    w = walk(Office, customer=PARIS, at=local(begins, "Europe/Paris"), holidays=[date(2026, 5, 1)]).wait(days=7)
    assert w.steps[1].at == local(waits, "Europe/Paris")
    assert w.messages[0].at == local(sends, "Europe/Paris")


def test_a_holiday_hangs_on_her_country() -> None:
    class Workday(Journey):
        enters = Api()
        done = Final()

        @Wait()
        def pause(self) -> Arrows:
            yield at("09:00", on=["friday"], holidays=False) >> self.done

    heard = compile_journey(Workday).listens
    assert [answer.where.sentence() for answer in heard if answer.where is not None] == [
        "field is country",
        "field is zone",
    ]
    w = walk(Workday, customer=PARIS, at=local("2026-04-29T10:00", "Europe/Paris"), holidays=[date(2026, 5, 1)])
    assert ended(w) == "2026-05-08 09:00"


def test_an_overnight_window_is_open_on_both_sides_of_midnight() -> None:
    night = Clock(None, "22:00", "06:00")
    paris = ZoneInfo("Europe/Paris")
    for asked, fits in (
        ("2026-05-04T21:59", "2026-05-04T22:00"),
        ("2026-05-04T23:30", "2026-05-04T23:30"),
        ("2026-05-05T00:00", "2026-05-05T00:00"),
        ("2026-05-05T05:59", "2026-05-05T05:59"),
        ("2026-05-05T06:00", "2026-05-05T22:00"),
    ):
        found = fitting(night, local(asked, "Europe/Paris"), paris, lambda _: False)
        assert found == local(fits, "Europe/Paris")


def test_a_clock_that_no_day_fits_is_told() -> None:
    with pytest.raises(ValueError, match="no day of the next five years"):
        fitting(Clock("09:00", holidays=False), utc("2026-05-04T12:00"), ZoneInfo("UTC"), lambda _: True)
    box = State("text", "sms", hours=Clock(None, "22:00", "23:00"))
    quiet = compile_journey(Quiet)
    with pytest.raises(ValueError, match="could never send"):
        may_send(quiet, box, utc("2026-05-04T12:00"), Place(ZoneInfo("UTC")))


def test_a_plan_has_no_arrow_that_is_no_wait() -> None:
    place = Place(ZoneInfo("UTC"))
    begins = utc("2026-05-04T12:00")
    quiet = chart(compile_journey(Quiet))
    assert over(quiet, [(0, None)], begins, begins, place) == ()
    assert isinstance(chart(compile_journey(Calm)).arrows[0].on, Until)
    assert isinstance(chart(compile_journey(Nine)).arrows[0].on, After)


# --- what the compiler says of them -----------------------------------------------------------------------------------


def codes(journey: type[Journey]) -> list[str]:
    with pytest.raises(Problems) as caught:
        compile_journey(journey)
    return [error.code for error in caught.value]


def test_A1_a_date_that_is_past_is_no_wait_and_a_loop_over_it_spins() -> None:
    class Spinning(Journey):
        enters = Api()
        purpose = marketing
        done = Final()

        @Wait()
        def pause(self) -> Arrows:
            yield until(Member.renewal, past=now, missing=self.done) >> self.mail

        @Email("t/mail")
        def mail(self) -> Arrows:
            yield then >> self.pause

    class Leaving(Spinning):
        @Wait()
        def pause(self) -> Arrows:
            yield until(Member.renewal, past=self.mail, missing=skip) >> self.done
            yield after(days=3) >> self.done

    assert codes(Spinning) == ["J123"]
    assert codes(Leaving) == ["J123"]


def test_A1_a_clock_has_no_place_in_a_re_entry_rule() -> None:
    class Again(Nine):
        again = after(days=180, at="09:00")

    assert codes(Again) == ["J112"]


def test_a_walk_that_waits_goes_through_choices_and_comes_back() -> None:
    class Round(Journey):
        enters = Api()
        again = always
        done = Final()

        @Wait()
        def pause(self) -> Arrows:
            yield at("09:00") >> self.look

        @Choice()
        def look(self) -> Arrows:
            yield when(Customer.country == "FR") >> self.done
            yield otherwise >> self.pause

    w = walk(Round, at=utc("2026-05-04T09:00")).wait(days=10)
    assert [step.at - w.steps[0].at for step in w.steps if step.cause == "timer"] == [
        timedelta(days=day) for day in range(1, 11)
    ]
    given: dict[str, Any] = {"country": "FR"}
    assert w.change(**given).wait(days=1).reason == "done"
