"""Durations in words, and read back."""

from __future__ import annotations

import pytest

from dsl import days, hours, minutes
from dsl.times import Duration, duration_words, read_duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (59, "59 seconds"),
        (90 * 60, "1 hour 30 minutes"),
        (86_400, "1 day"),
        (36 * 3600, "1 day 12 hours"),
        (14 * 86_400 + 61, "14 days 1 minute 1 second"),
    ],
)
def test_a_duration_is_said_whole_and_read_back(seconds: int, words: str) -> None:
    assert duration_words(seconds) == words
    assert read_duration(words) == Duration(seconds)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("3d", days(3)),
        ("2 weeks", days(14)),
        ("1w 1d", days(8)),
        (" 36 H ", hours(36)),
        ("1 day and 12 hours", hours(36)),
        ("1,5 h", minutes(90)),
        ("90min", minutes(90)),
        ("90 m", minutes(90)),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: str, wanted: Duration) -> None:
    assert read_duration(text) == wanted


@pytest.mark.parametrize("text", ["", " ", "3", "days", "3 moons", "3 days late", "-3 days", "0.5 s", "d3"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"3 days, 36 h or 1 day 12 hours|whole seconds"):
        read_duration(text)
