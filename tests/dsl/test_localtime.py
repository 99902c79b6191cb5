"""Local time, across clock changes and in every zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsl.localtime import clock_time, in_window, local_moment, next_local, zone_of

PARIS = ZoneInfo("Europe/Paris")
NINE = time(9)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "fires"),
    [
        ("2026-03-28T10:00", "2026-03-29T07:00"),  # the clocks go forward in the night: 9:00 is 7:00 UTC
        ("2026-10-24T10:00", "2026-10-25T08:00"),  # and back: 9:00 is 8:00 UTC
        ("2026-07-01T06:59", "2026-07-01T07:00"),
        ("2026-07-01T07:00", "2026-07-02T07:00"),
    ],
)
def test_T1_nine_o_clock_is_nine_o_clock_after_a_clock_change(asked: str, fires: str) -> None:
    assert next_local(utc(asked), PARIS, NINE) == utc(fires)


def test_T1_half_past_two_in_the_gap_fires_at_three() -> None:
    fires = next_local(utc("2026-03-28T12:00"), PARIS, time(2, 30))
    assert fires == utc("2026-03-29T01:00")
    assert fires.astimezone(PARIS).time() == time(3)


def test_T1_half_past_two_in_the_fold_fires_once() -> None:
    first = next_local(utc("2026-10-24T12:00"), PARIS, time(2, 30))
    assert first == utc("2026-10-25T00:30")
    assert next_local(first, PARIS, time(2, 30)) == utc("2026-10-26T01:30")


@pytest.mark.parametrize(
    ("zone", "fires"),
    [
        ("Asia/Tokyo", "2026-03-01T23:00"),
        ("Pacific/Auckland", "2026-03-01T19:00"),
        ("America/Los_Angeles", "2026-03-02T16:00"),
    ],
)
def test_T2_monday_eight_is_the_customers_monday(zone: str, fires: str) -> None:
    moment = next_local(utc("2026-02-28T12:00"), ZoneInfo(zone), time(8), [0])
    assert moment == utc(fires)
    assert moment.astimezone(ZoneInfo(zone)).weekday() == 0


@pytest.mark.parametrize(
    ("clock", "quiet"),
    [("20:59", False), ("21:00", True), ("23:59", True), ("00:00", True), ("07:59", True), ("08:00", False)],
)
def test_T3_quiet_hours_are_exact_and_overnight_windows_are_not_inverted(clock: str, quiet: bool) -> None:
    moment = local_moment(date(2026, 5, 4), clock_time(clock), PARIS)
    assert in_window(moment, PARIS, time(21), time(8)) is quiet


@pytest.mark.parametrize(("clock", "inside"), [("08:59", False), ("09:00", True), ("17:59", True), ("18:00", False)])
def test_T3_office_hours_within_a_day(clock: str, inside: bool) -> None:
    moment = local_moment(date(2026, 5, 4), clock_time(clock), PARIS)
    assert in_window(moment, PARIS, time(9), time(18)) is inside


def test_T4_an_unknown_zone_falls_back_in_the_documented_order() -> None:
    assert zone_of("Asia/Tokyo", "Europe/Paris").key == "Asia/Tokyo"
    assert zone_of(None, "Mars/Olympus", "Europe/Paris").key == "Europe/Paris"
    assert zone_of("", "../etc/passwd").key == "UTC"


@given(
    st.sampled_from(sorted(available_timezones())),
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001  # the zone is added below
    st.times(),
    st.sets(st.integers(0, 6), min_size=1),
)
def test_the_next_local_time_is_ahead_within_days_and_never_early(
    name: str, naive: datetime, at: time, weekdays: set[int]
) -> None:
    zone, after, at = ZoneInfo(name), naive.replace(tzinfo=UTC), at.replace(second=0, microsecond=0)
    moment = next_local(after, zone, at, sorted(weekdays))
    local = moment.astimezone(zone)
    assert after < moment <= after + timedelta(days=9)
    assert local.time() == at or local.time() > at  # later in a gap alone
    if local.time() != at:
        assert (local - timedelta(hours=3)).utcoffset() != local.utcoffset() or local.time() < time(1)


@pytest.mark.parametrize("text", ["9", "24:00", "09:60", "nine", ""])
def test_a_time_of_day_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HH:MM"):
        clock_time(text)


def test_no_weekday_is_refused() -> None:
    with pytest.raises(ValueError, match="weekdays"):
        next_local(utc("2026-01-01T00:00"), PARIS, NINE, [])
