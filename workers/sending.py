"""Sending: a batch's messages, from the customer's row to the provider's receipt; at most one of a key, whatever breaks.

Members are worked in waves: one transaction settles the last wave, asks the gate, and reserves the next; then the providers
are called, a group side by side. Where a provider would not notice a repeat, the key is taken first, in the transaction
that asks the gate for the last time; what a crash leaves in doubt is not sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dsl.ir import Action, Answer, State
from dsl.localtime import zone_of
from dsl.planning import Place, may_send
from dsl.step import Chart
from engine import customers, gate, messages, offers
from engine.db import Database, chunked
from engine.gate import Candidate, No
from engine.holidays import holidays_of
from engine.outgoing import Bounded, Channel, Paced, Receipt, Send
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
    receipts: list[tuple[str, Receipt]] = field(default_factory=list[tuple[str, Receipt]])

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
        self._flow = Flow(database, settings)
        self._composing = Composing(settings, database)

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
        mails = await asyncio.to_thread(self._composing.drafts, batch, chart, who, going, number, action, channel)
        tally = _Tally()
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
                    await asyncio.to_thread(self._composing.render, channel, state, action, chart, wave)
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

    def _reserve(self, channel: Channel, wave: Sequence[Draft], tally: _Tally) -> list[Draft]:
        """Settle the wave before, ask the gate, and reserve this one's keys, in one transaction; returns who is sent to."""
        now = self._clock.now()
        with self._database.write() as conn:
            messages.settle(conn, tally.receipts, now)
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
                "reserved" if channel.outside else "sent",
                now,
            )
            again = [mail for mail in ready if mail.candidate.key in known]
            messages.remake(conn, [(m.outgoing, context(m)) for m in again if m.outgoing is not None])
            offers.keep(conn, (each.offer for mail in ready for each in mail.given.offers), now)
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
        self, channel: Channel, send: Send, group: Sequence[Draft], tally: _Tally, *, just_asked: bool
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
        outgoing = [mail.outgoing for mail in going if mail.outgoing is not None]
        answers = await asyncio.gather(*(send(each) for each in outgoing))
        for mail, each, answer in zip(going, outgoing, answers, strict=True):
            receipt = each.come_to(answer)
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
                messages.settle(conn, tally.receipts, now)
                taken = messages.calling(conn, sorted(taken))
        if not channel.repeats:
            tally.receipts.clear()
        return refused, taken

    def _settle(self, tally: _Tally) -> None:
        with self._database.write() as conn:
            messages.settle(conn, tally.receipts, self._clock.now())


def _tell(tally: _Tally, sent: Sequence[Sent]) -> None:
    for each in sent:
        if each.no is not None:
            tally.not_sent.append(each.position)
        elif each.receipt is not None:
            tally.note(each.position, each.receipt)
