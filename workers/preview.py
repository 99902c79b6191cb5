"""Previews: a box's message as one customer would get it, to look at or to send to oneself. Nothing of it is written down.

What is tracked in a real message is not in this one: links lead straight to where they would, the picture that says "opened" is
left out, and her own feed and her way out are nobody's.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from typing import Any

from sqlalchemy import Connection

from dsl.ir import CHANNELS, IR, State
from engine import customers
from engine.db import Database
from engine.errors import Conflict, Invalid, NotFound
from engine.links import Links
from engine.outgoing import Channel, Content, Outgoing, Receipt, Recipient
from engine.settings import Settings
from engine.sms.text import segments
from engine.templating.checking import SAMPLE, SAMPLE_FACTS, SAMPLE_OFFERS
from engine.templating.templates import Templates
from engine.trials import new_key
from workers.channels import EmailChannel, LetterChannel, channels
from workers.channels.mime import Sender, mail_bytes
from workers.given import Given, Givens

__all__ = ["Preview", "Previews"]


@dataclass(frozen=True, slots=True)
class Preview:
    """A message to look at, and what a mail program would get of it."""

    channel: str
    content: Content
    outgoing: Outgoing
    tracked: str = ""
    """Its text as it is sent: tracked links are longer than what is shown."""

    def page(self) -> str:
        """As HTML, with its pictures in it; a text message and a letter have none."""
        page = self.content.html
        for file in self.content.files:
            if file.content_id:
                page = page.replace(
                    f"cid:{file.content_id}", f"data:{file.type};base64,{b64encode(file.data).decode()}"
                )
        return page

    def text(self) -> str:
        """As text: the mail's text part below its headers, a text message with what it costs in segments."""
        content = self.content
        if self.channel == "sms":
            count = segments(self.tracked)
            sent = f"{len(self.tracked)} letters, {count} segment{'s' if count != 1 else ''}"
            return f"{content.text}\n\n--\n{sent}, with its links as they are sent\n"
        if self.channel == "letter":
            return "\n".join(content.lines) + f"\n\n{content.pages} page{'s' if content.pages != 1 else ''}\n"
        attached = "".join(f"Attached: {file.name}\n" for file in content.files if not file.content_id)
        head = f"Subject: {content.title}\n{attached}" if self.channel == "email" else f"{content.title}\n"
        return f"{head}\n{content.text or content.html}\n"


class Previews:
    """Makes previews by the templates as they are now."""

    def __init__(
        self, settings: Settings, templates: Templates, links: Links, database: Database | None = None
    ) -> None:
        self._settings = settings
        self._links = links
        self._givens = Givens(settings)
        self._sender = Sender.of(settings)
        self._channels = channels(settings, templates, links, database)

    def make(  # what a message hangs on
        self,
        conn: Connection | None,
        ir: IR,
        box: str,
        customer: str | None,
        now: datetime,
        language: str | None = None,
        channel: str | None = None,
    ) -> Preview:
        """The message of a box to a customer; to a trial customer, where none is named.

        Raises NotFound for a box or a customer that isn't there, Conflict for a box that sends nothing, TemplateError.
        """
        state = _box(ir, box)
        kind, template = _sent(state, channel)
        way = self._channels[kind]
        given = self._given(conn, ir, state, way, template, customer, now)
        recipient = given.recipient if language is None else replace(given.recipient, language=language)
        key = new_key()
        render = way.alone if isinstance(way, LetterChannel) else way.render
        made = render(recipient, template, key, given.facts)
        content = self._inert(made, recipient, key, given.facts)
        outgoing = Outgoing(
            key=key, channel=kind, enrolment_id=0, journey=ir.name, state=state.name, purpose=state.purpose or ir.purpose or "",
            recipient=recipient, address=_address(way, recipient), content=content, at=now, journey_title=ir.title,
        )  # fmt: skip
        return Preview(kind, content, outgoing, made.text)

    def mail(self, preview: Preview) -> bytes:
        """The mail's bytes, as a file that mail programs open."""
        if preview.channel != "email":
            raise Conflict("no_mail", f"a message by {preview.channel} is no mail; .eml files are mails")
        return mail_bytes(preview.outgoing, self._sender, self._links, test=True)

    async def send(self, preview: Preview, to: str) -> Receipt:
        """Send a mail to somebody of ours, marked as a test. It is no message of the journey, and nothing counts it."""
        way = self._channels["email"]
        assert isinstance(way, EmailChannel)  # noqa: S101  # it is that one
        if preview.channel != "email":
            raise Conflict(
                "no_mail", f"this box sends by {preview.channel}: a test is sent by mail alone; look at its preview"
            )
        address = way.address(Recipient("test", "", "", email=to))
        if address is None:
            raise Invalid("to", to, "this is no e-mail address")
        content = replace(preview.content, title=f"[Test] {preview.content.title}")
        outgoing = replace(preview.outgoing, recipient=Recipient("test", "", ""), address=address, content=content)
        try:
            return await way.send_test(outgoing)
        finally:
            await way.close()

    def _given(  # what a message hangs on
        self,
        conn: Connection | None,
        ir: IR,
        state: State,
        way: Channel,
        template: str,
        customer: str | None,
        now: datetime,
    ) -> Given:
        """As it would be sent to her now; to the trial customer, with samples."""
        if customer is None or conn is None:
            samples = {"journey": {"name": ir.name, "title": ir.title}, "offers": list(SAMPLE_OFFERS[: state.offers])}
            return Given(replace(SAMPLE, language=self._settings.language), SAMPLE_FACTS | samples | {"now": now})
        if customers.get(conn, customer) is None:
            raise NotFound("customer_not_found", f"there is no customer {customer!r}")
        return self._givens.read(conn, ir, state, way, template, [customer], now)[customer]

    def _inert(self, content: Content, recipient: Recipient, key: str, known: Mapping[str, Any]) -> Content:
        """Without anything that counts, and without what is hers alone."""
        feed = self._links.feed(self._links.feed_token(recipient.id, int(known.get("feed_generation", 0))))
        nobodys = {
            feed: self._links.feed(self._links.feed_token(f"\0{key}")),
            f'<img src="{self._links.open_pixel(key)}"': '<img hidden src="data:,"',
            f'<img\nsrc="{self._links.open_pixel(key)}"': '<img hidden src="data:,"',
        }
        page, text = content.html, content.text
        for number, link in enumerate(content.links):
            page = page.replace(self._links.click(key, number), escape(link.url))
            text = text.replace(self._links.click(key, number), link.url)
        for hers, instead in nobodys.items():
            page, text = page.replace(hers, instead), text.replace(hers, instead)
        return replace(content, html=page, text=text, links=())


def _box(ir: IR, name: str) -> State:
    for state in ir.states:
        if state.name == name:
            return state
    boxes = ", ".join(state.name for state in ir.states if state.kind in CHANNELS)
    raise NotFound("box_not_found", f"{ir.name} has no box {name!r}; those that send are {boxes or 'none'}")


def _sent(state: State, channel: str | None) -> tuple[str, str]:
    """What it sends: channel and template. The first action's, where no channel is named."""
    sends = [(state.kind, state.template or ""), *((each.kind, each.template) for each in state.also)]
    sends = [(kind, template) for kind, template in sends if kind in CHANNELS]
    for kind, template in sends:
        if channel in {None, kind}:
            return kind, template
    ways = ", ".join(kind for kind, _ in sends)
    raise Conflict("no_message", f"the box {state.name} sends {f'by {ways}, not by {channel}' if ways else 'nothing'}")


def _address(way: Channel, recipient: Recipient) -> str:
    return way.address(recipient) or "nobody@example.com"
