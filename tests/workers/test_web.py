"""Calls to others' servers."""

from __future__ import annotations

import httpx
import pytest

from workers.web import asked_wait


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("17", 17.0),
        ("0.2", 0.2),
        ("0", 0.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("-5", None),
        ("9" * 400, None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(given: str, wanted: float | None) -> None:
    assert asked_wait(httpx.Response(429, headers={"Retry-After": given})) == wanted
