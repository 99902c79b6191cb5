"""JSON from outside: what needs a closer look, and that nothing which can't be kept goes by without one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.json_text import parsed, suspicious, unfit

ODD = [
    "NaN",
    "-Infinity",
    "1e999",
    "-1E+400",
    "1.5e400",
    "9" * 310,
    "-" + "9" * 5000,
    r'"\u0000"',
    r'"\ud800"',
    '"\x00"',
]
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("around", ["{}", "[{}]", "[1,{}]", '{{"a":{}}}', '{{"a" : \n{} }}', '{{"a": [[{}]]}}', " {}"])
def test_what_cant_be_kept_is_looked_at_and_found_wherever_it_stands(odd: str, around: str) -> None:
    text = around.format(odd).encode()
    assert suspicious(text)
    if "\x00" not in odd:  # which is no JSON at all
        assert unfit(parsed(text)) is not None


def test_an_event_as_shops_send_it_needs_no_closer_look() -> None:
    event: dict[str, Any] = {
        "messageId": "0e123456-8e12-4e999-9e400-1e5000000000",
        "at": "2026-05-04T09:30:00.000Z",
        "total": 1e-7,
        "n": 10**280,
    }
    assert not suspicious(json.dumps({"batch": [event]}).encode())


@given(VALUES)
def test_what_json_knows_is_read_as_it_is_and_what_databases_hold_is_fit(value: Any) -> None:
    text = json.dumps(value).encode()
    assert parsed(text) == value
    if not suspicious(text):
        assert unfit(value) is None
