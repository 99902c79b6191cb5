"""A line to the mail server: one mail after another over one connection, and what each reply means for its mail.

aiosmtplib opens the connection: TLS, greeting, login. The talk after that is ours, because it can be pipelined (RFC 2920):
sender, recipient and DATA go in one write where the server allows that, which halves the round trips of a mail.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import NamedTuple, cast

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPResponseException

from engine.mail.codes import enhanced, kind_of
from engine.outgoing import Receipt
from engine.settings import Settings

__all__ = ["SmtpLine", "said"]

_RETRY = 60.0  # seconds until another try, where the server names none
_RETRY_OURS = 900.0  # it dislikes our login or our own address: somebody has to look at it
_TRANSIENT, _PERMANENT, _GO_ON, _CLOSING = 400, 500, 354, 421
_NO_STORAGE = 452
_FULL_CODES = {"4.2.2", "5.2.2"}
_OURS = {530, 534, 535, 538}  # our login is not what it wants: that says nothing of her address
_PATIENCE = 10  # RFC 5321, 4.5.3.2: the reply to the whole text may take far longer than the others
_LONGEST_REPLY = 65_536
_DATA = b"DATA\r\n"


class SmtpLine:
    """A connection. It is opened when it is needed, and again after it broke; one mail at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._timeout = settings.smtp_timeout
        self._talk: _Talk | None = None
        self._pipelined = False
        self._sized = False
        self._most = 0
        self._used = False

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._talk is not None and self._talk.stands

    async def open(self) -> None:
        """Connect and log in, where that is not done. Raises SMTPException or OSError."""
        await self._open()

    async def send(self, sender: str, recipient: str, raw: bytes, message_id: str) -> Receipt:
        """Hand a mail over; its lines end with CRLF.

        Where an old line proves to be closed before the server had any of the text, it is tried over a new one at once.
        """
        for last in (False, True) if self._used else (True,):
            try:
                talk = await self._open()
                if self._most and len(raw) > self._most:
                    return Receipt("rejected", detail=f"the mail has {len(raw)} bytes, the server takes {self._most}")
                refused = await self._envelope(talk, sender, recipient, len(raw))
            except (SMTPException, OSError) as error:
                self.abort()
                if last:
                    return Receipt("deferred", detail=said(error), retry_after=_RETRY)
            else:
                return refused or await self._text(talk, raw, message_id)
        raise AssertionError  # the last try returns

    async def close(self) -> None:
        """Say goodbye; don't wait long for the answer."""
        talk, self._talk = self._talk, None
        if talk is None:
            return
        try:
            talk.write(b"QUIT\r\n")
            await talk.reply(2.0)
        except OSError:
            pass
        talk.close()

    def abort(self) -> None:
        """Let the connection go at once."""
        talk, self._talk, self._used = self._talk, None, False
        if talk is not None:
            talk.close()

    async def _open(self) -> _Talk:
        if self._talk is not None and self._talk.stands:
            return self._talk
        self.abort()
        settings = self._settings
        smtp = SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user or None,
            password=settings.smtp_password.get_secret_value() or None,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            timeout=self._timeout,
        )
        await smtp.connect()
        if smtp.is_ehlo_or_helo_needed:
            await smtp.ehlo()
        self._pipelined = smtp.supports_extension("pipelining")
        self._sized = smtp.supports_extension("size")
        most = smtp.esmtp_extensions.get("size", "").strip()
        self._most = int(most) if most.isdigit() else 0
        transport = smtp.transport
        if transport is None or transport.is_closing():
            raise ConnectionError("the server closed the line after its greeting")
        self._talk = talk = _Talk(cast("asyncio.Transport", transport))
        transport.set_protocol(talk)
        return talk

    async def _envelope(self, talk: _Talk, sender: str, recipient: str, size: int) -> Receipt | None:
        """Sender, recipient, and the word that the text follows; None: go on.

        Raises SMTPException or OSError where the line is of no use any more; the server has nothing of the text then.
        """
        sized = f" SIZE={size}" if self._sized else ""
        mail, rcpt = f"MAIL FROM:<{sender}>{sized}\r\n", f"RCPT TO:<{recipient}>\r\n"
        commands = (mail.encode("ascii"), rcpt.encode("ascii"), _DATA)
        replies = await (talk.together if self._pipelined else talk.converse)(commands, self._timeout)
        refused: Receipt | None = None
        for command, reply in zip(commands, replies, strict=False):  # there is none to what was not said any more
            if reply.code == _CLOSING:
                raise SMTPResponseException(reply.code, reply.text)
            if command == _DATA and reply.code == _GO_ON:
                if refused is None:
                    talk.in_step()
                    self._used = True
                    return None
                talk.write(
                    b".\r\n"
                )  # RFC 2920, 3.1: it goes on though nobody is to get it, and has to be given something
                await talk.reply(self._timeout)
            elif refused is None and (reply.code >= _TRANSIENT or command == _DATA):
                refused = _judged(command[:4].decode(), reply)
        self._used = True
        talk.write(b"RSET\r\n")
        await talk.reply(self._timeout)
        return refused

    async def _text(self, talk: _Talk, raw: bytes, message_id: str) -> Receipt:
        """The text, and what became of it. From here on the server may have it: a second one would be a repeat."""
        try:
            if b"\r\n." in raw:
                raw = raw.replace(b"\r\n.", b"\r\n..")
            talk.write(raw + (b".\r\n" if raw.endswith(b"\r\n") else b"\r\n.\r\n"))
            reply = await talk.reply(self._timeout * _PATIENCE)
        except OSError as error:
            self.abort()
            return Receipt("unknown", detail=f"the line broke after the text was sent: {said(error)}")
        if reply.code == _CLOSING:
            self.abort()
        if reply.code >= _TRANSIENT:
            return _judged("DATA", reply)
        return Receipt("sent", provider_id=message_id, detail=str(reply))


class _Reply(NamedTuple):
    """A server's reply (RFC 5321, 4.2)."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"[:300]


class _Talk(asyncio.Protocol):
    """What comes over a connection, as replies in their order."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = b""
        self._replies: list[_Reply] = []
        self._lines: list[str] = []
        self._waiting: asyncio.Future[None] | None = None
        self._left: list[bytes] = []
        """Commands to be said when the one before is taken."""
        self._heard_at = 0.0
        self._late: asyncio.TimerHandle | None = None
        self._broken: Exception | None = None

    @property
    def stands(self) -> bool:
        return self._broken is None and not self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if self._broken is not None or self._transport.is_closing():
            raise ConnectionError("the server closed the line") from self._broken
        self._transport.write(data)

    async def converse(self, commands: Sequence[bytes], seconds: float) -> list[_Reply]:
        """Say each command as soon as the one before it was taken; the replies, of which the last may be a refusal. Raises as `reply`."""
        self.in_step()
        first, *self._left = commands
        self.write(first)
        await self._answered(seconds)
        replies, self._replies = self._replies, []
        return replies

    async def together(self, commands: Sequence[bytes], seconds: float) -> list[_Reply]:
        """Say all commands in one; their replies, up to one that closes the line. Raises as `reply`."""
        self.in_step()
        self.write(b"".join(commands))
        replies: list[_Reply] = []
        for _ in commands:
            replies.append(await self.reply(seconds))
            if replies[-1].code == _CLOSING:
                break
        return replies

    def in_step(self) -> None:
        """A reply to nothing (`421 idle for too long`) would be taken for the next one's: such a line is of no use."""
        if self._replies:
            raise ConnectionError(f"the server said {str(self._replies[0])!r} before it was asked")

    async def reply(self, seconds: float) -> _Reply:
        """The next reply. Raises OSError: the line broke, what came was no reply, or nothing came in time."""
        if not self._replies:
            await self._answered(seconds)
        return self._replies.pop(0)

    async def _answered(self, seconds: float) -> None:
        """Until there is a reply, and nothing left to be said to it."""
        if self._broken is not None:
            raise ConnectionError("the server closed the line") from self._broken
        loop = asyncio.get_running_loop()
        self._waiting, self._heard_at = loop.create_future(), loop.time()
        self._late = loop.call_later(seconds, self._silent, seconds)  # less work than asyncio.timeout for each reply
        try:
            await self._waiting
        finally:
            self._late.cancel()
            self._waiting = None

    def _silent(self, seconds: float) -> None:
        """Nothing came in time, unless there were other replies meanwhile."""
        loop = asyncio.get_running_loop()
        if (left := self._heard_at + seconds - loop.time()) > 0:
            self._late = loop.call_later(left, self._silent, seconds)
        else:
            self._wake(TimeoutError(f"the server said nothing for {seconds:g} s"))

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) + sum(map(len, lines)) + sum(map(len, self._lines)) > _LONGEST_REPLY:
            self._break(ConnectionError("the server's reply has no end"))
            return
        for line in lines:
            if not line[:3].isdigit():
                self._break(ConnectionError(f"this is no SMTP reply: {line[:80]!r}"))
                return
            self._lines.append(line[4:].decode("utf-8", "replace").replace("\0", "").strip())
            if line[3:4] != b"-":
                reply = _Reply(int(line[:3]), " ".join(self._lines))
                self._replies.append(reply)
                self._lines = []
                if not self._goes_on(reply):
                    self._wake()

    def _goes_on(self, reply: _Reply) -> bool:
        """Say what comes next, here and now: no task's turn is waited for. False: there is nothing, or it makes no sense."""
        if not self._left or reply.code >= _TRANSIENT:
            self._left = []
            return False
        self._heard_at = asyncio.get_running_loop().time()
        self._transport.write(self._left.pop(0))
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._break(exc or ConnectionError("the server closed the line"))

    def _break(self, why: Exception) -> None:
        self._broken = self._broken or why
        self._transport.abort()
        self._wake(self._broken)

    def _wake(self, error: Exception | None = None) -> None:
        if self._waiting is None or self._waiting.done():
            return
        if error is None:
            self._waiting.set_result(None)
        else:
            self._waiting.set_exception(error)


# --- what a reply means -----------------------------------------------------------------------------------------------

_WAIT = re.compile(r"(\d{1,5}) ?(s|sec|second|m|min|minute|h|hour)s?\b", re.IGNORECASE)
_UNIT = {"s": 1, "m": 60, "h": 3600}


def _judged(command: str, reply: _Reply) -> Receipt:
    """What a refusal means: come again, or never; and whether it is the mailbox that isn't there, or has no room."""
    full = _is_full(command, reply)
    ours = reply.code in _OURS or (command == "MAIL" and reply.code not in {552, 554})
    if reply.code >= _PERMANENT and not ours:
        nobody = command == "RCPT" and kind_of(None, str(reply)) == "hard"  # not "your address is on our black list"
        return Receipt("rejected", detail=str(reply), dead="bounced" if nobody else None, full=full)
    wait = _RETRY_OURS if reply.code >= _PERMANENT else _asked(reply.text)
    return Receipt("deferred", detail=str(reply), retry_after=wait, full=full)


def _is_full(command: str, reply: _Reply) -> bool:
    """Whether a mailbox has no room, by its code; what a server says at the recipient is about the mailbox even without one."""
    if enhanced(str(reply)) in _FULL_CODES:
        return command in {"RCPT", "DATA"}
    soft = command == "RCPT" and kind_of(None, str(reply)) == "soft"
    return soft and (reply.code >= _PERMANENT or reply.code == _NO_STORAGE)


def _asked(text: str) -> float:
    """The seconds that a server asks us to wait for (`greylisted, come again in 5 minutes`)."""
    found = _WAIT.search(text)
    return min(max(float(found[1]) * _UNIT[found[2][0].lower()], 1.0), 86_400.0) if found else _RETRY


def said(error: Exception) -> str:
    """A failure in words, for the message's row."""
    if isinstance(error, SMTPAuthenticationError):
        return f"{error.code} {error.message}: check PARCOURS_SMTP_USER and PARCOURS_SMTP_PASSWORD"[:300]
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {error.message}"[:300]
    return f"{type(error).__name__}: {error}"[:300]
