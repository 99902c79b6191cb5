"""The lines to the mail server that a worker process has: a few, shared by all its batches, urgent mails first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from engine.settings import Settings
from workers.channels.places import Places
from workers.channels.smtp import SmtpLine

__all__ = ["Lines"]

_IDLE = 30.0  # seconds without a mail after which a line is closed: servers mostly do it after 300
_LOOK = 5.0


class Lines:
    """At most `PARCOURS_SMTP_CONNECTIONS` connections. They stay open from batch to batch, and are closed when idle."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._free: list[tuple[float, SmtpLine]] = []
        """Idle lines, with when they were last used; the last is the warmest."""
        self._places = Places(settings.smtp_connections)
        self.next = {planned: Places(2 * settings.smtp_connections) for planned in (True, False)}
        """Places of those who have a line, and of the next ones, who make ready meanwhile. The urgent have their own."""
        self._keeper: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def line(self, *, planned: bool = False) -> AsyncGenerator[SmtpLine]:
        """A line of one's own for a while. Who is not planned is served first."""
        async with self._places.place(planned=planned):
            line = self._free.pop()[1] if self._free else SmtpLine(self._settings)
            try:
                yield line
            except BaseException:
                line.abort()  # nobody knows where in its talk it is
                raise
            finally:
                if line.is_open:
                    self._free.append((time.monotonic(), line))
                    if self._keeper is None:
                        self._keeper = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Close the lines that nobody uses."""
        free, self._free = self._free, []
        await asyncio.gather(*(line.close() for _, line in free))

    async def _keep(self) -> None:
        """Close what has been idle; when the loop ends, so do the lines."""
        try:
            while self._free:
                await asyncio.sleep(_LOOK)
                old = time.monotonic() - _IDLE
                idle = [line for at, line in self._free if at < old or not line.is_open]
                self._free = [(at, line) for at, line in self._free if line not in idle]
                await asyncio.gather(*(line.close() for line in idle))
        finally:
            self._keeper = None
            for _, line in self._free:
                line.abort()
            self._free = []
