"""What a message is made of: the customer, what she bought, her offers, the posts of feeds; the same for sending and to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from dsl.ir import IR, State
from engine import facts
from engine.best_offers import Best, BestOffers
from engine.feeds import personal, sources
from engine.outgoing import Channel, Recipient
from engine.recipients import read_recipients
from engine.settings import Settings

__all__ = ["Given", "Givens"]


@dataclass(frozen=True, slots=True)
class Given:
    """What one customer's message is rendered from; `facts` is what its template knows beside her."""

    recipient: Recipient
    facts: Mapping[str, Any]
    offers: tuple[Best, ...] = ()
    """Those in the facts, with what each is expected to earn."""


class Givens:
    """Reads what messages are made of. One for each process: what customers usually buy is read once a day."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._offers = BestOffers()

    def read(  # what a message hangs on
        self,
        conn: Connection,
        ir: IR,
        state: State,
        channel: Channel,
        template: str,
        ids: Sequence[str],
        now: datetime,
        at: datetime | None = None,
    ) -> dict[str, Given]:
        """For each of the customers, as it is now. What the template does not speak of is not looked up.

        `at`: the moment that the messages tell, and up to which purchases choose offers; now, where none is given.
        """
        at = at or now
        recipients = read_recipients(conn, ids, self._settings, ir.zone)
        bought = facts.orders_summary(conn, ids, now) if channel.speaks_of(template, "orders") else {}
        rotated = personal.generations(conn, ids)
        best: Mapping[str, tuple[Best, ...]] = {}
        if state.offers and channel.speaks_of(template, "offers"):
            best = self._offers.best(conn, state.offers, ids, now, at)
        shared = {
            "journey": {"name": ir.name, "title": ir.title},
            "feeds": _posts(conn, channel, template),
            "now": at,
        }
        found: dict[str, Given] = {}
        for customer in ids:
            offers = best.get(customer, ())
            hers = {
                "orders": bought.get(customer),
                "feed_generation": rotated.get(customer, 0),
                "offers": [each.offer.content for each in offers],
            }
            found[customer] = Given(recipients.get(customer) or self._stranger(customer), {**hers, **shared}, offers)
        return found

    def _stranger(self, customer_id: str) -> Recipient:
        """A customer whose row is gone (erased): no address, so nothing is sent, and the row says so."""
        return Recipient(customer_id, self._settings.language, self._settings.zone)


def _posts(conn: Connection, channel: Channel, template: str) -> dict[str, list[dict[str, Any]]]:
    """The newest posts of the feed sources that the template names; rendering fetches nothing."""
    if not channel.speaks_of(template, "feed"):
        return {}
    named = [source.name for source in sources.every(conn) if channel.speaks_of(template, source.name)]
    return sources.shown(conn, named)
