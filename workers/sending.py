"""Sending: a batch's messages, from the customer's row to the provider's receipt; at most one of a key, whatever breaks.

Members are worked in waves: one transaction asks the gate, and reserves the wave's keys. Where a provider is called, the messages
flow to it from there (workers.flow): the key is taken before the call, the gate is asked for the last time just before it, and what a
crash leaves in doubt is not sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dsl.ir import Action, Answer, State
from dsl.localtime import zone_of
from dsl.planning import Place, may_send
from dsl.step import Chart
from engine import customers, gate, messages, offers, went
from engine.db import Database, chunked
from engine.gate import No
from engine.holidays import holidays_of
from engine.outgoing import Bounded, Channel, Outside, Paper
from engine.settings import Settings
from engine.steps import Person
from workers.batch import Batch, Item
from workers.composing import Composing, Draft, actions, context
from workers.flow import Flow, Ready, Sent

__all__ = ["Sending"]

_WAVE = 250  # messages that are rendered and reserved together: a few seconds of sending, at most
_AGAIN = 60.0  # seconds before another try where the provider names none


@dataclass(slots=True)
class _Tally:
    not_sent: list[int] = field(default_factory=list[int])
    deferred: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])

    def note(self, sent: Sequence[Sent]) -> None:
        """What became of members' messages."""
        for each in sent:
            if each.no is not None or (each.receipt is not None and each.receipt.status == "rejected"):
                self.not_sent.append(each.position)
            elif each.receipt is not None and each.receipt.status == "deferred":
                self.deferred.append((each.position, each.receipt.retry_after or _AGAIN))


class Sending:
    """Sends batches' messages. One for each worker process."""

    def __init__(self, settings: Settings, database: Database, channels: Mapping[str, Channel]) -> None:
        self._settings = settings
        self._database = database
        self._channels = channels
        self._clock = settings.clock
        self._flow = Flow(database, settings)
        self._composing = Composing(settings, database)

    async def send(
        self, batch: Batch, chart: Chart, who: Mapping[int, Person]
    ) -> tuple[tuple[int, ...], tuple[tuple[int, float, bool], ...], tuple[tuple[str, ...], ...]]:
        """Send a batch's messages.

        The positions of those who got none; those put off, with the seconds until a new try, and whether the clock holds them;
        and why none, by each channel, where an arrow asks.
        """
        first = batch.items[0]
        async with self._flow.alone(messages.message_key(first.enrolment_id, first.visit)):
            return await self._send(batch, chart, who)

    async def _send(
        self, batch: Batch, chart: Chart, who: Mapping[int, Person]
    ) -> tuple[tuple[int, ...], tuple[tuple[int, float, bool], ...], tuple[tuple[str, ...], ...]]:
        state = chart.ir.states[batch.state]
        held = await asyncio.to_thread(self._held, batch, chart, who)
        going = [(position, item) for position, item in enumerate(batch.items) if position not in held]
        refused: set[int] | None = None
        deferred: dict[int, float] = {}
        for number, action in enumerate(actions(state)):
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
        drafts = self._composing.drafts
        mails = await asyncio.to_thread(drafts, batch, chart, who, going, number, action, channel)
        tally = _Tally()
        if not mails:
            return tally
        if not isinstance(channel, Outside):  # all in one transaction: a day's places are given once they are all known
            await self._made_ready(channel, state, action, chart, mails, tally)
            return tally
        async with channel.batch() as send:
            stream = self._flow.through(send, min(channel.at_once, len(mails)), planned=chart.ir.planned)
            try:
                for wave in chunked(mails, _WAVE):
                    ready = await self._made_ready(channel, state, action, chart, wave, tally)
                    await stream.add([Ready(m.position, m.candidate, m.outgoing) for m in ready if m.outgoing])
                tally.note(await stream.finish())
            except BaseException as error:
                await stream.stop(error)
                raise
        return tally

    async def _made_ready(  # what a wave hangs on
        self, channel: Channel, state: State, action: Action, chart: Chart, wave: Sequence[Draft], tally: _Tally
    ) -> list[Draft]:
        """Make a wave's messages, and reserve their keys; returns who is sent to."""
        await self._flow.quiet(mail.candidate.key for mail in wave)
        await asyncio.to_thread(self._composing.render, channel, state, action, chart, wave)
        reserving = asyncio.ensure_future(asyncio.to_thread(self._reserve, channel, wave, tally))
        try:
            return await asyncio.shield(reserving)
        except asyncio.CancelledError:
            await asyncio.wait([reserving])  # a thread goes on: it is not to find what the next attempt has taken since
            raise

    def _reserve(self, channel: Channel, wave: Sequence[Draft], tally: _Tally) -> list[Draft]:
        """Ask the gate, and reserve the keys, in one transaction; returns who is sent to."""
        now, outside = self._clock.now(), isinstance(channel, Outside)
        with self._database.write() as conn:
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
                [(m.candidate, m.outgoing, context(m)) for m in ready if m.outgoing is not None],
                "reserved" if outside else "sent",
                now,
            )
            if not outside and not isinstance(channel, Paper):  # it is there; a letter waits for its print run
                went.tell(conn, (mail.candidate for mail in ready), now)
            again = [mail for mail in ready if mail.candidate.key in known]
            messages.remake(conn, [(m.outgoing, context(m)) for m in again if m.outgoing is not None])
            offers.keep(conn, (each.offer for mail in ready for each in mail.given.offers), now)
            channel.keep(conn, [mail.outgoing for mail in ready if mail.outgoing is not None])
            messages.mark_unknown(conn, [key for key, status in known.items() if status == "sending"], now)
        tally.not_sent.extend(
            mail.position
            for mail in wave
            if ((key := mail.candidate.key) in refused and refused[key].status == "not_sent")
            or known.get(key) in {"not_sent", "failed"}
        )
        return ready
