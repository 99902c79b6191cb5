"""Amazon SNS for tests: a key and a certificate of our own, messages signed with them, and what is fetched from there."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

__all__ = ["CERTIFICATE", "TOPIC", "Amazon"]

TOPIC = "arn:aws:sns:eu-west-1:123456789012:parcours"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


class Amazon:
    """Signs as SNS does. `fetched` is what was asked for over HTTPS."""

    def __init__(self, *, lasts: timedelta = timedelta(days=1)) -> None:
        self.fetched: list[str] = []
        self.down = False
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(_key().public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + lasts)
            .sign(_key(), SHA256())
        )

    def get(self, url: str) -> bytes:
        self.fetched.append(url)
        if self.down:
            raise OSError(f"{url} can't be fetched")
        return self._certificate.public_bytes(Encoding.PEM) if url == CERTIFICATE else b"<ok/>"

    def message(
        self, said: object, *, version: str = "2", kind: str = "Notification", **changes: str
    ) -> dict[str, Any]:
        """A signed message; `said` is what SES says."""
        message = {
            "Type": kind,
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Message": said if isinstance(said, str) else json.dumps(said),
            "Timestamp": "2026-05-04T09:05:00.000Z",
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE,
            **changes,
        }
        names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        if kind != "Notification":
            names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        signed = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
        signature = _key().sign(signed.encode(), PKCS1v15(), SHA1() if version == "1" else SHA256())  # noqa: S303  # as Amazon does
        return {**message, "Signature": b64encode(signature).decode()}
