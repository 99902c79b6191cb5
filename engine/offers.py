"""Offers: what customers may be offered, kept by the project; and each as it was shown, by content hash.

An offer belongs to a category of purchases, earns a margin, and holds from one moment to another. Withdrawing one turns it off:
what was shown stays as it was (behaviour S4).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, cast
from urllib.parse import urlsplit

from sqlalchemy import Connection, or_, select, update

from dsl.ir_json import canonical
from engine.db import insert_new, table, upsert
from engine.depth import check_depth
from engine.errors import Invalid, NotFound
from engine.printable import printable
from engine.tables import Offer as Row
from engine.tables import OfferVersion

__all__ = ["SHOWN", "Offer", "as_shown", "every", "get", "keep", "made", "put", "valid", "withdraw"]

SHOWN: Final = ("price", "url", "picture", "text")
"""Fields of an offer's data that every template knows, each of its own kind; whatever else it has stands under `data`."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,59}")
_MOST = 2**31 - 1
_LONGEST = {"name": 200, "category": 200, "text": 2000, "url": 2000, "picture": 2000}
_LARGEST = 20_000


@dataclass(frozen=True)
class Offer:
    """An offer. Amounts are in cents; `data` is what a template shows of it."""

    id: str
    name: str
    category: str
    """Of purchases: who buys there is offered this."""
    margin: int
    """What a purchase by it earns."""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    on: bool = True

    @cached_property
    def content(self) -> dict[str, Any]:
        """What a template knows of it: its own fields, None where it has none, and the rest under `data`."""
        known = {name: self.data.get(name) for name in SHOWN}
        rest = {name: value for name, value in self.data.items() if name not in SHOWN}
        return {"id": self.id, "name": self.name, "category": self.category, **known, "data": rest}

    @cached_property
    def hash(self) -> str:
        """The sha256, in hex, over its content."""
        return sha256(canonical(self.content)).hexdigest()

    def holds(self, now: datetime) -> bool:
        """Whether it may be offered at this moment."""
        begun = self.valid_from is None or self.valid_from <= now
        return self.on and begun and (self.valid_to is None or now < self.valid_to)


def made(offer_id: str, given: Mapping[str, Any]) -> Offer:
    """An offer, checked. Raises Invalid, naming the field."""
    if not _ID.fullmatch(offer_id):
        raise Invalid("id", offer_id, "letters, digits and . _ - (80 at most): it names the offer's link")
    unknown = given.keys() - {"name", "category", "margin", "data", "valid_from", "valid_to", "on"}
    if unknown:
        raise Invalid(
            min(unknown), given[min(unknown)], "an offer has no such field; what a template shows goes into data"
        )
    margin = given.get("margin")
    if type(margin) is not int or not 0 <= margin <= _MOST:
        raise Invalid("margin", margin, "whole cents, 0 or more")
    on = given.get("on", True)
    if not isinstance(on, bool):
        raise Invalid("on", on, "it must be true or false")
    since, until = (_moment(name, given.get(name)) for name in ("valid_from", "valid_to"))
    if since is not None and until is not None and until <= since:
        raise Invalid("valid_to", until.isoformat(), "it must be later than valid_from")
    name, category = (_text(each, given.get(each)) for each in ("name", "category"))
    return Offer(offer_id, name, category, margin, _data(given.get("data") or {}), since, until, on)


def put(conn: Connection, offers: Iterable[Offer], now: datetime) -> int:
    """Write offers, each as a whole; how many are new. Of two with one id the last counts."""
    wanted = {offer.id: offer for offer in offers}
    rows = table(Row)
    there = set(conn.execute(select(rows.c.id).where(rows.c.id.in_(list(wanted)))).scalars())
    upsert(
        conn,
        Row,
        [
            {
                "id": offer.id,
                "name": offer.name,
                "data": dict(offer.data),
                "category": offer.category,
                "margin": offer.margin,
                "valid_from": offer.valid_from,
                "valid_to": offer.valid_to,
                "is_on": offer.on,
                "updated_at": now,
            }
            for offer in wanted.values()
        ],
    )
    return len(wanted) - len(there)


def get(conn: Connection, offer_id: str) -> Offer:
    """An offer by its id. Raises NotFound."""
    rows = table(Row)
    row = conn.execute(select(rows).where(rows.c.id == offer_id)).first()
    if row is None:
        raise NotFound("offer_not_found", f"there is no offer {offer_id!r}")
    return _of(row)


def every(conn: Connection) -> list[Offer]:
    """Every offer, by its id, also those that are off or over."""
    return [_of(row) for row in conn.execute(select(table(Row)).order_by(table(Row).c.id))]


def valid(conn: Connection, now: datetime) -> list[Offer]:
    """The offers that may be made now, by their ids."""
    rows = table(Row)
    begun = or_(rows.c.valid_from.is_(None), rows.c.valid_from <= now)
    over = or_(rows.c.valid_to.is_(None), rows.c.valid_to > now)
    return [_of(row) for row in conn.execute(select(rows).where(rows.c.is_on, begun, over).order_by(rows.c.id))]


def withdraw(conn: Connection, offer_id: str, now: datetime) -> bool:
    """Offer it to nobody from now on; messages that showed it stay as they were. False if it was off. Raises NotFound."""
    rows = table(Row)
    change = update(rows).where(rows.c.id == offer_id, rows.c.is_on).values(is_on=False, updated_at=now)
    if conn.execute(change).rowcount:
        return True
    get(conn, offer_id)
    return False


def keep(conn: Connection, shown: Iterable[Offer], now: datetime) -> None:
    """Store offers as they are shown now, by content (behaviour S4): later edits rewrite no history."""
    versions = {offer.hash: offer for offer in shown}
    rows = [{"hash": digest, "content": versions[digest].content, "at": now} for digest in sorted(versions)]
    insert_new(conn, OfferVersion, rows)


def as_shown(conn: Connection, hashes: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What templates were given of offers, by content hash."""
    rows = table(OfferVersion)
    query = select(rows.c.hash, rows.c.content).where(rows.c.hash.in_(sorted(set(hashes))))
    return {row.hash: row.content for row in conn.execute(query)}


def _of(row: Any) -> Offer:
    return Offer(row.id, row.name, row.category, row.margin, row.data, row.valid_from, row.valid_to, row.is_on)


# --- what an offer may hold -------------------------------------------------------------------------------------------


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not (text := " ".join(value.split())):
        raise Invalid(name, value, "a text that is not empty")
    if len(text) > _LONGEST[name] or not printable(text):
        raise Invalid(name, value, f"at most {_LONGEST[name]} letters, none of them a control character")
    return text


def _moment(name: str, value: object) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise Invalid(name, value, "not a moment; write it as 2026-05-04T09:30:00+02:00") from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise Invalid(name, value, "a moment with its zone, as 2026-05-04T09:30:00+02:00")
    if not 1970 < value.year < 9999:  # what every zone and both databases can hold
        raise Invalid(name, value.isoformat(), "not in a year that an offer can hold in")
    return value.astimezone(UTC)


def _data(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise Invalid("data", given, 'names with their values, as {"price": 990}')
    data: dict[str, Any] = {}
    names = cast("Mapping[object, Any]", given)
    check_depth("data", names)
    for name, value in names.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Invalid("data", name, "names are in snake_case: a template asks for them by name")
        if value is not None:
            data[name] = _shown(name, value) if name in SHOWN else value
    try:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise Invalid("data", names, f"it must be JSON: {error}") from None
    if len(text) > _LARGEST or "\\u0000" in text:
        raise Invalid("data", text, f"at most {_LARGEST} letters of JSON, without NUL")
    return data


def _shown(name: str, value: object) -> object:
    if name == "price":
        if type(value) is not int or not 0 <= value <= _MOST:
            raise Invalid("data.price", value, "whole cents, 0 or more")
        return value
    text = _text(name, value)
    if name in {"url", "picture"}:
        parts = urlsplit(text)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Invalid(f"data.{name}", value, "an address that begins with http:// or https://")
    return text
