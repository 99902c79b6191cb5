"""The receiver, over SMTP: what it takes, what it refuses, and that 250 means kept."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kit.incoming import complaint, ours, postfix, reply
from sqlalchemy import select

from engine.db import Database, insert_new, table
from engine.events import since
from engine.links import Links
from engine.mail import strays
from engine.settings import Settings
from engine.tables import Message, Suppression
from workers.receiver import Receiver
from workers.server import free_port

OWN = "hello@parcours.example"


@contextmanager
def line(receiver: Receiver) -> Generator[smtplib.SMTP]:
    with smtplib.SMTP(receiver.host, receiver.port, "mx.example.com", timeout=60) as smtp:
        smtp.ehlo()
        yield smtp


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"mail_in_port": free_port()})


@pytest.fixture
def receiver(settings: Settings, sqlite: Database) -> Iterator[Receiver]:
    with Receiver(settings, sqlite) as running:
        yield running


@pytest.fixture
def verp(settings: Settings) -> str:
    return f"{Links(settings.public_url, settings.signing_key()).return_path('1-1-0')}@parcours.example"


def sent(db: Database, key: str = "1-1-0") -> None:
    row = {
        "key": key, "enrolment_id": 1, "customer_id": "zoe", "journey": "spring", "hash": "h", "state": "mail",
        "visit": 1, "arm": "treated", "channel": "email", "purpose": "marketing", "status": "sent",
        "address": "zoe@example.com", "cost": 0, "reserved_at": datetime.now(UTC),
    }  # fmt: skip
    with db.write() as conn:
        insert_new(conn, Message, [row])


def names(db: Database) -> list[str]:
    with db.read() as conn:
        return [event.name for event in since(conn, 0, 100)]


def test_S5_a_bounce_that_comes_by_smtp_is_kept_before_its_sender_hears_250(
    receiver: Receiver, sqlite: Database, verp: str
) -> None:
    sent(sqlite)
    with line(receiver) as smtp:
        for said in (b"2.0.0 kept", b"2.0.0 repeat"):  # a sender whose line broke comes again
            smtp.mail("")
            smtp.rcpt(verp)
            assert smtp.data(postfix("1-1-0", verp)) == (250, said)
            with sqlite.read() as conn:
                assert conn.execute(select(table(Suppression).c.reason)).scalars().all() == ["hard bounce"]
    assert names(sqlite) == ["email.bounced"]


def test_addresses_that_are_not_ours_are_refused_and_forged_ones_counted(
    receiver: Receiver, sqlite: Database, verp: str
) -> None:
    with line(receiver) as smtp:
        smtp.mail("a@b.example")
        for address in (verp.replace("1-1-0", "2-1-0"), "nobody@parcours.example", "hello@elsewhere.example"):
            assert smtp.rcpt(address)[0] == 550
        assert smtp.rcpt(OWN)[0] == 250
        assert smtp.rcpt("abuse@parcours.example")[0] == 452  # one at a time: it comes again for this one
    with sqlite.read() as conn:
        assert {tally.reason: tally.count for tally in strays.tallies(conn)} == {
            "the signature of this bounce address is not ours": 1,
            "no such address": 1,
            "not a domain of ours": 1,
        }


def test_replies_and_complaints_and_what_belongs_to_nothing(
    receiver: Receiver, sqlite: Database, settings: Settings
) -> None:
    sent(sqlite)
    unsubscribe = Links(settings.public_url, settings.signing_key()).unsubscribe("1-1-0")
    with line(receiver) as smtp:
        smtp.sendmail("zoe@example.com", [OWN], reply("Yes!", answers="1-1-0@parcours.example"))
        smtp.sendmail(
            "x@provider.example", ["abuse@parcours.example"], complaint(ours("1-1-0", unsubscribe=unsubscribe))
        )
        smtp.sendmail("x@spam.example", [OWN], b"Subject: Buy\r\n\r\n" + b"x" * 70_000 + b"\r\n\xff\xfe\x00\r\n")
    assert names(sqlite) == ["email.replied", "email.complained", "consent.withdrawn"]
    with sqlite.read() as conn:
        (stray,) = strays.listed(conn)
    assert (stray.subject, stray.reason, len(stray.raw) > 70_000) == (
        "Buy",
        "a mail that answers no send of ours",
        True,
    )


def test_a_mail_that_is_too_large_is_refused(settings: Settings, sqlite: Database) -> None:
    with (
        Receiver(settings.model_copy(update={"mail_in_size": 5_000}), sqlite) as receiver,
        line(receiver) as smtp,
    ):
        with pytest.raises(smtplib.SMTPSenderRefused, match=r"too big|size"):
            smtp.sendmail("a@b.example", [OWN], b"x" * 6_000)
        smtp.rset()
        smtp.mail("a@b.example")
        smtp.rcpt(OWN)
        assert smtp.data(b"x\r\n" * 3_000)[0] == 552
    with sqlite.read() as conn:
        assert strays.listed(conn) == []


def test_while_the_database_is_away_senders_are_asked_to_come_again(settings: Settings, verp: str) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2")
    with Receiver(settings, away) as receiver, line(receiver) as smtp:
        smtp.mail("")
        assert smtp.rcpt(verp.replace("1-1-0", "2-1-0"))[0] == 550
        smtp.rcpt(verp)
        code, said = smtp.data(postfix("1-1-0", verp))
        assert (code, said[:5]) == (451, b"4.3.0")
    away.close()


def test_it_speaks_tls_where_it_has_a_certificate(settings: Settings, sqlite: Database, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.parcours.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = tmp_path / "mx.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(cafile=str(pem))
    context.check_hostname = False
    with (
        Receiver(settings.model_copy(update={"mail_in_tls": str(pem)}), sqlite) as receiver,
        line(receiver) as smtp,
    ):
        smtp.starttls(context=context)
        smtp.sendmail("x@y.example", [OWN], b"Subject: Hello\r\n\r\nx\r\n")
    with sqlite.read() as conn:
        assert [stray.subject for stray in strays.listed(conn)] == ["Hello"]
