"""Composing: a batch's messages, each from what is known of its customer to what a channel sends; nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, cast

from dsl.expression import Facts
from dsl.ir import Action, Answer, State
from dsl.ir import Channel as ChannelKind
from dsl.outcomes import offered
from dsl.sends import sent_awaited
from dsl.step import Chart
from engine import gate, messages
from engine.clock import from_ms
from engine.db import Database
from engine.gate import Candidate
from engine.outgoing import Channel, Content, Mass, Outgoing, Paper, Receipt, Recipient
from engine.settings import Settings
from engine.steps import Person
from engine.templating.templates import TemplateError
from workers.batch import Batch, Item
from workers.given import Given, Givens

__all__ = ["Composing", "Draft", "actions", "context"]


@dataclass(slots=True)
class Draft:
    """One member's message on its way through a batch."""

    position: int
    candidate: Candidate
    given: Given
    outgoing: Outgoing | None = None
    receipt: Receipt | None = None


class Composing:
    """Makes batches' messages. One for each worker process."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._clock = settings.clock
        self._patience = timedelta(days=settings.give_up_days)
        self._givens = Givens(settings)

    def drafts(  # what a message hangs on
        self,
        batch: Batch,
        chart: Chart,
        who: Mapping[int, Person],
        going: Sequence[tuple[int, Item]],
        number: int,
        action: Action,
        channel: Channel,
    ) -> list[Draft]:
        """Read what the messages of one action need: the customers and what they bought."""
        state = chart.ir.states[batch.state]
        ids = sorted({who[item.enrolment_id].customer_id for _, item in going})
        with self._database.read() as conn:
            given = self._givens.read(
                conn, chart.ir, state, channel, action.template, ids, self._clock.now(), from_ms(batch.at)
            )
        awaited = channel.name in sent_awaited(chart.ir, state)
        drafts: list[Draft] = []
        for position, item in going:
            person = who[item.enrolment_id]
            hers = given[person.customer_id]
            candidate = _candidate(item, state, number, chart, person, channel, hers.recipient, awaited=awaited)
            drafts.append(Draft(position, candidate, hers))
        return drafts

    def render(self, channel: Channel, state: State, action: Action, chart: Chart, wave: Sequence[Draft]) -> None:
        """Make the messages, but for those who get none in any case; the gate is asked when they are reserved."""
        with self._database.read() as conn:
            known = messages.statuses(conn, [draft.candidate.key for draft in wave])
            put_off = [key for key, status in known.items() if status == "deferred"]
            last = messages.overdue(conn, put_off, self._clock.now(), self._patience)
        outcomes, substitute = offered(chart.ir, state), _substitute(state)
        wanted: list[tuple[Draft, Outgoing]] = []
        for draft in wave:
            key, status = draft.candidate.key, known.get(draft.candidate.key)
            address = draft.candidate.address
            if address is None or gate.held_out(draft.candidate) or status not in {None, *messages.OPEN}:
                continue
            message = Outgoing(
                key=key,
                channel=channel.name,
                enrolment_id=draft.candidate.enrolment_id,
                journey=chart.ir.name,
                state=state.name,
                purpose=draft.candidate.purpose,
                recipient=draft.given.recipient,
                address=address,
                content=_NOTHING,
                at=from_ms(self._clock.now_ms()),
                queue=action.queue or "",
                outcomes=outcomes,
                skills=action.skills,
                priority=action.priority,
                substitute=substitute,
                journey_title=chart.ir.title,
                last=key in last,
            )
            wanted.append((draft, message))
        contents = _contents(channel, action.template, [(message, draft.given.facts) for draft, message in wanted])
        for (draft, message), content in zip(wanted, contents, strict=True):
            if isinstance(content, Content):
                draft.outgoing = replace(message, content=content)
            else:
                draft.receipt = Receipt("rejected", detail=content[:500])
        if isinstance(channel, Paper):
            wrong = channel.proof([draft.outgoing for draft in wave if draft.outgoing is not None])
            for draft in wave:
                if draft.candidate.key in wrong:
                    draft.outgoing, draft.receipt = None, Receipt("rejected", detail=wrong[draft.candidate.key][:500])


def actions(state: State) -> tuple[Action, ...]:
    """What the box sends, its first action first."""
    kind = cast("ChannelKind", state.kind)
    return (Action(kind, state.template or "", state.queue, state.skills, state.priority), *state.also)


_NOTHING = Content()


def _contents(
    channel: Channel, template: str, wanted: Sequence[tuple[Outgoing, Mapping[str, Any]]]
) -> Sequence[Content | str]:
    """What each message says; or why it can't be made, which is a template's error for this customer alone: the others go out.

    What is wrong with it for everybody raises: the batch is tried again, until somebody has mended it.
    """
    if isinstance(channel, Mass):
        return channel.render_all(template, wanted)
    made: list[Content | str] = []
    for message, facts in wanted:
        try:
            made.append(channel.render(message.recipient, template, message.key, facts))
        except ValueError as error:
            if isinstance(error, TemplateError) and error.shared:
                raise
            made.append(str(error))
    return made


def context(draft: Draft) -> dict[str, Any]:
    """What the template was given, fit to be kept: with its source, the message can be made again."""
    recipient, given = draft.given.recipient, draft.given.facts
    customer = {name: value for name, value in zip(_SHOWN, _values(recipient), strict=True) if value}
    kept: dict[str, Any] = {"customer": customer, "now": _plain(given["now"])}
    if (bought := given["orders"]) is not None:
        kept["orders"] = {name: _plain(getattr(bought, name)) for name in bought.__dataclass_fields__}
    if (rotated := given["feed_generation"]) > 0:
        kept["feed_generation"] = rotated
    if posts := given["feeds"]:
        kept["feeds"] = {
            source: [{name: _plain(value) for name, value in post.items()} for post in of]
            for source, of in posts.items()
        }
    if draft.given.offers:  # as they were shown: by content, in their order, with what each was expected to earn
        kept["offers"] = [
            {
                "hash": each.offer.hash,
                "id": each.offer.id,
                "chance": round(each.chance, 4),
                "value": round(each.value, 2),
            }
            for each in draft.given.offers
        ]
    return kept


_SHOWN = tuple(Recipient.__dataclass_fields__)
_values = attrgetter(*_SHOWN)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


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
