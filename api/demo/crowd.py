"""The crowd: simulated customers who open, click, reply, subscribe, unsubscribe and answer letters, through public surfaces.

What each one does hangs on a hash of the seed, the customer and what she got, so two runs can be compared. The shares
below are inventions of the demo: no result of it says how real people would answer.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import feedparser  # pyright: ignore[reportMissingTypeStubs]  # it has none

from api.demo.agenda import DAY, HOUR, MINUTE, Agenda
from api.demo.mailbox import Mail, Mailbox, links_in, read_mail
from api.demo.people import SEED, Person, chance, pick
from api.demo.postbox import Piece, Postbox
from api.demo.surface import Surface
from engine.settings import Settings

__all__ = ["Crowd", "Habits"]

LOOK = 0.25
"""Seconds between two looks into mailboxes, phones and the post."""
WORDS = {
    "fr": ("Merci !", "Qui est-ce ?", "ok", "Je passe samedi", "C'est gentil"),
    "en": ("Thanks!", "Who is this?", "ok", "Will pop in on Saturday", "Sounds nice"),
}


@dataclass(frozen=True, slots=True)
class Habits:
    """How many do what, as shares of those who got the thing."""

    open_mail: float = 0.46
    click_mail: float = 0.36
    """Of those who opened."""
    unsubscribe: float = 0.01
    subscribe: float = 0.25
    """Of those who opened a mail that names their feed."""
    click_item: float = 0.30
    click_text: float = 0.10
    stop: float = 0.02
    reply: float = 0.03
    answer_letter: float = 0.08


@dataclass(slots=True)
class _Reader:
    """A subscribed feed: what was seen of it."""

    url: str
    etag: str | None = None
    seen: set[str] = field(default_factory=set[str])


class Crowd:
    """All customers of the demo. `acts` counts what they did."""

    def __init__(
        self, surface: Surface, agenda: Agenda, settings: Settings, people: Sequence[Person], *, seed: str = SEED
    ) -> None:
        self.acts: Counter[str] = Counter()
        self.habits = Habits()
        self._surface = surface
        self._agenda = agenda
        self._settings = settings
        self._seed = seed
        self._by_mail = {person.email: person for person in people if person.email}
        self._by_phone = {person.phone: person for person in people if person.phone}
        self._mailbox = Mailbox(settings.data / "sink")
        self._postbox = Postbox(settings.data / "outbox")
        self._texts = 0
        self._readers: dict[str, _Reader] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look at what came and plan the answers, until `stop` is set; the agenda carries them out."""
        while not stop.is_set():
            for path in self._mailbox.new():
                self._got_mail(read_mail(path.read_bytes()))
                await asyncio.sleep(0)  # reading a mail takes a millisecond or two: let others act in between
            for text in await self._surface.messages(self._texts):
                self._texts += 1
                self._got_text(text)
            for piece in self._postbox.new():
                self._got_letter(piece)
            await asyncio.sleep(LOOK)

    async def some_feed(self) -> bytes | None:
        """Some subscriber's feed that has an item, as it is now; None if nobody subscribed."""
        for reader in self._readers.values():
            if reader.seen:
                return (await self._surface.feed(reader.url, None)).content
        return None

    # --- e-mail -------------------------------------------------------------------------------------------------------

    def _got_mail(self, mail: Mail) -> None:
        person = self._by_mail.get(mail.to)
        if person is None:
            self.acts["mail to nobody"] += 1
            return
        self.acts["got a mail"] += 1
        draw = partial(chance, self._seed, person.id, mail.subject)
        reads = 0.5 * HOUR + draw("when") ** 2 * 50 * HOUR
        if draw("opens") < self.habits.open_mail:
            self._agenda.after(reads, partial(self._open_mail, person, mail))
            if mail.clicks and draw("clicks") < self.habits.click_mail:
                url = mail.clicks[0] if draw("first link") < 0.8 else mail.clicks[-1]
                self._agenda.after(reads + 2 * MINUTE, partial(self._click, "email", url))
        if mail.unsubscribe is not None and draw("leaves") < self.habits.unsubscribe:
            self._agenda.after(reads + MINUTE, partial(self._leave, person, mail.unsubscribe))

    async def _open_mail(self, person: Person, mail: Mail) -> None:
        if mail.pixel is not None:
            self.acts["opened a mail"] += 1
            await self._surface.open("email", mail.pixel)
        wants = chance(self._seed, person.id, "subscribes") < self.habits.subscribe
        if mail.feed is not None and wants and person.id not in self._readers:
            self.acts["subscribed to her feed"] += 1
            self._readers[person.id] = _Reader(mail.feed)
            self._agenda.after(HOUR, partial(self._read_feed, person))

    async def _click(self, channel: str, url: str) -> None:
        self.acts[f"clicked in {channel}"] += 1
        await self._surface.click(channel, url)

    async def _leave(self, person: Person, url: str) -> None:
        self.acts["unsubscribed"] += 1
        await self._surface.unsubscribe(person.id, "email", url)

    # --- feeds --------------------------------------------------------------------------------------------------------

    async def _read_feed(self, person: Person) -> None:
        reader = self._readers[person.id]
        response = await self._surface.feed(reader.url, reader.etag)
        self.acts["looked into her feed"] += 1
        if response.status_code == 200:  # 304: nothing new
            reader.etag = response.headers.get("ETag")
            parsed = cast("Any", feedparser.parse(response.content))  # pyright: ignore[reportUnknownMemberType]
            for entry in cast("list[Mapping[str, Any]]", parsed.entries):
                self._got_item(person, reader, entry)
        self._agenda.after(
            (2 + 2 * chance(self._seed, person.id, "reads every")) * DAY, partial(self._read_feed, person)
        )

    def _got_item(self, person: Person, reader: _Reader, entry: Mapping[str, Any]) -> None:
        guid, link = str(entry["id"]), str(entry.get("link", ""))
        if guid in reader.seen:
            return
        reader.seen.add(guid)
        self.acts["read an item"] += 1
        draw = partial(chance, self._seed, person.id, str(entry.get("title", "")))
        if "/c/" in link and draw("clicks") < self.habits.click_item:
            self._agenda.after(5 * MINUTE, partial(self._click, "feed", link))

    # --- texts --------------------------------------------------------------------------------------------------------

    def _got_text(self, text: Mapping[str, Any]) -> None:
        person = self._by_phone.get(str(text["to"]))
        if person is None:
            self.acts["text to nobody"] += 1
            return
        self.acts["got a text"] += 1
        body = str(text["body"])
        links = links_in(body)
        clicks = [url for url in links if "/c/" in url]
        draw = partial(chance, self._seed, person.id, re.sub(r"https?://\S+", "", body))
        reads = 5 * MINUTE + draw("when") ** 2 * 20 * HOUR
        if draw("stops") < self.habits.stop:
            self._agenda.after(reads, partial(self._say, person, text, "STOP"))
            return
        if clicks and draw("clicks") < self.habits.click_text:
            self._agenda.after(reads, partial(self._click, "sms", clicks[0]))
        if draw("replies") < self.habits.reply:
            words = pick(WORDS.get(person.language, WORDS["en"]), self._seed, person.id, "words")
            self._agenda.after(reads + 3 * MINUTE, partial(self._say, person, text, words))

    async def _say(self, person: Person, text: Mapping[str, Any], words: str) -> None:
        stops = words == "STOP"
        self.acts["said STOP" if stops else "replied by text"] += 1
        sid = f"SM{round(chance(self._seed, text['sid']) * 2**63):032x}"
        event, key = ("consent.withdrawn", f"{person.id}/sms") if stops else ("sms.replied", sid)
        await self._surface.reply(sid, str(text["to"]), str(text["from"]), words, event=event, key=key)

    # --- letters ------------------------------------------------------------------------------------------------------

    def _got_letter(self, piece: Piece) -> None:
        self.acts["got a letter"] += 1
        draw = partial(chance, self._seed, *piece.lines)
        if draw("answers") < self.habits.answer_letter:
            arrives = 2 * DAY + draw("when") * 6 * DAY
            self._agenda.after(arrives, partial(self._answer_letter, piece, draw("types") < 0.5))

    async def _answer_letter(self, piece: Piece, types: bool) -> None:
        self.acts["typed a letter's code" if types else "scanned a letter's QR"] += 1
        code = await asyncio.to_thread(piece.code)
        await self._surface.letter(code, typed=types)
