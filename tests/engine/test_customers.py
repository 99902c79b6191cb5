"""Customers: what a field may hold, and writing many at once, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine import customers
from engine.db import Database
from engine.errors import Invalid

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"email": " Zoe@EXAMPLE.com "}, {"email": "Zoe@example.com"}),
        ({"phone": "06 12 34 56 78", "country": "fr"}, {"phone": "+33612345678", "country": "FR"}),
        ({"phone": "+44 20 7946 0018"}, {"phone": "+442079460018"}),
        ({"language": "pt-BR"}, {"language": "pt"}),
        ({"first_name": "  "}, {"first_name": None}),
        ({"last_name": "O'Brien <b>"}, {"last_name": "O'Brien <b>"}),
        ({"address": "1 rue\n2e étage"}, {"address": "1 rue\n2e étage"}),
        (
            {"phone": "\u202a06\u00a012 34\u202f56 78\u202c", "country": "FR"},
            {"phone": "+33612345678", "country": "FR"},
        ),
        ({"email": "\ufeffzoe@example.com\u200b"}, {"email": "zoe@example.com"}),
        ({"last_name": "山田\u3000太郎", "city": "Le\u00a0Havre"}, {"last_name": "山田 太郎", "city": "Le Havre"}),
        ({"first_name": "علی\u200cرضا"}, {"first_name": "علی\u200cرضا"}),
        ({"first_name": "👩\u200d🚀 नमस्ते"}, {"first_name": "👩\u200d🚀 नमस्ते"}),
        ({"attributes": None, "city": None}, {"attributes": {}, "city": None}),
    ],
)
def test_fields_in_normal_form(fields: dict[str, Any], kept: dict[str, Any]) -> None:
    assert customers.clean(fields) == kept


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"email": "zoe"}, "email"),
        ({"email": "a@b@c"}, "email"),
        ({"phone": "06 12 34 56 78"}, "phone"),
        ({"phone": "call me"}, "phone"),
        ({"country": "France"}, "country"),
        ({"language": "français"}, "language"),
        ({"zone": "Paris"}, "zone"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"city": "Pa\x07ris"}, "city"),
        ({"last_name": "a\u2028b"}, "last_name"),
        ({"last_name": "\u202ereversed"}, "last_name"),
        ({"first_name": "\u200c\n\u200d"}, "first_name"),
        ({"first_name": "x" * 1001}, "first_name"),
        ({"first_name": 7}, "first_name"),
        ({"nickname": "Z"}, "nickname"),
        ({"attributes": ["a"]}, "attributes"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_value(fields: dict[str, Any], names: str) -> None:
    with pytest.raises(Invalid) as caught:
        customers.clean(fields)
    assert caught.value.field == names
    assert caught.value.value == fields[names]


def test_writing_changes_what_is_named_and_merges_attributes(db: Database) -> None:
    later = NOW + timedelta(days=1)
    with db.write() as conn:
        assert customers.put(
            conn, "1", {"city": "Paris", "language": "fr", "attributes": {"tier": "gold", "vip": True}}, NOW
        )
        assert not customers.put(conn, "1", {"city": None, "attributes": {"tier": None, "points": 3}}, later)
        assert not customers.put(conn, "1", {}, later)
        row = customers.get(conn, "1")
        assert customers.get(conn, "2") is None
    assert row is not None
    assert (row.city, row.language, row.attributes) == (None, "fr", {"vip": True, "points": 3})
    assert (row.created_at, row.updated_at) == (NOW, later)


def test_many_at_once_of_any_shape(db: Database) -> None:
    rows: list[tuple[str, dict[str, Any]]] = [(f"c{n}", {"city": f"City {n}"}) for n in range(6000)]
    rows += [("c1", {"language": "fr"}), ("c2", {"attributes": {"a": 1}}), ("c2", {"attributes": {"b": 2}})]
    with db.write() as conn:
        assert customers.put_new_or_changed(conn, rows, NOW) == 6000
        assert customers.put_new_or_changed(conn, rows, NOW) == 0
        one, two = customers.get(conn, "c1"), customers.get(conn, "c2")
    assert one is not None
    assert two is not None
    assert (one.city, one.language, two.attributes) == ("City 1", "fr", {"a": 1, "b": 2})


def test_writers_of_the_same_customers_wait_for_each_other(db: Database) -> None:
    ids = [f"c{n}" for n in range(200)]

    def write(turn: int) -> int:
        order = ids if turn % 2 else ids[::-1]
        with db.write() as conn:
            return customers.put_new_or_changed(conn, [(one, {"attributes": {f"t{turn}": turn}}) for one in order], NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(8)))
    with db.read() as conn:
        row = customers.get(conn, "c7")
    assert row is not None
    assert row.attributes == {f"t{turn}": turn for turn in range(8)}


def test_the_customers_of_a_number(db: Database) -> None:
    with db.write() as conn:
        customers.put(conn, "1", {"phone": "+33612345678"}, NOW)
        customers.put(conn, "2", {"phone": "+33612345678"}, NOW + timedelta(days=1))
        assert customers.by_phone(conn, "+33612345678") == ["2", "1"]
        assert customers.by_phone(conn, "+33600000000") == []
