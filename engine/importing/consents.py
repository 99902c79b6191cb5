"""Consents from a file: dated words. The newest word of a customer on a channel and purpose holds, wherever it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from engine import customers, events
from engine.consent import PURPOSES
from engine.db import chunked, insert_new, table, upsert
from engine.errors import Invalid
from engine.importing.cells import channel, flag, past, short
from engine.tables import Consent

__all__ = ["ConsentRows"]

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Word:
    customer: str
    channel: str
    purpose: str
    granted: bool
    at: datetime
    source: str

    @property
    def key(self) -> _Key:
        return self.customer, self.channel, self.purpose

    def after(self, at: datetime) -> bool:
        """Whether it holds against another word of that moment: of two at once, the no does."""
        return self.at > at or (self.at == at and not self.granted)


class ConsentRows:
    """A word that changes an older one is told to the journeys, as `consent.granted` or `consent.withdrawn`."""

    name = "consents"
    known = ("customer_id", "channel", "purpose", "granted", "at", "source")
    """`granted`: yes or no. `at`: when she said it, without which an older yes could overturn a newer no."""
    required = ("customer_id", "channel", "granted", "at")

    def __init__(self, now: datetime, zone: str) -> None:
        self._now = now
        self._zone = ZoneInfo(zone)

    def begin(self, columns: Sequence[str]) -> None:
        """Nothing depends on the columns."""

    def read(self, cells: Mapping[str, str]) -> _Word:
        purpose = short("purpose", cells).lower() or "marketing"
        if purpose not in PURPOSES:
            raise Invalid("purpose", cells["purpose"], f"it must be one of {', '.join(PURPOSES)}")
        return _Word(
            customers.customer_id(cells["customer_id"], "customer_id"),
            channel(cells),
            purpose,
            flag("granted", cells["granted"]),
            past("at", cells["at"], self._zone, self._now, "a word"),
            short("source", cells) or "import",
        )

    def keep(self, conn: Connection, rows: list[_Word]) -> int:
        """Returns how many words hold now that did not before."""
        newest: dict[_Key, _Word] = {}
        for word in rows:
            if word.key not in newest or word.after(newest[word.key].at):
                newest[word.key] = word
        before = self._before(conn, sorted({word.customer for word in rows}))
        first = [newest[key] for key in sorted(newest) if key not in before]
        later = [
            newest[key]
            for key in sorted(newest)
            if key in before and newest[key].granted != before[key].granted and newest[key].after(before[key].at)
        ]
        insert_new(conn, Consent, [_row(word) for word in first])  # nobody waits for a first word
        upsert(conn, Consent, [_row(word) for word in later])
        events.accept(conn, list(self._told(later)), self._now)
        return len(first) + len(later)

    @staticmethod
    def _before(conn: Connection, ids: Sequence[str]) -> dict[_Key, Any]:
        target = table(Consent)
        found: dict[_Key, Any] = {}
        for piece in chunked(ids):
            query = select(target).where(target.c.customer_id.in_(piece)).with_for_update()
            found.update({(row.customer_id, row.channel, row.purpose): row for row in conn.execute(query)})
        return found

    def _told(self, changed: Sequence[_Word]) -> Iterator[events.Incoming]:
        for word in changed:
            yield events.Incoming(
                id=f"{events.OWN}consent:{uuid4().hex}",
                name="consent.granted" if word.granted else "consent.withdrawn",
                at=self._now,
                customer_id=word.customer,
                payload={"channel": word.channel, "purpose": word.purpose},
                source="import",
            )


def _row(word: _Word) -> dict[str, Any]:
    return {
        "customer_id": word.customer,
        "channel": word.channel,
        "purpose": word.purpose,
        "granted": word.granted,
        "at": word.at,
        "source": word.source,
    }
