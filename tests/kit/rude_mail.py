"""A mail server with manners as real ones have them: it greylists, hangs up, closes after some mails, answers slowly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

__all__ = ["Manners", "rude_server"]


@dataclass
class Manners:
    """What the server is like, and what it has seen."""

    extensions: Sequence[str] = ("PIPELINING", "SIZE 40000000")
    greeting: str = "220 mx.example ready"
    replies: Callable[[str, int], str | None] = lambda _line, _number: None
    """What it says to a command line (and to `.`, after the text), by the mail's number from 1; None: the usual."""
    mails_a_connection: int = 1_000_000
    """After so many it says 421 and hangs up."""
    hang_up_after: str = ""
    """Hangs up after this command; `half` in the midst of the text, `.` after the text, without a word."""
    wait: float = 0.0
    """Seconds before each reply."""
    taken: list[bytes] = field(default_factory=list[bytes])
    lines: list[str] = field(default_factory=list[str])
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    seen: int = 0
    """Mails whose envelope began."""


@asynccontextmanager
async def rude_server(manners: Manners) -> AsyncGenerator[int]:
    """The server while the block lasts; its port."""
    talks: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        manners.connections += 1
        manners.at_once += 1
        manners.most_at_once = max(manners.most_at_once, manners.at_once)
        try:
            await _talk(manners, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            manners.at_once -= 1
            writer.close()
            talks.discard(task)

    server = await asyncio.start_server(served, "127.0.0.1", 0, limit=50_000_000)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def _talk(  # noqa: C901, PLR0912  # a server's whole talk, from the greeting down
    manners: Manners, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    mails = number = 0

    async def say(text: str) -> None:
        if manners.wait:
            await asyncio.sleep(manners.wait)
        writer.write(f"{text}\r\n".encode())
        await writer.drain()

    await say(manners.greeting)
    recipients = 0
    while line := (await reader.readline()).decode().strip():
        manners.lines.append(line)
        verb = line[:4].upper()
        if verb == "MAIL":
            if mails >= manners.mails_a_connection:
                await say("421 4.7.0 too many messages in this session")
                return
            manners.seen += 1
            number, recipients = manners.seen, 0
        reply = manners.replies(line, number)
        if verb == "DATA" and reply is None:
            reply = "354 go on" if recipients else "503 5.5.1 no valid recipients"
        if verb == "QUIT":
            await say("221 bye")
            return
        if verb == "EHLO" and reply is None:
            reply = "\r\n".join(
                [*(f"250-{each}" for each in ("mx.example", *manners.extensions)), "250 ENHANCEDSTATUSCODES"]
            )
        recipients += verb == "RCPT" and (reply or "250")[0] == "2"
        await say("250 2.0.0 ok" if reply is None else reply)
        if manners.hang_up_after == verb:
            return
        if verb == "DATA" and reply is not None and reply.startswith("354"):
            if manners.hang_up_after == "half":
                await reader.read(100)
                return
            text = await reader.readuntil(b".\r\n")
            while not (text == b".\r\n" or text.endswith(b"\r\n.\r\n")):
                text += await reader.readuntil(b".\r\n")
            if manners.hang_up_after == ".":
                manners.taken.append(text)
                return
            verdict = manners.replies(".", number)
            if text == b".\r\n":
                verdict = verdict or "554 5.5.1 no valid recipients"
            if verdict is None or verdict.startswith("2"):
                manners.taken.append(text)
            mails += 1
            await say(verdict or "250 2.0.0 taken")
