"""Sending: a batch's messages, from the customer's row to the provider's receipt; at most one of a key, whatever breaks.

Members are worked in waves: one transaction settles the last wave, asks the gate, and reserves the next; then the providers
are called, a group side by side. Where a provider would not notice a repeat, the key is taken first, in the transaction
that asks the gate for the last time; what a crash leaves in doubt is not sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

from sqlalchemy import Connection

from dsl.expression import Facts
from dsl.ir import Action, Answer, State
from dsl.ir import Channel as ChannelKind
from dsl.localtime import zone_of
from dsl.outcomes import offered
from dsl.planning import Place, may_send
from dsl.sends import sent_awaited
from dsl.step import Chart
from engine import customers, facts, gate, messages, offers, went
from engine.best_offers import Best, BestOffers
from engine.clock import from_ms
from engine.db import Database, chunked
from engine.feeds import personal as feeds
from engine.feeds import sources as feed_sources
from engine.gate import Candidate, No
from engine.holidays import holidays_of
from engine.outgoing import Bounded, Channel, Outgoing, Paced, Paper, Receipt, Recipient, Send
from engine.recipients import read_recipients
from engine.settings import Settings
from engine.steps import Person
from workers.batch import Batch, Item
from workers.flow import Flow, Ready, Sent

__all__ = ["Sending", "posts"]

_WAVE = 250  # messages that are rendered and reserved together: a few seconds of sending, at most
_AGAIN = 60.0  # seconds before another try where the provider names none


@dataclass(slots=True)
class _Mail:
    """One member's message on its way through a batch."""

    position: int
    candidate: Candidate
    recipient: Recipient
    facts: Mapping[str, Any]
    offers: tuple[Best, ...] = ()
    outgoing: Outgoing | None = None
    receipt: Receipt | None = None


@dataclass(slots=True)
class _Tally:
    not_sent: list[int] = field(default_factory=list[int])
    deferred: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    receipts: list[tuple[str, Receipt]] = field(default_factory=list[tuple[str, Receipt]])
    awaited: set[str] = field(default_factory=set[str])
    """Keys of which the journey waits to hear that they went out."""

    def note(self, position: int, receipt: Receipt) -> None:
        """What the receipt means for the member."""
        if receipt.status == "rejected":
            self.not_sent.append(position)
        elif receipt.status == "deferred":
            self.deferred.append((position, receipt.retry_after or _AGAIN))


class Sending:
    """Sends batches' messages. One for each worker process."""

    def __init__(self, settings: Settings, database: Database, channels: Mapping[str, Channel]) -> None:
        self._settings = settings
        self._database = database
        self._channels = channels
        self._clock = settings.clock
        self._flow = Flow(database, settings.clock)
        self._offers = BestOffers()

    async def send(
        self, batch: Batch, chart: Chart, who: Mapping[int, Person]
    ) -> tuple[tuple[int, ...], tuple[tuple[int, float, bool], ...], tuple[tuple[str, ...], ...]]:
        """Send a batch's messages.

        The positions of those who got none; those put off, with the seconds until a new try, and whether the clock holds them;
        and why none, by each channel, where an arrow asks.
        """
        state = chart.ir.states[batch.state]
        held = await asyncio.to_thread(self._held, batch, chart, who)
        going = [(position, item) for position, item in enumerate(batch.items) if position not in held]
        refused: set[int] | None = None
        deferred: dict[int, float] = {}
        for number, action in enumerate(_actions(state)):
            tally = await self._act(batch, chart, who, going, number, action)
            refused = set(tally.not_sent) if refused is None else refused & set(tally.not_sent)
            deferred.update(tally.deferred)
        not_sent = tuple(sorted((refused or set()) - deferred.keys()))
        put_off = [*((position, seconds, False) for position, seconds in deferred.items()),
                   *((position, seconds, True) for position, seconds in held.items())]  # fmt: skip
        return not_sent, tuple(sorted(put_off)), await asyncio.to_thread(self._reasons, batch, state, not_sent)

    def _held(self, batch: Batch, chart: Chart, who: Mapping[int, Person]) -> dict[int, float]:
        """Whom the hour keeps from being written to: position, and seconds until it doesn't."""
        state = chart.ir.states[batch.state]
        if chart.ir.quiet is None and state.hours is None:
            return {}
        now = self._clock.now()
        with self._database.read() as conn:
            places = customers.places(conn, sorted({person.customer_id for person in who.values()}))
        held: dict[int, float] = {}
        for position, item in enumerate(batch.items):
            zone, country = places.get(who[item.enrolment_id].customer_id, (None, None))
            place = Place(zone_of(zone, chart.ir.zone, self._settings.zone), holidays_of(country))
            later = may_send(chart.ir, state, now, place)
            if later > now:
                held[position] = (later - now).total_seconds()
        return held

    def _reasons(self, batch: Batch, state: State, not_sent: Sequence[int]) -> tuple[tuple[str, ...], ...]:
        """Why each of them got nothing, as each action's row has it; only where an arrow of the box asks."""
        asks = any(
            isinstance(a.on, Answer) and a.on.event.endswith(".not_sent") and a.on.where is not None
            for a in state.arrows
        )
        if not asks or not not_sent:
            return ()
        items = [batch.items[position] for position in not_sent]
        theirs = [
            [messages.message_key(item.enrolment_id, item.visit, action) for action in range(len(state.channels))]
            for item in items
        ]
        with self._database.read() as conn:
            known = messages.reasons(conn, [key for keys in theirs for key in keys])
        return tuple(tuple(known.get(key) or "failed" for key in keys) for keys in theirs)

    async def _act(
        self,
        batch: Batch,
        chart: Chart,
        who: Mapping[int, Person],
        going: Sequence[tuple[int, Item]],
        number: int,
        action: Action,
    ) -> _Tally:
        """Send one action of the box to all of them."""
        state = chart.ir.states[batch.state]
        channel = self._channels[action.kind]
        mails = await asyncio.to_thread(self._prepare, batch, chart, who, going, number, action)
        tally = _Tally(awaited={mail.candidate.key for mail in mails if mail.candidate.sent_awaited})
        if not mails:
            return tally
        size = _WAVE if channel.outside else max(1, len(mails))
        run = f"{chart.ir.name}-{state.name}-{batch.at}-{batch.items[0].enrolment_id}"
        run += f"-{number}" if number else ""
        async with channel.batch(run) as send:
            stream = (
                self._flow.through(send, min(channel.at_once, len(mails)), planned=chart.ir.planned)
                if isinstance(send, Paced)
                else None
            )
            try:
                for wave in chunked(mails, size):
                    await asyncio.to_thread(self._render, channel, state, action, chart, wave)
                    ready = await asyncio.to_thread(self._reserve, channel, wave, tally)
                    if stream is not None:
                        await stream.add([Ready(m.position, m.candidate, m.outgoing) for m in ready if m.outgoing])
                        continue
                    for turn, group in enumerate(chunked(ready if channel.outside else (), channel.at_once)):
                        await self._call(channel, send, group, tally, just_asked=turn == 0)
                if stream is not None:
                    _tell(tally, await stream.finish())
            except BaseException as error:
                if stream is not None:
                    await stream.stop(error)
                raise
            await asyncio.to_thread(self._settle, tally)
        return tally

    def _prepare(
        self,
        batch: Batch,
        chart: Chart,
        who: Mapping[int, Person],
        going: Sequence[tuple[int, Item]],
        number: int,
        action: Action,
    ) -> list[_Mail]:
        """Read what the messages need: the customers and what they bought."""
        state = chart.ir.states[batch.state]
        channel = self._channels[action.kind]
        ids = sorted({who[item.enrolment_id].customer_id for _, item in going})
        with self._database.read() as conn:
            recipients = read_recipients(conn, ids, self._settings, chart.ir.zone)
            speaks = channel.speaks_of(action.template, "orders")
            bought = facts.orders_summary(conn, ids, self._clock.now()) if speaks else {}
            rotated = feeds.generations(conn, ids)
            shown = posts(conn, channel, action.template)
            best: Mapping[str, tuple[Best, ...]] = {}
            if state.offers and channel.speaks_of(action.template, "offers"):
                best = self._offers.best(conn, state.offers, ids, self._clock.now(), from_ms(batch.at))
        shared = {"journey": {"name": chart.ir.name, "title": chart.ir.title}, "now": from_ms(batch.at)}
        awaited = channel.name in sent_awaited(chart.ir, state)
        mails: list[_Mail] = []
        for position, item in going:
            person = who[item.enrolment_id]
            recipient = recipients.get(person.customer_id) or self._stranger(person.customer_id)
            mails.append(
                _Mail(
                    position,
                    self._candidate(item, state, number, chart, person, channel, recipient, awaited=awaited),
                    recipient,
                    {
                        "orders": bought.get(person.customer_id),
                        "feed_generation": rotated.get(person.customer_id, 0),
                        "feeds": shown,
                        "offers": [each.offer.content for each in best.get(person.customer_id, ())],
                        **shared,
                    },
                    best.get(person.customer_id, ()),
                )
            )
        return mails

    def _stranger(self, customer_id: str) -> Recipient:
        """A customer whose row is gone (erased): no address, so nothing is sent, and the row says so."""
        return Recipient(customer_id, self._settings.language, self._settings.zone)

    @staticmethod
    def _candidate(  # a message's row has as many columns
        item: Item,
        state: State,
        number: int,
        chart: Chart,
        person: Person,
        channel: Channel,
        recipient: Recipient,
        *,
        awaited: bool,
    ) -> Candidate:
        address = channel.address(recipient)
        return Candidate(
            key=messages.message_key(item.enrolment_id, item.visit, number),
            enrolment_id=item.enrolment_id,
            customer_id=person.customer_id,
            journey=chart.ir.name,
            hash=chart.ir.hash,
            state=state.name,
            visit=item.visit,
            arm=person.arm,
            channel=channel.name,
            purpose=state.purpose or chart.ir.purpose,
            address=address,
            lacks=channel.lacks(recipient) if address is None and isinstance(channel, Paper) else "",
            sent_awaited=awaited,
        )

    def _render(self, channel: Channel, state: State, action: Action, chart: Chart, wave: Sequence[_Mail]) -> None:
        """Make the messages, but for those who get none in any case; the gate is asked when they are reserved."""
        with self._database.read() as conn:
            known = messages.statuses(conn, [mail.candidate.key for mail in wave])
        outcomes, substitute = offered(chart.ir, state), _substitute(state)
        for mail in wave:
            key, status = mail.candidate.key, known.get(mail.candidate.key)
            address = mail.candidate.address
            if address is None or gate.held_out(mail.candidate) or status not in {None, *messages.OPEN}:
                continue
            try:
                content = channel.render(mail.recipient, action.template, key, mail.facts)
            except ValueError as error:  # a template's error for this customer alone: the others go out
                mail.receipt = Receipt("rejected", detail=str(error)[:500])
                continue
            mail.outgoing = Outgoing(
                key=key,
                channel=channel.name,
                enrolment_id=mail.candidate.enrolment_id,
                journey=chart.ir.name,
                state=state.name,
                purpose=mail.candidate.purpose,
                recipient=mail.recipient,
                address=address,
                content=content,
                at=from_ms(self._clock.now_ms()),
                queue=action.queue or "",
                outcomes=outcomes,
                skills=action.skills,
                priority=action.priority,
                substitute=substitute,
                journey_title=chart.ir.title,
            )
        if isinstance(channel, Paper):
            wrong = channel.proof([mail.outgoing for mail in wave if mail.outgoing is not None])
            for mail in wave:
                if mail.candidate.key in wrong:
                    mail.outgoing, mail.receipt = None, Receipt("rejected", detail=wrong[mail.candidate.key][:500])

    def _reserve(self, channel: Channel, wave: Sequence[_Mail], tally: _Tally) -> list[_Mail]:
        """Settle the wave before, ask the gate, and reserve this one's keys, in one transaction; returns who is sent to."""
        now = self._clock.now()
        with self._database.write() as conn:
            messages.settle(conn, tally.receipts, now, tally.awaited)
            known = messages.statuses(conn, [mail.candidate.key for mail in wave])
            open_ones = [mail for mail in wave if known.get(mail.candidate.key) in {None, "deferred", "reserved"}]
            refused = gate.judge(conn, [mail.candidate for mail in open_ones])
            for mail in open_ones:
                if mail.receipt is not None and mail.candidate.key not in refused:
                    detail = {"error": mail.receipt.detail}
                    refused[mail.candidate.key] = No("not_sent", "template", detail)
            ready = [mail for mail in open_ones if mail.candidate.key not in refused and mail.outgoing is not None]
            if isinstance(channel, Bounded):
                refused |= channel.full(conn, [mail.outgoing for mail in ready if mail.outgoing is not None])
                ready = [mail for mail in ready if mail.candidate.key not in refused]
            messages.refuse(
                conn,
                [(m.candidate, refused[m.candidate.key]) for m in open_ones if m.candidate.key in refused],
                now,
            )
            messages.reserve(
                conn,
                [(m.candidate, m.outgoing, _context(m)) for m in ready if m.outgoing is not None],
                "reserved" if channel.outside else "sent",
                now,
            )
            if not channel.outside and not isinstance(channel, Paper):  # it is there; a letter waits for its print run
                went.tell(conn, (mail.candidate for mail in ready), now)
            again = [mail for mail in ready if mail.candidate.key in known]
            messages.remake(conn, [(m.outgoing, _context(m)) for m in again if m.outgoing is not None])
            offers.keep(conn, (each.offer for mail in ready for each in mail.offers), now)
            channel.keep(conn, [mail.outgoing for mail in ready if mail.outgoing is not None])
            messages.mark_unknown(conn, [key for key, status in known.items() if status == "sending"], now)
        tally.receipts.clear()
        tally.not_sent.extend(
            mail.position
            for mail in wave
            if ((key := mail.candidate.key) in refused and refused[key].status == "not_sent")
            or known.get(key) in {"not_sent", "failed"}
        )
        return ready

    async def _call(
        self, channel: Channel, send: Send, group: Sequence[_Mail], tally: _Tally, *, just_asked: bool
    ) -> None:
        """Call the provider, but for those who said stop since their keys were reserved (behaviour C2)."""
        stopped: dict[str, No] = {}
        taken = {mail.candidate.key for mail in group}
        if not (just_asked and channel.repeats):  # else the reservation has asked the gate this very moment
            stopped, taken = await asyncio.to_thread(
                self._last_look, channel, [mail.candidate for mail in group], tally
            )
        tally.not_sent.extend(mail.position for mail in group if mail.candidate.key in stopped)
        going = [mail for mail in group if mail.candidate.key in taken]
        receipts = await asyncio.gather(*(send(mail.outgoing) for mail in going if mail.outgoing is not None))
        for mail, receipt in zip(going, receipts, strict=True):
            tally.receipts.append((mail.candidate.key, receipt))
            tally.note(mail.position, receipt)

    def _last_look(
        self, channel: Channel, candidates: Sequence[Candidate], tally: _Tally
    ) -> tuple[dict[str, No], set[str]]:
        """Ask the gate once more; where a repeat would reach her twice, take the key first. Who is refused, who is called.

        So a crash leaves in doubt only the messages of one group (of one, for e-mail), never a whole wave (behaviour S1).
        """
        keys = {candidate.key for candidate in candidates}
        if channel.repeats:
            with self._database.read() as conn:
                refused = gate.judge(conn, candidates)
            if not refused:
                return {}, keys
        now = self._clock.now()
        with self._database.write() as conn:
            refused = gate.judge(conn, candidates)
            messages.refuse(conn, [(c, refused[c.key]) for c in candidates if c.key in refused], now)
            taken = keys - refused.keys()
            if not channel.repeats:
                messages.settle(conn, tally.receipts, now, tally.awaited)
                taken = messages.calling(conn, sorted(taken))
        if not channel.repeats:
            tally.receipts.clear()
        return refused, taken

    def _settle(self, tally: _Tally) -> None:
        with self._database.write() as conn:
            messages.settle(conn, tally.receipts, self._clock.now(), tally.awaited)


def _tell(tally: _Tally, sent: Sequence[Sent]) -> None:
    for each in sent:
        if each.no is not None:
            tally.not_sent.append(each.position)
        elif each.receipt is not None:
            tally.note(each.position, each.receipt)


def _context(mail: _Mail) -> dict[str, Any]:
    """What the template was given, fit to be kept: with its source, the message can be made again."""
    recipient = mail.recipient
    customer = {name: value for name, value in zip(_SHOWN, _values(recipient), strict=True) if value}
    kept: dict[str, Any] = {"customer": customer, "now": _plain(mail.facts["now"])}
    if (bought := mail.facts["orders"]) is not None:
        kept["orders"] = {name: _plain(getattr(bought, name)) for name in bought.__dataclass_fields__}
    if posts := mail.facts["feeds"]:
        kept["feeds"] = {
            source: [{name: _plain(value) for name, value in post.items()} for post in of]
            for source, of in posts.items()
        }
    if mail.offers:  # as they were shown: by content, in their order, with what each was expected to earn
        kept["offers"] = [
            {
                "hash": each.offer.hash,
                "id": each.offer.id,
                "chance": round(each.chance, 4),
                "value": round(each.value, 2),
            }
            for each in mail.offers
        ]
    return kept


def posts(conn: Connection, channel: Channel, template: str) -> dict[str, list[dict[str, Any]]]:
    """The newest posts of the feed sources that the template names; rendering fetches nothing."""
    if not channel.speaks_of(template, "feed"):
        return {}
    named = [source.name for source in feed_sources.every(conn) if channel.speaks_of(template, source.name)]
    return feed_sources.shown(conn, named)


_SHOWN = tuple(Recipient.__dataclass_fields__)
_values = attrgetter(*_SHOWN)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _actions(state: State) -> tuple[Action, ...]:
    """What the box sends, its first action first."""
    kind = cast("ChannelKind", state.kind)
    return (Action(kind, state.template or "", state.queue, state.skills, state.priority), *state.also)


def _substitute(state: State) -> bool:
    """Whether the box has an arrow for a call that finds no capacity.

    One that may be spent, or may not hold, is none: a task that waits its turn is better than neither.
    """
    no_room = Facts(payload={"reason": "no capacity"})
    return any(
        isinstance(arrow.on, Answer)
        and arrow.on.event == "call.not_sent"
        and arrow.on.where is not None
        and arrow.on.where.evaluate(no_room, from_ms(0))
        and arrow.guard is None
        and arrow.limit is None
        for arrow in state.arrows
    )
