"""Amazon SNS: proves a message by its signature, with a certificate that is fetched from Amazon alone.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html. Anybody with an Amazon account can have SNS sign
messages, so only topics that are named are believed.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from engine.mail.providers.fields import Fields
from engine.mail.providers.told import BadSignature

__all__ = ["Fetch", "Sns", "fetch"]

Fetch = Callable[[str], bytes]
"""Gets what is at an address. Raises OSError if it can't be had."""

_HOST = r"https://sns\.[a-z0-9-]{3,40}\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE = re.compile(rf"{_HOST}/SimpleNotificationService-[A-Za-z0-9]{{1,80}}\.pem")
_CONFIRM = re.compile(rf"{_HOST}/\?Action=ConfirmSubscription&[A-Za-z0-9&=%:._~-]{{1,1000}}")
_SIGNED: dict[str, Sequence[str]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES = {"1": SHA1, "2": SHA256}
_MANY = 20
_LARGEST = 50_000


def fetch(url: str) -> bytes:
    """What is at an address, by HTTPS, without redirects. Raises OSError."""
    try:
        with httpx.stream("GET", url, timeout=10, follow_redirects=False) as reply:
            reply.raise_for_status()
            return b"".join(_limited(reply))
    except httpx.HTTPError as error:
        raise OSError(f"{url} can't be fetched: {error}") from None


class Sns:
    """Verifies messages of some topics; each certificate is fetched once."""

    def __init__(self, topics: str, get: Fetch = fetch) -> None:
        self.topics = frozenset(topic.strip() for topic in topics.split(",") if topic.strip())
        self._get = get
        self._certificates: dict[str, x509.Certificate] = {}

    def verify(self, message: Fields) -> None:
        """Raises BadSignature unless SNS has signed this message for a topic of ours; OSError if that can't be seen now."""
        topic = message.whole("TopicArn")
        if topic not in self.topics:
            raise BadSignature(f"the topic {topic[:200]!r} is not in PARCOURS_SES_TOPICS")
        names = _SIGNED.get(message.whole("Type"))
        hashed = _HASHES.get(message.whole("SignatureVersion"))
        if names is None or hashed is None:
            raise BadSignature("neither its type nor its signature's version is one of SNS's")
        signed = "".join(
            f"{name}\n{message.whole(name)}\n" for name in names if name != "Subject" or message.whole(name)
        )
        key = self._certificate(message.whole("SigningCertURL")).public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise BadSignature("the certificate is not of an RSA key")
        try:
            # version 1 is SHA-1, and SNS's default still
            key.verify(b64decode(message.whole("Signature"), validate=True), signed.encode(), PKCS1v15(), hashed())
        except (InvalidSignature, binascii.Error, ValueError):
            raise BadSignature("the signature does not fit the message") from None

    def confirm(self, message: Fields) -> None:
        """Confirm the subscription of a verified message. Raises BadSignature for an address that is not Amazon's."""
        url = message.whole("SubscribeURL")
        if _CONFIRM.fullmatch(url) is None:
            raise BadSignature(f"SubscribeURL does not lead to Amazon SNS: {url[:200]!r}")
        self._get(url)

    def _certificate(self, url: str) -> x509.Certificate:
        if _CERTIFICATE.fullmatch(url) is None:
            raise BadSignature(f"SigningCertURL does not lead to Amazon SNS: {url[:200]!r}")
        found = self._certificates.get(url)
        if found is None:
            try:
                found = x509.load_pem_x509_certificate(self._get(url))
            except ValueError:
                raise BadSignature("there is no certificate at SigningCertURL") from None
            if len(self._certificates) >= _MANY:
                self._certificates.clear()
            self._certificates[url] = found
        if not found.not_valid_before_utc <= datetime.now(UTC) <= found.not_valid_after_utc:
            raise BadSignature("the certificate at SigningCertURL is not valid now")
        return found


def _limited(reply: httpx.Response) -> Sequence[bytes]:
    parts: list[bytes] = []
    size = 0
    for part in reply.iter_bytes():
        size += len(part)
        if size > _LARGEST:
            raise OSError(f"{reply.url} is too large")
        parts.append(part)
    return parts
