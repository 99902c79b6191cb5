"""The stack: everything of Parcours on one machine as child processes, watched and started again if they die.

`parcours up` and `parcours demo` are built on it. Order: the embedded Temporal server, the local stand-ins of providers (mail sink,
SMS gateway), the receiver of mail if it is wanted, the worker, the API. Each child's output goes to a log file in the data folder.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self

import httpx
from pydantic import SecretStr
from sqlalchemy import func, select

from api.one_stack import WATCHED, OneStack
from api.stand_ins import stand_ins
from engine.db import Database, table
from engine.errors import EngineError, Invalid
from engine.settings import Settings
from engine.tables import Lease
from workers.server import EmbeddedServer, free_port

__all__ = ["Child", "Stack", "environment"]

Say = Callable[[str], None]


def environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for a child process."""
    found: dict[str, str] = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if value is None:
            continue
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        found[f"PARCOURS_{name.upper()}"] = plain.isoformat() if isinstance(plain, datetime) else str(plain)
    return found


class Child:
    """One program of the stack: started, watched, started again a second after it died, ended by SIGTERM."""

    def __init__(self, name: str, arguments: list[str], settings: Settings, say: Say) -> None:
        self.name = name
        self.restarts = 0
        self._arguments = arguments
        self._environment: Mapping[str, str] = {**os.environ, **environment(settings), WATCHED: "yes"}
        self._log = settings.data / "log" / f"{name}.log"
        self._say = say
        self._lock: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self, lock: int | None = None) -> None:
        """Start it, with the stack's lock in its hands (a file descriptor)."""
        self._lock = lock
        await self._spawn()
        self._watch = asyncio.create_task(self._again())

    async def stop(self) -> None:
        """End it and wait: a worker finishes its batches; after 30 seconds it is killed."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 30)
        except TimeoutError:
            process.kill()
            await process.wait()

    def tail(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""

    async def _spawn(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a folder `api` or `dsl` of the user's own, where he stands, is not ours
                "-m",
                "api.command",
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,  # nothing is written: its end says that we are gone
                stdout=output,
                stderr=output,
                env=self._environment,
                pass_fds=() if self._lock is None else (self._lock,),
                start_new_session=True,  # Ctrl-C is the stack's to handle
            )

    async def _again(self) -> None:
        while True:
            assert self._process is not None  # noqa: S101  # started before
            code = await self._process.wait()
            self._say(f"{self.name} ended with code {code}; it starts again (its log: {self._log})")
            self.restarts += 1
            await asyncio.sleep(1)
            await self._spawn()


class Stack:
    """Everything on one machine: `async with Stack(settings) as stack: …`."""

    def __init__(
        self, settings: Settings, *, say: Say = lambda _: None, ui_port: int | None = None, receives: bool = False
    ) -> None:
        port = _port(settings.temporal_address)
        self.settings = settings.model_copy(update={"temporal_address": f"127.0.0.1:{port}"})
        self.api_url = f"http://{settings.host}:{settings.port}"
        self.temporal = EmbeddedServer(
            settings.data / "temporal", port, synchronous=settings.temporal_synchronous, ui_port=ui_port
        )
        self._one = OneStack(settings.data)
        self.local = Child("local", ["local"], self.settings, say)
        self.worker = Child("worker", ["worker"], self.settings, say)
        self.api = Child("api", ["api"], self.settings, say)
        self.receivers = [Child("receiver", ["receiver"], self.settings, say)] if receives else []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Migrate the database and start everything; returns when the API answers and the worker works.

        Raises EngineError where another stack runs on the data folder, or something doesn't come up.
        """
        lock = await asyncio.to_thread(self._one.take)
        try:
            _free(self.settings)
            await self.temporal.end_orphan()
            database = Database(self.settings.database_url)
            await asyncio.to_thread(database.migrate)
            await self.temporal.start()
            for child in (self.local, *self.receivers, self.worker, self.api):
                await child.start(lock)
            await self._ready(database)
            database.close()
        except BaseException:
            await self.stop()
            raise

    async def stay(self, stop: asyncio.Event) -> None:
        """Wait to be told to stop. Raises EngineError where the embedded Temporal is given up: nothing goes on without it."""
        told, lost = asyncio.create_task(stop.wait()), asyncio.create_task(self.temporal.lost())
        try:
            await asyncio.wait({told, lost}, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                await lost
        finally:
            told.cancel()
            lost.cancel()

    async def stop(self) -> None:
        """End everything; what the worker needs to finish what it has begun, after the worker."""
        await asyncio.gather(self.api.stop(), self.worker.stop(), *(each.stop() for each in self.receivers))
        await asyncio.gather(self.local.stop(), self.temporal.stop())
        self._one.release()

    async def _ready(self, database: Database, wait: float = 120.0) -> None:
        until = time.monotonic() + wait
        async with httpx.AsyncClient(timeout=5) as http:
            while time.monotonic() < until:
                with suppress(httpx.HTTPError):
                    answer = await http.get(f"{self.api_url}/v1/health")
                    if answer.status_code == 200 and await asyncio.to_thread(_works, database):
                        return
                await asyncio.sleep(0.1)
        logs = "\n".join(f"{child.name}: {child.tail()}" for child in (self.worker, self.api, self.local))
        raise EngineError("not_up", f"Parcours did not come up within {wait:.0f} seconds; the logs end:\n{logs}")


def _port(address: str) -> int:
    """The port that the embedded server is to have: the setting's, else a free one. Raises Invalid."""
    if not address:
        return free_port()
    host, _, port = address.rpartition(":")
    if host not in {"127.0.0.1", "localhost"} or not port.isdecimal():
        raise Invalid(
            "PARCOURS_TEMPORAL_ADDRESS", address, "the embedded server takes 127.0.0.1:PORT; for a Temporal of your own run"
            " `parcours worker` and `parcours api` instead"
        )  # fmt: skip
    return int(port)


def _free(settings: Settings) -> None:
    """Raises EngineError where another program has a port of ours: its answers would be taken for our API's."""
    wanted = {"port": (settings.host, settings.port)}
    wanted |= {name: ("127.0.0.1", port) for name, port in stand_ins(settings).items()}
    for name, (host, port) in wanted.items():
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise EngineError(
                    "port_taken",
                    f"{host}:{port} can't be had: {error.strerror}. End the program that has it, or set PARCOURS_{name.upper()}",
                ) from error


def _works(database: Database) -> bool:
    """Whether some worker holds the leases of dispatching and entry."""
    rows = table(Lease)
    with database.read() as conn:
        both = rows.c.name.in_(("dispatcher", "entry")), rows.c.expires_at > datetime.now(UTC)
        held = conn.execute(select(func.count()).select_from(rows).where(*both))
        return held.scalar_one() >= 2
