"""Customers: their rows, and what a field may hold.

Every way in (API, identify, CSV) goes through `clean`, so that a phone number is E.164 and a language is ISO 639-1
wherever it came from. Writing changes the fields that are named and leaves the others; attributes are merged by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast
from uuid import uuid4
from zoneinfo import available_timezones

from sqlalchemy import Connection, bindparam, select, update

from dsl.ir import CHANGED
from engine.db import chunked, insert_new, insert_new_returning, table
from engine.depth import check_depth
from engine.errors import Invalid
from engine.events import Incoming, accept
from engine.printable import bare, printable, spaced
from engine.tables import Customer, Enrolment, Purchase

__all__ = ["FIELDS", "add_purchases", "by_phone", "clean", "customer_id", "get", "places", "put", "put_new_or_changed"]

FIELDS = (
    "first_name",
    "last_name",
    "email",
    "phone",
    "address",
    "postcode",
    "city",
    "country",
    "language",
    "zone",
)
"""What a customer's row holds, besides her id and attributes."""

_PLACE = ("zone", "country")
_CHUNK = 5000
_LONGEST = 1000
_COPIED = ("email", "phone")
"""What is copied from a page or a telephone's contacts, with marks around it that nobody sees."""
_LANGUAGE = re.compile(r"([A-Za-z]{2})(?:[-_].*)?\Z")


def clean(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields in normal form; a blank text becomes None. Raises Invalid, naming the field and the value.

    A phone number without `+` is read in the country of the same mapping.
    """
    cleaned: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "attributes":
            cleaned[name] = _attributes(value)
        elif name not in FIELDS:
            raise Invalid(name, value, f"not a field of a customer; known: {', '.join(FIELDS)}, attributes")
        elif value is None:
            cleaned[name] = None
        elif not isinstance(value, str):
            raise Invalid(name, value, "it must be text")
        else:
            cleaned[name] = _text(name, spaced(value).strip(), fields.get("country"))
    return cleaned


def customer_id(value: object, field: str = "id") -> str:
    """A usable customer id: text of 1 to 255 characters without control characters. Raises Invalid."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > 255 or not value.isprintable():
        raise Invalid(field, value, "a customer's id is text of 1 to 255 printable characters")
    return value.strip()


def put(conn: Connection, customer: str, fields: Mapping[str, Any], now: datetime) -> bool:
    """Write a customer's fields (normal form comes first). True if she is new. Raises Invalid."""
    return put_new_or_changed(conn, [(customer, clean(fields))], now) == 1


def put_new_or_changed(conn: Connection, rows: Sequence[tuple[str, Mapping[str, Any]]], now: datetime) -> int:
    """Write many customers, `(id, clean fields)`; of an id named twice the later fields win. Returns how many are new."""
    merged: dict[str, dict[str, Any]] = {}
    for customer, fields in rows:
        merged[customer] = _merge(merged.get(customer, {}), fields)
    new = 0
    ids = sorted(merged)  # in one order everywhere: two writers wait, and never deadlock
    for piece in chunked(ids, _CHUNK):
        new += _put_chunk(conn, {customer: merged[customer] for customer in piece}, now)
    return new


def get(conn: Connection, customer: str) -> Customer | None:
    """A customer's row, or None."""
    target = table(Customer)
    row = conn.execute(select(target).where(target.c.id == customer)).mappings().first()
    return None if row is None else Customer(**row)


def places(conn: Connection, customers: Sequence[str]) -> dict[str, tuple[str | None, str | None]]:
    """Time zone and country of each customer, where known."""
    target = table(Customer)
    found: dict[str, tuple[str | None, str | None]] = {}
    for piece in chunked(customers, _CHUNK):
        query = select(target.c.id, target.c.zone, target.c.country)
        rows = conn.execute(query.where(target.c.id.in_(piece)))
        found.update({row.id: (row.zone, row.country) for row in rows})
    return found


def by_phone(conn: Connection, phone: str) -> list[str]:
    """The customers who have this number, the one changed last first."""
    target = table(Customer)
    query = select(target.c.id).where(target.c.phone == phone).order_by(target.c.updated_at.desc(), target.c.id)
    return list(conn.execute(query).scalars())


def add_purchases(conn: Connection, lines: Sequence[Mapping[str, Any]]) -> None:
    """Keep purchase lines (rows of `purchase`); a line whose id is there already is passed over."""
    for piece in chunked(lines, _CHUNK):
        insert_new(conn, Purchase, piece)


def _merge(older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    both = {**older, **newer}
    if "attributes" in older and "attributes" in newer:
        both["attributes"] = {**older["attributes"], **newer["attributes"]}
    return both


def _put_chunk(conn: Connection, rows: Mapping[str, Mapping[str, Any]], now: datetime) -> int:
    target = table(Customer)
    there = set(conn.execute(select(target.c.id).where(target.c.id.in_(rows))).scalars())
    empty = dict.fromkeys(FIELDS)
    fresh: list[dict[str, Any]] = [
        {**empty, "attributes": {}, **fields, "id": customer, "created_at": now, "updated_at": now}
        for customer, fields in rows.items()
        if customer not in there
    ]
    # Another writer may be quicker: whom it made is then one to change, like those who were there.
    made: set[str] = set(insert_new_returning(conn, Customer, fresh, "id"))
    known: dict[str, dict[str, Any]] = {}
    changed: dict[str, set[str]] = {}
    if len(made) < len(rows):
        older = [customer for customer in rows if customer not in made]
        columns = (target.c.id, target.c.attributes, target.c.zone, target.c.country)
        locked = select(*columns).where(target.c.id.in_(older)).order_by(target.c.id)
        for row in conn.execute(locked.with_for_update()):
            known[row.id] = row.attributes or {}
            changed[row.id] = _changed(row, rows[row.id])
    # Rows that name the same fields are changed together: one statement a shape, however many customers.
    shapes: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for customer in rows:
        if customer in known:
            fields = dict(rows[customer])
            if "attributes" in fields:
                fields["attributes"] = _without_none({**known[customer], **fields["attributes"]})
            shapes.setdefault(tuple(sorted(fields)), []).append({**fields, "updated_at": now, "b_id": customer})
    for changes in shapes.values():
        conn.execute(_update(changes[0]), changes)
    _tell(conn, {customer: fields for customer, fields in changed.items() if fields}, now)
    return len(made)


def _changed(before: Any, fields: Mapping[str, Any]) -> set[str]:
    """The fields on which a wait may hang that are now others than they were."""
    own: dict[str, Any] = before.attributes or {}
    new: dict[str, Any] = fields.get("attributes") or {}
    found = {name for name, value in new.items() if own.get(name) != value}
    return found | {name for name in _PLACE if name in fields and getattr(before, name) != fields[name]}


def _tell(conn: Connection, changed: Mapping[str, set[str]], now: datetime) -> None:
    """Let the journeys that these customers are in know: a wait for a date is planned anew (behaviours T6, T7)."""
    enrolment = table(Enrolment)
    under_way = select(enrolment.c.customer_id).where(enrolment.c.ended_at.is_(None)).distinct()
    there: set[str] = set()
    for piece in chunked(sorted(changed)):
        there.update(conn.execute(under_way.where(enrolment.c.customer_id.in_(piece))).scalars())
    accept(
        conn,
        [
            Incoming(f"parcours:{CHANGED}:{uuid4().hex}", CHANGED, now, customer, None, {"field": name}, "customer")
            for customer in sorted(there)
            for name in sorted(changed[customer])
        ],
        now,
    )


def _update(shape: Mapping[str, Any]) -> Any:
    target = table(Customer)
    values: dict[str, Any] = {name: bindparam(name) for name in shape if name != "b_id"}
    return update(target).where(target.c.id == bindparam("b_id")).values(values)


def _without_none(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _attributes(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid("attributes", value, "it must be an object of names and values")
    attributes = cast("dict[object, Any]", value)
    check_depth("attributes", attributes)
    for name in attributes:
        if not isinstance(name, str) or not name:
            raise Invalid("attributes", name, "an attribute's name must be text")
    return cast("dict[str, Any]", attributes)


def _text(name: str, value: str, country: object) -> str | None:
    if name in _COPIED:
        value = bare(value)
    if not value:
        return None
    if len(value) > _LONGEST:
        raise Invalid(name, value, f"it has {len(value)} characters; {_LONGEST} is the most")
    if name != "address" and not printable(value):
        raise Invalid(name, value, "it holds control characters")
    rule = _RULES.get(name)
    return value if rule is None else rule(value, country if isinstance(country, str) else None)


def _email(value: str, country: str | None) -> str:
    del country
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  # not every command reads addresses

    try:
        return validate_email(value, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise Invalid("email", value, f"not an e-mail address: {error}") from None


def _phone(value: str, country: str | None) -> str:
    import phonenumbers  # noqa: PLC0415  # not every command reads numbers

    try:
        number = phonenumbers.parse(value, country.upper() if country else None)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise Invalid("phone", value, "not a phone number; write it with + and country code, as +33612345678")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _country(value: str, country: str | None) -> str:
    del country
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise Invalid("country", value, "it must be an ISO 3166 code of two letters, as FR")
    return value.upper()


def _language(value: str, country: str | None) -> str:
    del country
    match = _LANGUAGE.match(value)
    if match is None:
        raise Invalid("language", value, "it must be an ISO 639-1 code of two letters, as fr")
    return match[1].lower()


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(value: str, country: str | None) -> str:
    del country
    if value not in _zones():
        raise Invalid("zone", value, "not an IANA time zone, as Europe/Paris")
    return value


_RULES: dict[str, Callable[[str, str | None], str]] = {
    "email": _email,
    "phone": _phone,
    "country": _country,
    "language": _language,
    "zone": _zone,
}
