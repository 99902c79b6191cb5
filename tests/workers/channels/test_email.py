"""E-mail, over a socket to a real SMTP server, and parsed as a mail program does."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from email import charset
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import select

from engine.db import Database, table
from engine.feeds import personal as feeds
from engine.links import Links
from engine.outgoing import Outgoing, Receipt
from engine.settings import Settings
from engine.tables import TemplateVersion
from engine.templating.checking import SAMPLE
from engine.templating.context import Brand
from engine.templating.templates import Templates
from workers.channels import EmailChannel, channels
from workers.channels.email import normal
from workers.local.sink import Sink, messages

Compose = Callable[..., Outgoing]
DOMAINS = (
    "example.com",
    "Bücher.example",
    "xn--bcher-kva.example",
    "a.test",
    "a.local",
    "localhost",
    "-a.com",
    "a..com",
    "[1.2.3.4]",
    "",
)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with Sink(tmp_path / "sink") as sink:
        yield sink


@pytest.fixture
def mail(settings: Settings, templates: Templates, links: Links, sink: Sink) -> EmailChannel:
    return EmailChannel(settings.model_copy(update={"smtp_port": sink.port, "smtp_connections": 1}), templates, links)


async def send(channel: EmailChannel, *outgoing: Outgoing) -> list[Receipt]:
    async with channel.batch() as hand_over:
        return list(await asyncio.gather(*(hand_over(each) for each in outgoing)))


def only(sink: Sink) -> EmailMessage:
    (stored,) = messages(sink.folder)
    return stored.read()


async def test_a_mail_has_the_headers_that_marketing_needs(
    mail: EmailChannel, sink: Sink, compose: Compose, links: Links
) -> None:
    (receipt,) = await send(mail, compose(mail, "win/mail"))
    assert receipt.status == "sent"
    got = only(sink)
    assert got["Message-ID"] == "<7-1-0@shop.example>"
    assert str(got["From"]) == "Marchand & Söhne <hello@shop.example>"
    assert str(got["To"]) == "Camille Martin <camille@example.com>"
    assert got["Subject"] == "Für Camille: 10 %"
    assert got["Date"].datetime.isoformat() == "2026-03-01T09:30:00+00:00"
    assert f"<{links.unsubscribe('7-1-0')}>" in got["List-Unsubscribe"]
    assert f"<mailto:unsubscribe@shop.example?subject={links.unsubscribe_token('7-1-0')}>" in got["List-Unsubscribe"]
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert got["List-Id"] == "<win_back.shop.example>"
    assert got["Feedback-ID"] == "discount:win_back:marketing:shop.example"
    path = got["Return-Path"].strip("<>").removesuffix("@shop.example")
    assert links.read_return_path(path) == "7-1-0"
    assert got.get_content_type() == "multipart/alternative"
    plain, page = (part.get_content() for part in got.iter_parts())
    assert "Dear Camille Martin, …" in plain
    assert "Dear Camille Martin, …" in unescape(page)
    for body in (plain, page):
        assert links.click("7-1-0", 0) in body
        assert links.unsubscribe("7-1-0") in body
    assert links.open_pixel("7-1-0") in page
    assert not got.defects


async def test_a_transactional_mail_is_no_list(mail: EmailChannel, sink: Sink, compose: Compose) -> None:
    await send(mail, replace(compose(mail, "win/mail"), purpose="transactional"))
    got = only(sink)
    assert not [name for name in got if name.startswith("List-")]


@pytest.fixture(params=[False, True], ids=["", "beside apprise"])
def beside(request: pytest.FixtureRequest) -> Iterator[None]:
    """Apprise's mail plugin sets how every header of the process is encoded."""
    usual = charset.CHARSETS["utf-8"]
    if request.param:
        charset.add_charset("utf-8", charset.QP, charset.QP, "utf-8")
    yield
    charset.CHARSETS["utf-8"] = usual


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize(
    "name",
    [
        "A\r\nBcc: x@evil.example",
        "A\nSubject: evil\n\nbody",
        '"quoted" <x@evil.example>',
        "=?utf-8?q?x?=",
        "محمد 🦊",
        "é" * 300,
    ],
)
async def test_nothing_is_smuggled_into_headers(mail: EmailChannel, sink: Sink, compose: Compose, name: str) -> None:
    outgoing = compose(mail, "win/mail", recipient=replace(SAMPLE, first_name=name, last_name=""))
    outgoing = replace(outgoing, content=replace(outgoing.content, title=f"For {name}"), journey=f"win {name}")
    (receipt,) = await send(mail, outgoing)
    assert receipt.status == "sent", receipt
    got = only(sink)
    assert got["Bcc"] is None
    assert len(got.get_all("Subject", [])) == 1
    assert [address.addr_spec for address in got["To"].addresses] == ["camille@example.com"]
    assert got["Subject"].startswith("For ")
    shown = got["To"].addresses[0].display_name.replace(" ", "")  # Python leaves blanks between encoded words
    assert shown == "".join(" ".join(name.split())[:200].split())
    raw = next(messages(sink.folder)).path.read_bytes()
    assert max(map(len, raw.split(b"\r\n"))) < 998
    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert max(map(len, re.findall(rb"=\?utf-8\?[^\s?]*\?[^\s?]*\?=", b"\n".join(head))), default=0) <= 75
    assert b"\n" not in raw.replace(b"\r\n", b"")


async def test_a_refused_recipient_spoils_nobody_elses_mail(mail: EmailChannel, sink: Sink, compose: Compose) -> None:
    receipts = await send(
        mail,
        compose(mail, "win/mail", "1-1-0"),
        compose(mail, "win/mail", "2-1-0", replace(SAMPLE, email="bounce@example.com")),
        compose(mail, "win/mail", "3-1-0", replace(SAMPLE, email="defer@example.com")),
        compose(mail, "win/mail", "4-1-0"),
    )
    assert [receipt.status for receipt in receipts] == ["sent", "rejected", "deferred", "sent"]
    assert (receipts[1].detail or "").startswith("550 5.1.1")
    assert (receipts[2].detail or "").startswith("451")
    assert receipts[2].retry_after
    assert [stored.key for stored in messages(sink.folder)] == ["1-1-0", "4-1-0"]
    assert [stored.key for stored in messages(sink.folder, since=1)] == ["4-1-0"]
    assert sink.connections == 1


async def test_no_server_defers_and_the_next_batch_may_find_it(
    settings: Settings, templates: Templates, links: Links, compose: Compose, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    channel = EmailChannel(settings.model_copy(update={"smtp_port": port}), templates, links)
    first, second = await send(channel, compose(channel, "win/mail", "1-1-0"), compose(channel, "win/mail", "2-1-0"))
    assert first.status == second.status == "deferred"
    assert "refused" in (first.detail or "").lower() or "Connect" in (first.detail or "")
    with Sink(tmp_path / "sink", port=port):
        (third,) = await send(channel, compose(channel, "win/mail", "1-1-0"))
    assert third.status == "sent"


class _Anybody:
    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        del server, session, envelope
        return "250 taken"


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # the test's server is on this machine
async def test_login_is_by_the_settings_and_a_wrong_one_defers_and_names_them(
    settings: Settings, templates: Templates, links: Links, compose: Compose
) -> None:
    def known(server: object, session: object, envelope: object, mechanism: str, data: LoginPassword) -> AuthResult:
        del server, session, envelope, mechanism
        return AuthResult(success=data == LoginPassword(b"marchand", b"right"), handled=False)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server: Any = Controller(
        _Anybody(), "127.0.0.1", port, auth_required=True, auth_require_tls=False, authenticator=known
    )
    server.start()
    try:
        statuses: list[tuple[str, str | None]] = []
        for user, password in (("marchand", "right"), ("marchand", "wrong"), ("", "")):
            given = {"smtp_port": port, "smtp_user": user, "smtp_password": SecretStr(password)}
            channel = EmailChannel(settings.model_copy(update=given), templates, links)
            (receipt,) = await send(channel, compose(channel, "win/mail"))
            statuses.append((receipt.status, receipt.detail))
    finally:
        server.stop()
    assert [status for status, _ in statuses] == ["sent", "deferred", "deferred"]
    assert "PARCOURS_SMTP_USER" in (statuses[1][1] or "")


async def test_S1_a_line_that_breaks_after_the_text_leaves_it_unknown(
    settings: Settings, templates: Templates, links: Links, compose: Compose
) -> None:
    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        replies = {b"EHLO": b"250 ok\r\n", b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n", b"DATA": b"354 go\r\n"}
        while line := await reader.readline():
            reply = replies.get(line[:4].upper())
            if reply is not None:
                writer.write(reply)
            elif line == b".\r\n":
                break  # taken, perhaps, and never said
        writer.close()
        await writer.wait_closed()

    listening = await asyncio.start_server(server, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    channel = EmailChannel(settings.model_copy(update={"smtp_port": port}), templates, links)
    (receipt,) = await send(channel, compose(channel, "win/mail"))
    listening.close()
    assert receipt.status == "unknown"


@pytest.mark.parametrize(
    ("email", "address"),
    [
        ("Camille@Example.COM ", "camille@example.com"),
        ("x@bücher.example", "x@xn--bcher-kva.example"),
        (None, None),
        ("", None),
        ("no at", None),
        ("a@b@c.de", None),
        ("a\r\nb@c.de", None),
    ],
)
def test_S3_the_address_is_normal_or_missing(mail: EmailChannel, email: str | None, address: str | None) -> None:
    assert mail.address(replace(SAMPLE, email=email)) == address


@given(st.emails() | st.builds("{}@{}".format, st.text("aB0.+-_ é'", max_size=70), st.sampled_from(DOMAINS)))
@example("a" * 64 + "@example.com")
@example("a" * 65 + "@example.com")
@example("a@" + ".".join(["b" * 60] * 4) + ".com")
@example("a" * 64 + "@" + ".".join(["b" * 60] * 3) + ".com")
@example("a" * 64 + "@" + ".".join(["b" * 62] * 3) + ".com")
@example("a@b@example.com")
@example("a" * 24 + "@" + ".".join(["㌖"] * 12) + ".de")  # its domain is far longer in ASCII
def test_S3_every_address_is_judged_as_the_library_does(email: str) -> None:
    """Though it is asked once for a domain, where a name before it is simple."""
    try:
        found = validate_email(email.strip(), check_deliverability=False, allow_smtputf8=False, test_environment=True)
        known = found.ascii_email.lower() if found.ascii_email else None
    except EmailNotValidError:
        known = None
    assert normal(email) == known


def test_keep_opens_the_feed_that_a_mail_leads_to(
    mail: EmailChannel, compose: Compose, links: Links, sqlite: Database
) -> None:
    outgoing = compose(mail, "win/mail")
    with sqlite.write() as conn:
        mail.keep(conn, [outgoing])
        mail.keep(conn, [outgoing])
        assert links.feed(links.feed_token("sample")) in outgoing.content.html
        assert feeds.document(conn, links, links.feed_token("sample"), Brand()).body
        assert conn.scalars(select(table(TemplateVersion).c.hash)).all() == [outgoing.content.template_hash]


def test_the_factory_makes_every_channel_by_name(settings: Settings, templates: Templates, links: Links) -> None:
    made = channels(settings, templates, links)
    assert {name: channel.name for name, channel in made.items()} == {
        name: name for name in ("email", "sms", "feed", "call", "letter")
    }
    with pytest.raises(ValueError, match="PARCOURS_MAIL_FROM"):
        channels(settings.model_copy(update={"mail_from": "nobody"}), templates, links)
