"""The gate: whether a message may go out, asked before every send in the transaction that reserves its key.

It fails closed: a rule that can't be evaluated raises, nothing is reserved, and the send is tried again. Each "no" becomes
a row with the rule, the values and the version. Rules run in the order of `RULES`; the first "no" counts:
ended → held out → address → suppression → consent → (pressure, quiet hours: their place is between consent and journey on) →
journey on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, exists, select

from engine.db import Database, chunked, table
from engine.holdout import HELD_OUT
from engine.lists import any_of, run
from engine.tables import Consent, Enrolment, Journey, Suppression

__all__ = ["Candidate", "No", "clear", "held_out", "judge", "said_no"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that a box wants to send."""

    key: str
    enrolment_id: int
    customer_id: str
    journey: str
    hash: str
    state: str
    visit: int
    arm: str
    channel: str
    purpose: str
    address: str | None
    """In the channel's normal form; None: missing."""
    lacks: str = ""
    """Why there is none, where the channel says."""
    sent_awaited: bool = False
    """Whether an arrow waits to hear that it went out."""


@dataclass(frozen=True, slots=True)
class No:
    """Why a message is not sent: `status` (`not_sent`, `held_out`), the rule's name, and the values it was decided on."""

    status: str
    reason: str
    detail: Mapping[str, Any]


Rule = Callable[[Connection, Sequence[Candidate]], dict[str, No]]


def judge(conn: Connection, candidates: Sequence[Candidate]) -> dict[str, No]:
    """The candidates that may not go out, by key, each with the first rule that says no."""
    refused: dict[str, No] = {}
    for rule in RULES:
        left = [candidate for candidate in candidates if candidate.key not in refused]
        if not left:
            break
        refused.update(rule(conn, left))
    return refused


def clear(database: Database, candidate: Candidate) -> bool:
    """Whether the message, which `judge` let out before, may go out still: all rules in one question, for the moment before the call.

    False may also mean that the database can't be asked so: `judge` knows.
    """
    asked = {
        "enrolment": candidate.enrolment_id,
        "her_channel": candidate.channel,
        "her_address": candidate.address,
        "customer": candidate.customer_id,
        "her_purpose": candidate.purpose,
        "journey": candidate.journey,
    }
    found = database.glance(_CLEAR, asked)
    if found is None:
        return False
    over, barred, granted, on = found
    return not over and not barred and on and (granted or candidate.purpose == "transactional")


def said_no(conn: Connection, candidates: Sequence[Candidate]) -> dict[str, No]:
    """Of messages that were let out before, and are not handed over yet: those that the customer has said no to since."""
    refused = _suppressed(conn, candidates)
    return refused | _consent(conn, [candidate for candidate in candidates if candidate.key not in refused])


def held_out(candidate: Candidate) -> bool:
    """Whether she is not written to for comparison's sake; an order's confirmation is no treatment."""
    return candidate.arm == HELD_OUT and candidate.purpose != "transactional"


_OVER = select(table(Enrolment).c.id, table(Enrolment).c.end_reason).where(
    table(Enrolment).c.id.in_(any_of("ids")), table(Enrolment).c.ended_at.is_not(None)
)


def _ended(conn: Connection, candidates: Sequence[Candidate]) -> dict[str, No]:
    """Who was ended from outside gets nothing more, whether her workflow knows it already or not."""
    refused: dict[str, No] = {}
    for piece in chunked(candidates):
        reasons = {row.id: row.end_reason for row in run(conn, _OVER, {"ids": [c.enrolment_id for c in piece]})}
        for c in piece:
            if c.enrolment_id in reasons:
                refused[c.key] = No("not_sent", "ended", {"ended": reasons[c.enrolment_id]})
    return refused


def _held_out(conn: Connection, candidates: Sequence[Candidate]) -> dict[str, No]:
    del conn
    return {c.key: No("held_out", "held out", {"arm": c.arm, "journey": c.journey}) for c in candidates if held_out(c)}


def _address(conn: Connection, candidates: Sequence[Candidate]) -> dict[str, No]:
    del conn
    return {
        c.key: No("not_sent", "address missing", {"channel": c.channel} | ({"lacks": c.lacks} if c.lacks else {}))
        for c in candidates
        if c.address is None
    }


_NEVER = select(table(Suppression)).where(
    table(Suppression).c.channel.in_(any_of("channels")), table(Suppression).c.address.in_(any_of("addresses"))
)
_BARRED = _NEVER.with_only_columns(table(Suppression).c.channel)


def _suppressed(conn: Connection, candidates: Sequence[Candidate]) -> dict[str, No]:
    refused: dict[str, No] = {}
    for piece in chunked(candidates):
        asked = {"channels": list({c.channel for c in piece}), "addresses": [c.address for c in piece]}
        if not run(conn, _BARRED, asked):
            continue
        found = {(row.channel, row.address): row for row in conn.execute(_NEVER, asked)}
        for c in piece:
            row = found.get((c.channel, c.address))
            if row is not None:
                detail = {"reason": row.reason, "since": row.at.isoformat(), "source": row.source}
                refused[c.key] = No("not_sent", "suppressed", detail)
    return refused


_WORDS = select(table(Consent)).where(
    table(Consent).c.customer_id.in_(any_of("customers")), table(Consent).c.channel.in_(any_of("channels"))
)
_GRANTED = _WORDS.with_only_columns(*(table(Consent).c[name] for name in ("customer_id", "channel", "purpose"))).where(
    table(Consent).c.granted
)


def _consent(conn: Connection, candidates: Sequence[Candidate]) -> dict[str, No]:
    refused: dict[str, No] = {}
    for piece in chunked([c for c in candidates if c.purpose != "transactional"]):
        asked = {"customers": [c.customer_id for c in piece], "channels": list({c.channel for c in piece})}
        granted = {tuple(row) for row in run(conn, _GRANTED, asked)}
        piece = [c for c in piece if (c.customer_id, c.channel, c.purpose) not in granted]  # noqa: PLW2901  # the rest
        if not piece:
            continue
        asked["customers"] = [c.customer_id for c in piece]
        found = {(row.customer_id, row.channel, row.purpose): row for row in conn.execute(_WORDS, asked)}
        for c in piece:
            row = found.get((c.customer_id, c.channel, c.purpose))
            if row is None:
                refused[c.key] = No("not_sent", "no consent", {"channel": c.channel, "purpose": c.purpose})
            elif not row.granted:
                detail = {
                    "channel": c.channel,
                    "purpose": c.purpose,
                    "since": row.at.isoformat(),
                    "source": row.source,
                }
                refused[c.key] = No("not_sent", "consent withdrawn", detail)
    return refused


_ON = select(table(Journey).c.name).where(table(Journey).c.name.in_(any_of("names")), table(Journey).c["is_on"])


def _journey_on(conn: Connection, candidates: Sequence[Candidate]) -> dict[str, No]:
    on = {row.name for row in run(conn, _ON, {"names": list({c.journey for c in candidates})})}
    return {
        c.key: No("not_sent", "journey off", {"journey": c.journey, "hash": c.hash})
        for c in candidates
        if c.journey not in on
    }


_CLEAR = select(  # what the rules ask, for one message; `_held_out` and `_address` can't have changed
    exists().where(table(Enrolment).c.id == bindparam("enrolment"), table(Enrolment).c.ended_at.is_not(None)),
    exists().where(
        table(Suppression).c.channel == bindparam("her_channel"),
        table(Suppression).c.address == bindparam("her_address"),
    ),
    exists().where(
        table(Consent).c.customer_id == bindparam("customer"),
        table(Consent).c.channel == bindparam("her_channel"),
        table(Consent).c.purpose == bindparam("her_purpose"),
        table(Consent).c.granted,
    ),
    exists().where(table(Journey).c.name == bindparam("journey"), table(Journey).c["is_on"]),
)
RULES: tuple[Rule, ...] = (_ended, _held_out, _address, _suppressed, _consent, _journey_on)
