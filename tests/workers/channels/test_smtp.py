"""The lines to the mail server: servers as they are, over real sockets."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kit.rude_mail import Manners, rude_server

from engine.outgoing import Receipt
from engine.settings import Settings
from workers.channels.lines import Lines
from workers.channels.smtp import SmtpLine

RAW = b"Subject: hello\r\n\r\nGood day.\r\n.a line with a dot\r\n..two\r\n"


def line_to(port: int, **given: Any) -> SmtpLine:
    return SmtpLine(Settings(smtp_port=port, **given))


async def send(line: SmtpLine, number: int = 1, raw: bytes = RAW, to: str = "ann@example.com") -> Receipt:
    return await line.send("bounce@shop.example", to, raw, f"{number}@shop.example")


@pytest.mark.parametrize("extensions", [("PIPELINING", "SIZE"), ()], ids=["pipelined", "plain"])
async def test_a_line_takes_mail_after_mail(extensions: tuple[str, ...]) -> None:
    manners = Manners(extensions=extensions)
    async with rude_server(manners) as port:
        line = line_to(port)
        assert [(await send(line, number)).status for number in range(5)] == ["sent"] * 5
        await line.close()
    assert manners.connections == 1
    assert manners.taken == [RAW.replace(b"\r\n.", b"\r\n..") + b".\r\n"] * 5
    size = f" SIZE={len(RAW)}" if extensions else ""
    assert manners.lines[1:5] == [
        f"MAIL FROM:<bounce@shop.example>{size}", "RCPT TO:<ann@example.com>", "DATA",
        f"MAIL FROM:<bounce@shop.example>{size}",
    ]  # fmt: skip
    assert manners.lines[-1] == "QUIT"


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=["pipelined", "plain"])
@pytest.mark.parametrize("goes_on", ["503 5.5.1 no valid recipients", "354 go on anyhow"])
async def test_a_refused_recipient_leaves_the_line_as_it_was(extensions: tuple[str, ...], goes_on: str) -> None:
    def replies(said: str, number: int) -> str | None:
        if number == 1 and said.startswith("RCPT"):
            return "550 5.1.1 no such user"
        return goes_on if number == 1 and said == "DATA" else None

    manners = Manners(extensions=extensions, replies=replies)
    async with rude_server(manners) as port:
        line = line_to(port)
        refused, taken = await send(line), await send(line)
        await line.close()
    assert (refused.status, refused.dead, refused.detail) == ("rejected", "bounced", "550 5.1.1 no such user")
    assert taken.status == "sent"
    assert [text for text in manners.taken if text != b".\r\n"] == manners.taken, "an empty mail was handed over"
    assert manners.connections == 1


REPLIES = [
    # the command, the reply → status, whether nobody is there, seconds
    ("RCPT", "550 5.1.1 no such user", "rejected", True, None),
    ("RCPT", "550 no such user", "rejected", True, None),
    ("RCPT", "550 5.7.1 you are blocked", "rejected", False, None),
    ("RCPT", "550 Blocked by Spamhaus, your IP is listed", "rejected", False, None),
    ("RCPT", "553 sorry, your IP is in our blacklist", "rejected", False, None),
    ("RCPT", "551 relaying denied", "rejected", False, None),
    ("RCPT", "552 5.2.2 mailbox full", "rejected", False, None),
    ("RCPT", "550 5.2.1 disabled", "rejected", True, None),
    ("RCPT", "556 5.1.10 null MX", "rejected", True, None),
    ("RCPT", "450 4.2.1 greylisted, see you in 5 minutes", "deferred", False, 300.0),
    ("RCPT", "451 4.7.1 try again in 90 seconds", "deferred", False, 90.0),
    ("RCPT", "452 4.2.2 mailbox full", "deferred", False, 60.0),
    ("MAIL", "550 5.7.1 sender not allowed", "deferred", False, 900.0),
    ("MAIL", "530 5.7.0 authentication required", "deferred", False, 900.0),
    ("MAIL", "451 4.3.0 not now", "deferred", False, 60.0),
    ("MAIL", "552 5.3.4 too big", "rejected", False, None),
    ("DATA", "451 4.3.0 not now", "deferred", False, 60.0),
    ("DATA", "554 5.7.1 no", "rejected", False, None),
    (".", "550 5.7.1 spam", "rejected", False, None),
    (".", "451 4.3.0 no space", "deferred", False, 60.0),
    (".", "421 4.3.2 closing", "deferred", False, 60.0),
    ("RCPT", "552 mailbox full", "rejected", False, None),
    (".", "552 5.2.2 over quota", "rejected", False, None),
    (".", "552 message exceeds fixed maximum size", "rejected", False, None),
]


FULL = {"552 5.2.2 mailbox full", "452 4.2.2 mailbox full", "552 mailbox full", "552 5.2.2 over quota"}
"""Which of these say that the mailbox has no room: not greylisting, nor a mail that is too large."""


@pytest.mark.parametrize(("command", "reply", "status", "bounced", "wait"), REPLIES)
async def test_what_a_reply_means(command: str, reply: str, status: str, bounced: bool, wait: float | None) -> None:
    def replies(said: str, number: int) -> str | None:
        return reply if number == 1 and said.startswith(command) else None

    manners = Manners(replies=replies)
    async with rude_server(manners) as port:
        line = line_to(port)
        receipt, after = await send(line), await send(line)
        await line.close()
    assert (receipt.status, receipt.dead is not None, receipt.retry_after) == (status, bounced, wait)
    assert receipt.detail == reply
    assert receipt.full is (reply in FULL)
    assert after.status == "sent"
    assert len(manners.taken) == 1


async def test_a_server_that_closes_after_some_mails_gets_the_rest_over_new_lines() -> None:
    manners = Manners(mails_a_connection=2)
    async with rude_server(manners) as port:
        line = line_to(port)
        assert [(await send(line, number)).status for number in range(7)] == ["sent"] * 7
        await line.close()
    assert manners.connections == 4
    assert len(manners.taken) == 7


async def test_a_server_that_says_421_at_once_defers() -> None:
    for manners in (Manners(greeting="421 4.3.2 not now"), Manners(mails_a_connection=0)):
        async with rude_server(manners) as port:
            line = line_to(port)
            receipt = await send(line)
            line.abort()
        assert receipt.status == "deferred"
        assert (receipt.detail or "").startswith("421")
        assert manners.connections == 1


@pytest.mark.parametrize(
    ("hang_up", "status"),
    [("EHLO", "deferred"), ("MAIL", "deferred"), ("RCPT", "deferred"), ("half", "unknown"), (".", "unknown")],
)
@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=["pipelined", "plain"])
async def test_S1_a_line_that_breaks(hang_up: str, status: str, extensions: tuple[str, ...]) -> None:
    """Before the text went out it is tried again later; after that nobody knows, and it is never sent again."""
    manners = Manners(hang_up_after=hang_up, extensions=extensions)
    async with rude_server(manners) as port:
        line = line_to(port)
        receipt = await send(line)
        line.abort()
    assert receipt.status == status
    assert receipt.detail
    assert len(manners.taken) == (hang_up == ".")


async def test_an_old_line_that_broke_meanwhile_is_opened_anew_before_the_text() -> None:
    manners = Manners()
    async with rude_server(manners) as port:
        line = line_to(port)
        assert (await send(line)).status == "sent"
        manners.hang_up_after = "."
        assert (await send(line)).status == "unknown"
        manners.hang_up_after = ""
        assert (await send(line)).status == "sent"
        await line.close()
    assert manners.connections == 2


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=["pipelined", "plain"])
@pytest.mark.parametrize("word", ["421 4.4.2 idle for too long", "250 by the way"])
async def test_a_line_that_says_something_unasked_is_not_used_again(extensions: tuple[str, ...], word: str) -> None:
    """It would be taken for the answer to the next mail's first command."""

    def replies(said: str, number: int) -> str | None:
        return f"250 2.0.0 taken\r\n{word}" if (said, number) == (".", 1) else None

    manners = Manners(extensions=extensions, replies=replies)
    async with rude_server(manners) as port:
        line = line_to(port)
        assert [(await send(line, number)).status for number in (1, 2, 3)] == ["sent"] * 3
        await line.close()
    assert manners.connections == 2
    assert len(manners.taken) == 3


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=["pipelined", "plain"])
async def test_the_patience_is_for_each_reply_and_not_for_all_together(extensions: tuple[str, ...]) -> None:
    """Three replies of the envelope take longer than one may; and where one is late, the line is given up in its time."""
    manners = Manners(extensions=extensions, wait=0.2)
    async with rude_server(manners) as port:
        line = line_to(port, smtp_timeout=0.5)
        assert [(await send(line, number)).status for number in (1, 2)] == ["sent", "sent"]
        manners.wait = 3.0
        begun = time.monotonic()
        assert (await send(line)).status == "deferred"  # on a new line too
        assert time.monotonic() - begun < 2.9
        line.abort()


async def test_a_server_that_answers_slowly_is_waited_for_and_one_that_is_silent_is_not() -> None:
    async with rude_server(Manners(wait=0.15)) as port:
        line = line_to(port, smtp_timeout=5)
        assert (await send(line)).status == "sent"
        await line.close()
    async with rude_server(Manners(wait=30)) as port:
        line = line_to(port, smtp_timeout=0.1)
        receipt = await send(line)
        line.abort()
    assert receipt.status == "deferred"

    def replies(said: str, number: int) -> str | None:
        del number
        if said == ".":
            manners.wait = 30
        return None

    manners = Manners(replies=replies)
    async with rude_server(manners) as port:
        line = line_to(port, smtp_timeout=0.05)
        receipt = await send(line)
    assert receipt.status == "unknown"
    assert "nothing for 0.5 s" in (receipt.detail or "")


@pytest.mark.parametrize("reply", ["what?", "", "2", "250-and\r\n250-so\r\nno", "abc def", "250" + "x" * 100_000])
async def test_what_is_no_smtp_is_a_deferral(reply: str) -> None:
    manners = Manners(replies=lambda said, _: reply if said.startswith("MAIL") else None)
    async with rude_server(manners) as port:
        line = line_to(port, smtp_timeout=0.5)
        receipt = await send(line)
        line.abort()
    assert receipt.status == "deferred"


async def test_a_mail_that_is_too_big_for_the_server_is_not_tried() -> None:
    manners = Manners(extensions=("SIZE 100", "PIPELINING"))
    async with rude_server(manners) as port:
        line = line_to(port)
        big, small = await send(line, raw=b"Subject: x\r\n\r\n" + b"x" * 100), await send(line)
        await line.close()
    assert big.status == "rejected"
    assert "114 bytes, the server takes 100" in (big.detail or "")
    assert small.status == "sent"


async def test_tls_that_is_asked_for_is_required() -> None:
    manners = Manners()
    async with rude_server(manners) as port:
        line = line_to(port, smtp_tls="starttls")
        receipt = await send(line)
    assert receipt.status == "deferred"
    assert "STARTTLS" in (receipt.detail or "")
    assert not any(said.startswith("MAIL") for said in manners.lines)
    with pytest.raises(ValueError, match="smtp_tls"):
        Settings(smtp_tls="startls")  # pyright: ignore[reportArgumentType]  # a slip of the pen is no "none"


# --- the lines of a process -------------------------------------------------------------------------------------------


async def through(lines: Lines, count: int, *, planned: bool, done: Callable[[], None] = lambda: None) -> list[Receipt]:
    async def one(number: int) -> Receipt:
        async with lines.line(planned=planned) as line:
            receipt = await send(line, number)
        done()
        return receipt

    return await asyncio.gather(*(one(number) for number in range(count)))


async def test_lines_are_shared_kept_open_and_never_more_than_so_many() -> None:
    manners = Manners(wait=0.002)
    async with rude_server(manners) as port:
        lines = Lines(Settings(smtp_port=port, smtp_connections=3))
        for _ in range(2):
            assert {each.status for each in await through(lines, 20, planned=True)} == {"sent"}
        assert manners.connections == manners.most_at_once == 3
        await lines.close()
    assert len(manners.taken) == 40


async def test_S6_an_urgent_mail_gets_the_next_free_line() -> None:
    order: list[str] = []
    async with rude_server(Manners(wait=0.005)) as port:
        lines = Lines(Settings(smtp_port=port, smtp_connections=2))
        mass = asyncio.create_task(through(lines, 60, planned=True, done=lambda: order.append("planned")))
        while len(order) < 6:  # noqa: ASYNC110  # the list is filled by what is waited for
            await asyncio.sleep(0.001)
        before = len(order)
        await through(lines, 3, planned=False, done=lambda: order.append("urgent"))
        assert order[: before + 12].count("urgent") == 3
        await mass
        await lines.close()


async def test_whoever_gives_up_waiting_leaves_his_place() -> None:
    async with rude_server(Manners()) as port:
        lines = Lines(Settings(smtp_port=port, smtp_connections=1))
        async with lines.line():
            waiting = [asyncio.create_task(through(lines, 1, planned=False)) for _ in range(3)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waiting[0].cancel()
        assert {each.status for each in await through(lines, 5, planned=True)} == {"sent"}
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        await lines.close()


async def test_a_line_that_somebody_broke_off_is_not_used_again() -> None:
    manners = Manners()
    async with rude_server(manners) as port:
        lines = Lines(Settings(smtp_port=port, smtp_connections=1))
        with pytest.raises(RuntimeError, match="a fault"):
            await _broken_off(lines)
        assert [each.status for each in await through(lines, 2, planned=False)] == ["sent"] * 2
        await lines.close()
    assert manners.connections == 2


async def _broken_off(lines: Lines) -> None:
    async with lines.line() as line:
        await line.open()
        raise RuntimeError("a fault")


async def test_nothing_waits_for_the_loops_end() -> None:
    """Lines that were never closed go with the loop; Python's warnings are errors here."""
    async with rude_server(Manners()) as port:
        lines = Lines(Settings(smtp_port=port))
        begun = time.monotonic()
        await through(lines, 4, planned=False)
        assert time.monotonic() - begun < 30


# --- TLS --------------------------------------------------------------------------------------------------------------


class _Anybody:
    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.secure: list[bool] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        del server
        self.taken.append(envelope.content)
        self.secure.append(bool(session.ssl))
        return "250 taken"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody but its own file vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.parametrize("how", ["starttls", "tls"])
async def test_mails_go_over_tls_and_only_to_a_server_that_somebody_vouches_for(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    handler = _Anybody()
    given: dict[str, Any] = {} if how == "tls" else {"tls_context": context, "require_starttls": True}
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, hostname="mx.example", **given), "127.0.0.1", 0, ssl=context if how == "tls" else None
    )
    port = server.sockets[0].getsockname()[1]
    stranger = line_to(port, smtp_tls=how)
    refused = await send(stranger)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    line = line_to(port, smtp_tls=how)
    assert [(await send(line, number)).status for number in range(3)] == ["sent"] * 3
    await line.close()
    server.close()
    assert refused.status == "deferred"
    assert "certificate" in (refused.detail or "").lower()
    assert len(handler.taken) == 3
    assert all(handler.secure) or how == "tls"
