"""Crontab lines, against crontab(5)'s own rules and across clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsl.crontab import last_met
from dsl.entry import cron

PARIS = ZoneInfo("Europe/Paris")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "now", "met"),
    [
        ("0 9 * * *", "2026-07-01T08:00", "2026-07-01T07:00"),
        ("0 9 * * *", "2026-07-01T06:59", "2026-06-30T07:00"),
        ("*/10 * * * *", "2026-07-01T08:09", "2026-07-01T08:00"),
        ("5/20 * * * *", "2026-07-01T08:59", "2026-07-01T08:45"),
        ("0 8-18/5 * * *", "2026-07-01T20:00", "2026-07-01T16:00"),
        ("0 9 1 * *", "2026-07-31T12:00", "2026-07-01T07:00"),
        ("0 9 31 * *", "2026-07-30T12:00", "2026-05-31T07:00"),
        ("0 9 * * 1-5", "2026-07-05T12:00", "2026-07-03T07:00"),  # Sunday: the last workday was Friday
        ("0 9 * * 0", "2026-07-06T12:00", "2026-07-05T07:00"),
        ("0 9 * * 7", "2026-07-06T12:00", "2026-07-05T07:00"),
        ("0 9 13 * 5", "2026-07-12T12:00", "2026-07-10T07:00"),  # either: a Friday that is no 13th
        ("0 9 13 * 5", "2026-07-16T12:00", "2026-07-13T07:00"),  # or a 13th that is no Friday
        ("0 9 */2 * 5", "2026-07-12T12:00", "2026-07-03T07:00"),  # `*/2` counts as unrestricted: both must hold
        ("0 0 29 2 *", "2027-01-01T00:00", "2024-02-28T23:00"),
        ("30 2 * * *", "2026-03-29T01:00", "2026-03-29T01:00"),  # T1: in the gap, at its end
        ("30 2 * * *", "2026-10-25T01:45", "2026-10-25T00:30"),  # T1: in the fold, once
    ],
)
def test_T1_a_line_is_met_as_crontab_says(line: str, now: str, met: str) -> None:
    assert cron(line).cron == line
    found = last_met(line, utc(now), PARIS, LONG_AGO)
    assert found is not None
    assert found[0] == utc(met)


def test_T1_the_local_time_is_the_lines_own() -> None:
    found = last_met("30 2 * * *", utc("2026-03-29T05:00"), PARIS, LONG_AGO)
    assert found == (utc("2026-03-29T01:00"), datetime(2026, 3, 29, 2, 30))  # noqa: DTZ001  # a time of the clocks there


def test_nothing_is_met_before_since_or_never() -> None:
    now = utc("2026-07-01T08:00")
    assert last_met("0 9 * * *", now, PARIS, utc("2026-07-01T07:00")) is None
    assert last_met("0 9 * * *", now, PARIS, utc("2026-07-01T06:59:59")) is not None
    assert last_met("0 0 30 2 *", now, PARIS, LONG_AGO) is None


FIELDS = [
    st.integers(low, high).map(str)
    | st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda two: f"{min(two)}-{max(two)}")
    | st.integers(2, 7).map(lambda step: f"*/{step}")
    | st.just("*")
    for low, high in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
]


def _holds(field: str, number: int, low: int) -> bool:
    span, _, step = field.partition("/")
    if span == "*":
        return (number - low) % int(step or 1) == 0
    first, _, last = span.partition("-")
    return int(first) <= number <= int(last or first)


@given(
    st.tuples(*FIELDS),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001  # made UTC below
)
def test_it_agrees_with_looking_at_every_minute(fields: tuple[str, ...], moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    since = now - timedelta(days=2)
    minute, hour, day, month, weekday = fields
    either = not day.startswith("*") and not weekday.startswith("*")
    at = now.replace(second=0, microsecond=0)
    while at > since:
        in_month = _holds(day, at.day, 1)
        sunday = at.isoweekday() == 7
        in_week = _holds(weekday, at.isoweekday() % 7, 0) or (sunday and _holds(weekday, 7, 0))
        right = (in_month or in_week) if either else (in_month and in_week)
        if right and _holds(minute, at.minute, 0) and _holds(hour, at.hour, 0) and _holds(month, at.month, 1):
            break
        at -= timedelta(minutes=1)
    found = last_met(" ".join(fields), now, ZoneInfo("UTC"), since)
    assert (found[0] if found is not None else None) == (at if at > since else None)
