"""The signed addresses that customers are given: clicks, the open pixel, unsubscribing, answer codes, feeds, return paths.

Every token carries a MAC over its purpose and its values, so that none can be forged or used for another purpose, and a
click names a link by number: where it leads stands in the message's row, so no redirect is open.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32encode, urlsafe_b64encode
from urllib.parse import quote

__all__ = ["ForgedLink", "Links"]

_ALPHABET = "23456789CDFHJKLMNPQRTVWX"  # no vowels, so no words; of 0/O, 1/I, 2/Z, 5/S, 6/G, 8/B at most one
_CODE = 10
_KEY = r"[A-Za-z0-9_-]{1,80}"
_CLICK = re.compile(rf"({_KEY})\.(\d{{1,3}})\.([A-Za-z0-9_-]{{16}})")
_SIGNED = re.compile(rf"({_KEY})\.([A-Za-z0-9_-]{{16}})")
_RETURN = re.compile(rf"({_KEY})=([a-z2-7]{{16}})", re.IGNORECASE | re.ASCII)
_FEED = re.compile(r"[A-Za-z0-9_-]{43}")


class ForgedLink(ValueError):
    """A token that we never made, or that was cut off or changed on its way."""


class Links:
    """Makes tokens and addresses below `public_url`, and reads them back. `read_*` raise ForgedLink, and tell why."""

    def __init__(self, public_url: str, signing_key: bytes) -> None:
        self.public_url = public_url.rstrip("/")
        self._key = signing_key

    def click(self, key: str, index: int) -> str:
        """The address of link number `index` of message `key`."""
        return f"{self.public_url}/c/{key}.{index}.{self._sign('click', key, str(index))}"

    def read_click(self, token: str) -> tuple[str, int]:
        """Message key and link number of a click's token."""
        match = _CLICK.fullmatch(token)
        if match is None:
            raise ForgedLink("this is not one of our links: was it cut off?")
        key, index, signature = match.groups()
        self._verify(signature, "click", key, index)
        return key, int(index)

    def open_pixel(self, key: str) -> str:
        """The address of the picture whose loading says that the message was opened."""
        return f"{self.public_url}/o/{self._token('open', key)}.gif"

    def read_open(self, token: str) -> str:
        """The message's key, from `/o/{token}.gif`."""
        return self._read("open", token.removesuffix(".gif"))

    def unsubscribe(self, key: str) -> str:
        """The address where a POST unsubscribes (RFC 8058), and a GET shows the preferences."""
        return self.unsubscribe_by(self.unsubscribe_token(key))

    def unsubscribe_by(self, token: str) -> str:
        """The same, from its token."""
        return f"{self.public_url}/u/{token}"

    def unsubscribe_token(self, key: str) -> str:
        """The token alone, for the subject of `mailto:unsubscribe@…`."""
        return self._token("unsubscribe", key)

    def read_unsubscribe(self, token: str) -> str:
        """The message's key, from `/u/{token}`."""
        return self._read("unsubscribe", token)

    def return_path(self, key: str) -> str:
        """The local part that bounces of this message come back to (VERP). It outlives mailers that fold case."""
        return f"bounce+{key}={self._fold('bounce', key)}"

    def read_return_path(self, local: str) -> str:
        """The message's key, from the local part that a bounce came to."""
        return self._read_address("bounce", local)

    def reply_to(self, key: str) -> str:
        """The local part that answers to this message go to: an answer finds its send, whatever her mailer drops."""
        return f"reply+{key}={self._fold('reply', key)}"

    def read_reply_to(self, local: str) -> str:
        """The message's key, from the local part that an answer came to."""
        return self._read_address("reply", local)

    def code(self, key: str) -> str:
        """A letter's answer code: ten characters without look-alikes."""
        number = int.from_bytes(self._mac("letter", key)[:8], "big")
        letters: list[str] = []
        for _ in range(_CODE):
            number, rest = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[rest])
        return "".join(letters)

    def letter(self, code: str) -> str:
        """The answer page of a letter's code."""
        return f"{self.public_url}/l/{self.show_code(code)}"

    @staticmethod
    def show_code(code: str) -> str:
        """XXXXX-XXXXX, as it stands on paper."""
        return f"{code[:5]}-{code[5:]}"

    @staticmethod
    def read_letter(typed: str) -> str:
        """The code in normal form, as somebody typed it: small letters, spaces and dashes are forgiven."""
        code = re.sub(r"[\s\-–—._]", "", typed).upper()  # the dashes that phones type
        if len(code) != _CODE or not set(code) <= set(_ALPHABET):
            raise ForgedLink(f"a code has {_CODE} characters of {_ALPHABET}, like CDFHJ-23456")
        return code

    def media(self, name: str) -> str:
        """The address of a picture of the templates' folder: for the provider of an MMS to fetch, and for nobody to guess."""
        return f"{self.public_url}/m/{self._sign('media', name)}/{quote(name)}"

    def read_media(self, signature: str, name: str) -> str:
        """The picture's name, from `/m/{signature}/{name}`."""
        self._verify(signature, "media", name)
        return name

    def feed_token(self, customer_id: str, generation: int = 0) -> str:
        """The 43 characters that name a customer's feed, and tell nothing about her."""
        return _text(self._mac("feed", customer_id, str(generation)))

    def segment_token(self, name: str, generation: int = 0) -> str:
        """The 43 characters that name a segment's feed."""
        return _text(self._mac("segment feed", name, str(generation)))

    def feed(self, token: str) -> str:
        """The address of the feed of this token."""
        return f"{self.public_url}/f/{token}.xml"

    @staticmethod
    def read_feed(token: str) -> str:
        """The token, if it has the shape of one; whether it is alive, the `feed` table knows."""
        token = token.removesuffix(".xml").removesuffix(".atom")
        if _FEED.fullmatch(token) is None:
            raise ForgedLink("a feed's address has 43 characters: was it cut off?")
        return token

    def _mac(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\0".join(parts).encode(), "sha256")

    def _sign(self, *parts: str) -> str:
        return _text(self._mac(*parts)[:12])

    def _fold(self, *parts: str) -> str:
        return b32encode(self._mac(*parts)[:10]).decode().lower()

    def _read_address(self, purpose: str, local: str) -> str:
        start, _, rest = local.partition("+")
        match = _RETURN.fullmatch(rest)
        if start.lower() != purpose or match is None:
            raise ForgedLink(f"this is no {purpose} address of ours")
        if not hmac.compare_digest(match[2].lower().encode(), self._fold(purpose, match[1]).encode()):
            raise ForgedLink(f"the signature of this {purpose} address is not ours")
        return match[1]

    def _token(self, purpose: str, key: str) -> str:
        return f"{key}.{self._sign(purpose, key)}"

    def _read(self, purpose: str, token: str) -> str:
        match = _SIGNED.fullmatch(token)
        if match is None:
            raise ForgedLink("this is not one of our links: was it cut off?")
        self._verify(match[2], purpose, match[1])
        return match[1]

    def _verify(self, signature: str, *parts: str) -> None:
        if not hmac.compare_digest(signature.encode(errors="replace"), self._sign(*parts).encode()):
            raise ForgedLink("this link's signature is not ours: was the link changed?")


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
