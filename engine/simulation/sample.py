"""Real customers for a simulation: whom the journey would let in today, and what its conditions and waits say of them.

Facts are read once, as of now. In virtual time nobody orders anything, so facts that grow old ("orders of the last 90
days") are not aged: a decision in three weeks is made on today's facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import product

from sqlalchemy import Connection, RowMapping, select

from dsl.ir import IR
from dsl.localtime import zone_of
from dsl.planning import Place, measured
from engine import customers, facts
from engine.consent import PURPOSES
from engine.db import chunked, table
from engine.errors import NotFound
from engine.holdout import HELD_OUT, arm
from engine.holidays import holidays_of
from engine.letters.place import mark
from engine.simulation.kinds import guards_in
from engine.simulation.plan import Person
from engine.tables import Consent, Customer, Suppression

__all__ = ["people"]

_ADDRESS = {"email": ("email",), "sms": ("phone",), "call": ("phone",), "letter": ("address", "city"), "feed": ("id",)}
"""The fields of a customer's row that a channel needs. Whether an address can be delivered to is the channel's to say."""


def people(conn: Connection, ir: IR, now: datetime, zone: str) -> list[Person]:
    """The customers who are in the journey's audience now, or all where it has none, by id; each with her own facts.

    `zone` is the project's time zone. Reads only. Raises NotFound where there is nobody.
    """
    customer = table(Customer)
    if ir.entry.audience is not None:
        ids = list(facts.audience(conn, ir.entry.audience, now))
        nobody = f"nobody is in the audience of {ir.name} now: {ir.entry.audience.sentence()}"
    else:
        ids = list(conn.execute(select(customer.c.id).order_by(customer.c.id)).scalars())
        nobody = "the database has no customers; import some: parcours import customers FILE"
    if not ids:
        raise NotFound("no_customers", f"{nobody}; without --from-customers the model's rates decide")
    found: list[Person] = []
    for piece in chunked(ids):
        found += _people(conn, ir, piece, now, zone)
    return found


def _people(conn: Connection, ir: IR, ids: Sequence[str], now: datetime, zone: str) -> Iterator[Person]:
    guards = guards_in(ir)
    decided = facts.decide(conn, list(guards.values()), ids, now)
    asked = {number: what for number, arrow in enumerate(ir.arrows) if (what := measured(arrow.on)) is not None}
    values = facts.measure(conn, list(asked.values()), ids, now)
    places = customers.places(conn, ids)
    reach = _reach(conn, ids)
    for each in ids:
        own_zone, country = places.get(each, (None, None))
        yield Person(
            held_out=arm(each, ir.name, ir.holdout) == HELD_OUT,
            guards=dict(zip(guards, decided[each].results, strict=True)),
            waits=dict(zip(asked, values[each], strict=True)),
            reach=reach[each],
            spot=Place(zone_of(own_zone, ir.zone, zone), holidays_of(country)),
        )


def _reach(conn: Connection, ids: Sequence[str]) -> dict[str, dict[tuple[str, str], str]]:
    """By customer and (channel, purpose): empty where she may be written to, else why not, as the engine's gate says it."""
    customer, consent, suppression = table(Customer), table(Consent), table(Suppression)
    rows = conn.execute(select(customer).where(customer.c.id.in_(ids))).mappings()
    addresses = {str(row["id"]): dict(_addresses(row)) for row in rows}
    granted = {
        (row.customer_id, row.channel, row.purpose)
        for row in conn.execute(select(consent).where(consent.c.customer_id.in_(ids), consent.c.granted))
    }
    never: set[tuple[str, str]] = set()
    for piece in chunked(sorted({address for of in addresses.values() for address in of.values()})):
        query = select(suppression.c.channel, suppression.c.address).where(suppression.c.address.in_(piece))
        never.update((row.channel, row.address) for row in conn.execute(query))
    found: dict[str, dict[tuple[str, str], str]] = {}
    for each in ids:
        found[each] = {}
        for channel, purpose in product(_ADDRESS, PURPOSES):
            address = addresses.get(each, {}).get(channel)
            found[each][channel, purpose] = (
                "address missing"
                if address is None
                else "suppressed"
                if (channel, address) in never
                else "no consent"
                if purpose != "transactional" and (each, channel, purpose) not in granted
                else ""
            )
    return found


def _addresses(row: RowMapping) -> Iterator[tuple[str, str]]:
    """Her address by each channel that she has one for."""
    for channel, fields in _ADDRESS.items():
        if all(row[field] for field in fields):
            yield channel, _suppressed_under(channel, row)


def _suppressed_under(channel: str, row: RowMapping) -> str:
    if channel == "letter":
        return mark(row["id"], row["address"], row["postcode"], row["city"])
    return str(row[_ADDRESS[channel][0]]).strip().lower() if channel != "feed" else str(row["id"])
