"""A text message before it is sent: its letters and segments, what it costs, where it comes from, and its picture."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import smsutil  # pyright: ignore[reportMissingTypeStubs]

from engine.outgoing import Content
from engine.settings import Settings
from engine.sms.prefixes import Prefixes
from engine.templating.files import PICTURES
from engine.templating.templates import Template, TemplateError

__all__ = ["Tariff", "finished", "front", "picture_address", "plain", "segments", "wide"]

_smsutil: Any = smsutil  # it has no types
# Typographers' signs which GSM 03.38 has a plain form of: each would make every segment 70 letters instead of 160.
_PLAIN = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "–": "-",
        "—": "-",
        "…": "...",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2212": "-",
    }
)
_FRONT = re.compile(r"---[ \t]*\n(?P<front>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_MEDIA = re.compile(r"[ \t]*media[ \t]*:[ \t]*(\S.*?)[ \t]*")


def segments(text: str) -> int:
    """How many messages a text is sent, and billed, as: 160 or 153 letters of GSM's, else 70 or 67."""
    return max(1, len(_smsutil.split(text).parts))


def wide(text: str) -> str:
    """The characters of a text that make it UCS-2 (ê, ç, an emoji), each once; empty if it is GSM's."""
    return "".join(dict.fromkeys(each for each in text if not _smsutil.is_valid_gsm(each)))


def plain(text: str) -> str:
    """The text with plain quotes, dashes and blanks: what a typographer sees, GSM's alphabet doesn't have."""
    return text.translate(_PLAIN)


def front(template: Template) -> tuple[str, str]:
    """A template's picture and its text: what stands between two lines `---` at its beginning, and the rest.

    `media: tea.jpg` names a file beside the templates, or an address. Raises TemplateError for anything else there.
    """
    source = template.source
    found = _FRONT.match(source)
    if found is None:
        return "", source
    media = ""
    for number, line in enumerate(found["front"].splitlines(), start=2):
        if line.strip():
            named = _MEDIA.fullmatch(line)
            if named is None or media:
                text = "the front part of a text message names its picture, once"
                raise TemplateError(text, *template.at(number), help="write media: FILE or address")
            media = named[1]
    return media, source[found.end() :]


class Tariff:
    """What a message to a number costs, which number it comes from, and whether a picture goes as MMS there."""

    def __init__(self, settings: Settings) -> None:
        self._prices = Prefixes(settings.sms_prices)
        self._usual = settings.sms_cost
        self._senders = Prefixes(settings.sms_from)
        self._mms = Prefixes(settings.sms_mms)

    def price(self, number: str, text: str) -> int:
        """Thousandths of a cent for the segments of a text."""
        return segments(text) * self.segment(number)

    def segment(self, number: str) -> int:
        """Thousandths of a cent for one segment."""
        return int(self._prices.of(number) or self._usual)

    def mms(self, number: str) -> int | None:
        """What an MMS there costs, or None: a picture goes as a link."""
        price = self._mms.of(number)
        return None if price is None else int(price)

    def sender(self, number: str) -> str:
        """Our number, or name, that writes to that number."""
        return self._senders.of(number) or ""


def finished(content: Content, picture: str, *, as_link: bool) -> Content:
    """The message as it goes out: plain signs, and its picture (an address) beside the text, or as a link at its end."""
    text = plain(content.text)
    if picture and as_link:
        text, picture = f"{text}\n{picture}", ""
    return replace(content, text=text, media=picture, hash=sha256(text.encode()).hexdigest())


def picture_address(media: str, ref: str, signed: Callable[[str], str]) -> str:
    """The address of a template's picture: its own, or a signed one of ours for a file beside the template.

    Raises TemplateError for what is neither.
    """
    if not media:
        return ""
    parts = urlsplit(media)
    if parts.scheme in {"http", "https"} and parts.hostname:
        return media
    name = f"{ref.rpartition('/')[0]}/{media}".lstrip("/")
    if parts.scheme or any(part in {"", ".", ".."} for part in name.split("/")) or _ending(name) not in PICTURES:
        known = ", ".join(PICTURES)
        raise TemplateError(f"media: {media!r} is no address, and no picture's file ({known}) beside the template")
    return signed(name)


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2].lower()}"
